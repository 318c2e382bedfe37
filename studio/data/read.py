"""Any supported file, or pasted text, as rows. What a file is follows from its name, and from its content where they differ."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from studio.data.exports.recognise import is_chat_export, recognise_bytes, recognise_text
from studio.data.names import is_known
from studio.data.readers.archive import unpacked
from studio.data.readers.columnar import read_columnar
from studio.data.readers.delimited import find_delimiter, read_delimited
from studio.data.readers.documents import read_docx, read_markup, read_pdf
from studio.data.readers.encoding import declared, decode
from studio.data.readers.guarded import MAX_FILES
from studio.data.readers.prose import read_prose
from studio.data.readers.reading import MAX_FILE, MAX_STREAMED, Reading, refusal
from studio.data.readers.records import read_records
from studio.data.readers.streamed_lines import read_lines
from studio.data.readers.streamed_table import read_table
from studio.data.readers.union import unite
from studio.data.readers.workbook import read_workbook
from studio.data.spill import LARGE, Room
from studio.errors import StudioError
from studio.workspace import display_name, gib

__all__ = ["PASTED", "SUFFIXES", "Reading", "read", "read_many", "read_pasted"]

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
    ".mbox": "text",
    ".eml": "text",
    ".md": "markdown",
    ".markdown": "markdown",
    ".html": "html",
    ".htm": "html",
    ".docx": "docx",
    ".pdf": "pdf",
    ".zip": "zip",
}
"""Suffix -> kind of reader."""

BINARY = {"xlsx": read_workbook, "parquet": read_columnar, "docx": read_docx, "pdf": read_pdf, "zip": unpacked}
"""Kinds that are no text, with what opens them."""

STREAMED = {"csv", "tsv", "json", "parquet"}
"""Kinds of which large files need no memory: one row stands after the other in them."""

HEAD = 2**18  # bytes of a large file that show whether it is an exported chat
MOST_SECONDS = 120  # for all files that are read at once; one more may then take as long as its reader allows


@dataclass(frozen=True)
class How:
    """How the person wants a file to be read; empty or None finds out."""

    encoding: str = ""
    delimiter: str = ""
    sheet: str = ""
    header: bool | None = None


def read(
    path: Path, *, encoding: str = "", delimiter: str = "", sheet: str = "", header: bool | None = None, room: Room | None = None
) -> Reading:
    """The rows of a file. Raises StudioError that names the file, the row where there is one, and the remedy.

    Args:
        encoding: Read text in this encoding; empty finds it.
        delimiter: The sign between cells of a CSV; empty finds it.
        sheet: The sheet of a workbook, or the list of a JSON object; empty finds it.
        header: Whether the first row names the columns; None finds out.
        room: Where the rows of a large file go. Without it all are held in memory, and less can be read.
    """
    path = Path(path)
    return read_as(path, display_name(path.name, "The file"), How(encoding, delimiter, sheet, header), room)


def read_many(paths: Sequence[Path], **how: Any) -> Reading:
    """The rows of several files whose columns match, in the order of the files; `how` as for `read`.

    Files that cannot be read or do not match are named in `unused`. Raises StudioError when none can be used.
    """
    files = [(display_name(Path(path).name, "The file"), Path(path)) for path in paths]
    if len(files) > MAX_FILES:
        raise refusal(f"{len(files):,} files", f"{MAX_FILES:,} is the most.", "Add fewer files.")
    return read_each(files, [], f"{len(files):,} files", How(**how))


def read_each(files: Sequence[tuple[str, Path]], unused: list[tuple[str, str]], name: str, how: How) -> Reading:
    """The united rows of files that are shown under names of their own."""
    parts, unused, begun = [], list(unused), time.monotonic()
    size = sum(path.stat().st_size for _, path in files if path.is_file())
    if size > MAX_FILE:
        raise refusal(name, f"They have {gib(size)} together, and {gib(MAX_FILE)} is the most.", "Add fewer files.")
    for shown, path in files:
        if time.monotonic() - begun > MOST_SECONDS:
            unused.append((shown, "Reading took too long before its turn came. Add fewer files at once."))
            continue
        if path.suffix.lower() == ".zip":
            unused.append((shown, "It is an archive. Add it by itself, or add the files in it."))
            continue
        try:
            parts.append((shown, read_as(path, shown, how)))
        except StudioError as error:
            unused.append((shown, f"{error.why} {error.fix}"))
    return unite(parts, unused, name)


def read_as(path: Path, name: str, how: How, room: Room | None = None) -> Reading:
    """The rows of a file that is shown under `name`."""
    kind = SUFFIXES.get(path.suffix.lower())
    if kind is None:
        known = "CSV, Excel, JSON, Parquet, Word (.docx), PDF, Markdown, HTML, text or ZIP"
        raise refusal(name, "Files of this kind are not supported.", f"Save it as {known}.")
    try:
        size = path.stat().st_size
        if not path.is_file():
            raise refusal(name, "It is not a file.", "Add the file itself.")
        most = MAX_STREAMED if room and kind in STREAMED else MAX_FILE
        check_size(name, size, most)
        if size == 0:
            raise refusal(name, "It is empty.", "Add a file with at least one example.")
        if kind in BINARY:
            return read_columnar(path, name, room) if kind == "parquet" else read_binary(path, name, kind, how)
        if room and size > LARGE and kind in STREAMED and (found := read_streamed(path, name, kind, how, room)):
            return found
        check_size(name, size, MAX_FILE)
        data = path.read_bytes()
        if found := recognise_bytes(data, name):
            return found
    except OSError as error:
        raise refusal(name, str(error.strerror or "It cannot be opened."), "Add the file again.") from error
    text, found, notes = decode(data, name, how.encoding or (declared(data) if kind == "html" else ""))
    del data
    if not text.strip():
        raise refusal(name, "It is empty.", "Add a file with at least one example.")
    if kind in ("markdown", "html"):
        return with_notes(read_markup(path, text, name, kind, found), notes)
    return with_notes(read_text(text, name, kind, found, how), notes)


def check_size(name: str, size: int, most: int) -> None:
    """Raise StudioError when a file has too many bytes."""
    if size > most:
        raise refusal(name, f"It has {gib(size)}, and {gib(most)} is the most.", "Split it into smaller files.")


def read_streamed(path: Path, name: str, kind: str, how: How, room: Room) -> Reading | None:
    """The rows of a large text file; None where it has to be read as a whole."""
    with open(path, "rb") as handle:
        head = handle.read(HEAD)
    if is_chat_export(head):
        return None
    if kind == "json":
        return read_lines(path, name, room, how.encoding)
    delimiter = how.delimiter or ("\t" if kind == "tsv" and b"\t" in head[: 2**16] else "")
    return read_table(path, name, room, delimiter=delimiter, header=how.header, encoding=how.encoding)


def read_binary(path: Path, name: str, kind: str, how: How) -> Reading:
    """Rows of a file that is no text."""
    if kind == "xlsx":
        return read_workbook(path, name, sheet=how.sheet, header=how.header)
    if kind == "zip":
        with unpacked(path, name, (suffix for suffix, inner in SUFFIXES.items() if inner != "zip")) as (files, unused):
            return read_each(files, unused, name, how)
    return BINARY[kind](path, name)


def read_text(text: str, name: str, kind: str, encoding: str, how: How) -> Reading:
    """Rows of a text whose kind is known: csv, tsv, json or text. An exported chat is known by its content."""
    if found := recognise_text(text, name, encoding=encoding):
        return found
    if kind == "text":
        return read_prose(text, name, encoding=encoding)
    if kind == "json":
        return read_records(text, name, encoding=encoding, sheet=how.sheet)
    delimiter = how.delimiter or ("\t" if kind == "tsv" and "\t" in text[: 2**16] else "")
    return read_delimited(text, name, delimiter=delimiter, header=how.header, encoding=encoding)


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
