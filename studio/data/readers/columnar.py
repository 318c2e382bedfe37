"""Parquet tables. Their declared sizes are checked before a value is read; lists and structs come as plain values."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from studio.data.readers import guarded
from studio.data.readers.reading import Reading, column_names, refusal
from studio.data.readers.streamed import collecting
from studio.data.spill import Room

MOST_IN_MEMORY = 200_000  # cells; they take some 80 MB where each holds 100 letters


def read_columnar(path: Path, name: str, room: Room | None = None) -> Reading:
    """All rows of a Parquet file. Raises StudioError when it is damaged, empty or beyond the limits.

    Args:
        room: Where the rows of a large file go; None keeps them in memory.
    """
    with open(path, "rb") as handle:
        if handle.read(4) != b"PAR1":
            raise refusal(name, "It is not a Parquet table, whatever its name says.", "Add the table itself.")
    lines = guarded.lines("parquet", path, name)
    notes: list[str] = []
    about = next(lines)
    columns = column_names(about["columns"], notes)
    if room and about["rows"] * len(columns) > MOST_IN_MEMORY:
        return streamed(lines, name, room, columns, about["rows"], notes)
    rows = [dict(zip(columns, cells, strict=True)) for line in lines for _, cells in line["rows"]]
    if not rows:
        raise refusal(name, "It holds no rows.", "Add a file with at least one example.")
    return Reading("parquet", columns, rows, list(range(1, len(rows) + 1)), notes=tuple(notes))


def streamed(
    lines: Iterator[dict[str, Any]], name: str, room: Room, columns: tuple[str, ...], count: int, notes: list[str]
) -> Reading:
    """The rows on the disk, as they come from the worker."""
    with collecting(room, name) as rows:
        for line in lines:
            room.telling.tell("read", len(rows.rows), count, len(rows.rows))
            some = [dict(zip(columns, cells, strict=True)) for _, cells in line["rows"]]
            rows.add(some, [number for number, _ in line["rows"]], [])
        return rows.reading("parquet", columns, notes=notes)
