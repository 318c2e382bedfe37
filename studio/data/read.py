"""Any supported file, or pasted text, as rows. What a file is follows from its name, and from its content where they differ."""

from __future__ import annotations

from pathlib import Path

from studio.data.exports.recognise import recognise_bytes, recognise_text
from studio.data.names import is_known
from studio.data.readers.columnar import read_columnar
from studio.data.readers.delimited import find_delimiter, read_delimited
from studio.data.readers.encoding import decode
from studio.data.readers.prose import read_prose
from studio.data.readers.reading import MAX_FILE, Reading, refusal
from studio.data.readers.records import read_records
from studio.data.readers.workbook import read_workbook
from studio.errors import StudioError
from studio.workspace import display_name, gib

__all__ = ["PASTED", "SUFFIXES", "Reading", "read", "read_pasted"]

PASTED = "What you pasted"

SUFFIXES = {
    ".csv": "csv",
    ".ssv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".json": "json",
    ".jsonl": "json",
    ".ndjson": "json",
    ".parquet": "parquet",
    ".xlsx": "xlsx",
    ".xlsm": "xlsx",
    ".xls": "xlsx",
    ".txt": "text",
    ".md": "text",
    ".mbox": "text",
    ".eml": "text",
}
"""Suffix -> kind of reader."""


def read(path: Path, *, encoding: str = "", delimiter: str = "", sheet: str = "", header: bool | None = None) -> Reading:
    """The rows of a file. Raises StudioError that names the file, the row where there is one, and the remedy.

    Args:
        encoding: Read text in this encoding; empty finds it.
        delimiter: The sign between cells of a CSV; empty finds it.
        sheet: The sheet of a workbook, or the list of a JSON object; empty finds it.
        header: Whether the first row names the columns; None finds out.
    """
    path = Path(path)
    name = display_name(path.name, "The file")
    kind = SUFFIXES.get(path.suffix.lower())
    if kind is None:
        known = ", ".join(SUFFIXES)
        raise refusal(name, f"Files of this kind are not supported. These are: {known}.", "Save it as one of them.")
    try:
        size = path.stat().st_size
        if not path.is_file():
            raise refusal(name, "It is not a file.", "Add the file itself.")
        if size > MAX_FILE:
            raise refusal(name, f"It has {gib(size)}, and {gib(MAX_FILE)} is the most.", "Split it into smaller files.")
        if size == 0:
            raise refusal(name, "It is empty.", "Add a file with at least one example.")
        if kind == "xlsx":
            return read_workbook(path, name, sheet=sheet, header=header)
        if kind == "parquet":
            return read_columnar(path, name)
        data = path.read_bytes()
        if found := recognise_bytes(data, name):
            return found
    except OSError as error:
        raise refusal(name, str(error.strerror or "It cannot be opened."), "Add the file again.") from error
    text, used, notes = decode(data, name, encoding)
    del data
    return with_notes(read_text(text, name, kind, used, delimiter, header, sheet), notes)


def read_text(text: str, name: str, kind: str, encoding: str, delimiter: str, header: bool | None, sheet: str = "") -> Reading:
    """Rows of a text whose kind is known: csv, tsv, json or text. An exported chat is known by its content."""
    if not text.strip():
        raise refusal(name, "It is empty.", "Add a file with at least one example.")
    if found := recognise_text(text, name, encoding=encoding):
        return found
    if kind == "text":
        return read_prose(text, name, encoding=encoding)
    if kind == "json":
        return read_records(text, name, encoding=encoding, sheet=sheet)
    if kind == "tsv" and not delimiter and "\t" in text[: 2**16]:
        delimiter = "\t"
    return read_delimited(text, name, delimiter=delimiter, header=header, encoding=encoding)


def read_pasted(text: str) -> Reading:
    """Rows of pasted text: JSON, JSON lines, a table copied from a sheet, or prose. Raises StudioError."""
    if len(text) > MAX_FILE // 4:
        raise refusal(PASTED, f"It is longer than {MAX_FILE // 4:,} signs.", "Save it as a file and add that.")
    text = text.removeprefix("\ufeff").replace("\x00", "")
    if not text.strip():
        raise refusal(PASTED, "It is empty.", "Paste at least one example.")
    if text.lstrip()[0] in "[{":
        try:
            return read_records(text, PASTED)
        except StudioError:
            if text.lstrip()[:2] in ('{"', "[{"):
                raise
    if found := recognise_text(text, PASTED) or recognise_bytes(text.encode("utf-8", "replace"), PASTED):
        return found
    return read_delimited(text, PASTED) if looks_like_table(text) else read_prose(text, PASTED)


def looks_like_table(text: str) -> bool:
    """Whether pasted text is a table rather than prose with commas in it."""
    delimiter = find_delimiter(text)
    if not delimiter:
        return False
    lines = [line for line in text.split("\n") if line.strip()]
    if sum(map(is_known, lines[0].split(delimiter))) >= 2:
        return True
    counts = {line.count(delimiter) for line in lines}
    return len(lines) > 1 and len(counts) == 1 and (delimiter in "\t|" or len(lines) > 2)


def with_notes(reading: Reading, notes: list[str]) -> Reading:
    """The reading with more to tell, first."""
    return Reading(**{**vars(reading), "notes": (*notes, *reading.notes)}) if notes else reading
