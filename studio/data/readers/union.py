"""Several files as one reading: the rows of all whose columns match, and the others named with the reason."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from studio.data.names import is_known, words_of
from studio.data.readers.reading import MAX_VALUES, Reading, check_counts, refusal

NAMED = 5  # files named in one sentence; all of them are in `Reading.unused`

Part = tuple[str, Reading]


def unite(parts: list[Part], unused: list[tuple[str, str]], name: str) -> Reading:
    """One reading of several files. Raises StudioError when none can be used.

    Args:
        parts: Name and reading of each file that could be read.
        unused: Name and reason of each that could not.
        name: What they are called together.
    """
    unused = list(unused)
    if not parts:
        why = " ".join(f"{file}: {reason}" for file, reason in unused[:NAMED]) or "It holds no files."
        raise refusal(name, why, "Add files with examples or text." if unused else "Add an archive with files in it.")
    main = max(parts, key=lambda part: rank(part[1]))
    named = {words_of(column): column for column in main[1].columns}
    files: list[str] = []
    rows: list[dict[str, Any]] = []
    numbers: list[int] = []
    row_files = array("H")  # far more than the most files of an archive
    left_out, used = [], []
    told: dict[str, list[str]] = {}
    for file, reading in parts:
        if not matches(reading, main[1]):
            unused.append((file, f"Its columns ({listed(reading.columns)}) differ from those of {main[0]}."))
            continue
        used.append(reading)
        for column in reading.columns:
            named.setdefault(words_of(column), column)
        check_counts(name, len(rows) + len(reading.rows), len(named))
        if (len(rows) + len(reading.rows)) * len(named) > MAX_VALUES:
            raise refusal(name, f"They have more than {MAX_VALUES:,} cells.", "Add fewer files.")
        row_files.extend([len(files)] * len(reading.rows))
        files.append(file)
        rows += renamed(reading, named)
        numbers += reading.row_numbers
        left_out += [replace(item, reason=f"{file}: {item.reason}") for item in reading.left_out]
        for note in reading.notes:
            told.setdefault(note, []).append(file)
    notes = []
    if unused:
        shown = " ".join(f"{file}: {reason}" for file, reason in unused[:NAMED])
        notes.append(f"{len(unused):,} files were not used. {shown}{' …' if len(unused) > NAMED else ''}")
    notes += [f"{of[0]}{f' and {len(of) - 1:,} more' if len(of) > 1 else ''}: {note}" for note, of in told.items()]
    columns = tuple(named.values())
    if any(len(reading.columns) < len(columns) for reading in used):
        blank = dict.fromkeys(columns, "")
        rows = [row if len(row) == len(columns) else blank | row for row in rows]
    return Reading(
        kind_of(used),
        columns,
        rows,
        numbers,
        encoding=common(reading.encoding for reading in used if reading.encoding),
        delimiter=common(reading.delimiter for reading in used if reading.delimiter),
        header=all(reading.header for reading in used),
        left_out=tuple(left_out),
        notes=tuple(notes),
        files=tuple(files),
        row_files=row_files,
        unused=tuple(unused),
    )


def rank(reading: Reading) -> tuple[bool, int]:
    """Which file the others are compared with: examples before other tables and documents, then the one with most rows."""
    return sum(map(is_known, reading.columns)) >= 2 and not reading.is_document, len(reading.rows)


def matches(reading: Reading, main: Reading) -> bool:
    """Whether the rows of two files belong in one table: the same columns, some missing, or the same two known ones."""
    if reading.is_document or main.is_document:
        return reading.is_document and main.is_document
    own, others = set(map(words_of, reading.columns)), set(map(words_of, main.columns))
    return own <= others or others <= own or sum(map(is_known, own & others)) >= 2


def renamed(reading: Reading, named: dict[str, str]) -> list[dict[str, Any]]:
    """The rows with their columns called as in the other files."""
    columns = {column: named[words_of(column)] for column in reading.columns}
    if all(column == other for column, other in columns.items()):
        return list(reading.rows)
    return [{columns[column]: value for column, value in row.items()} for row in reading.rows]


def kind_of(used: list[Reading]) -> str:
    """The kind that all files have; that of plain text for different documents."""
    return common(reading.kind for reading in used) or ("text" if used[0].is_document else "several")


def common(values: Iterable[str]) -> str:
    """The value that all have; empty when they differ."""
    found = set(values)
    return found.pop() if len(found) == 1 else ""


def listed(columns: Iterable[str]) -> str:
    """Column names in a sentence."""
    return ", ".join(columns)[:100]
