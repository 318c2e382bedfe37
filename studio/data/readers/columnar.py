"""Parquet tables. Their declared sizes are checked before a value is read; lists and structs come as plain values."""

from __future__ import annotations

from pathlib import Path

from studio.data.readers import guarded
from studio.data.readers.reading import Reading, column_names, refusal


def read_columnar(path: Path, name: str) -> Reading:
    """All rows of a Parquet file. Raises StudioError when it is damaged, empty or beyond the limits."""
    with open(path, "rb") as handle:
        if handle.read(4) != b"PAR1":
            raise refusal(name, "It is not a Parquet table, whatever its name says.", "Add the table itself.")
    lines = guarded.lines("parquet", path, name)
    notes: list[str] = []
    columns = column_names(next(lines)["columns"], notes)
    rows = [dict(zip(columns, cells, strict=True)) for line in lines for _, cells in line["rows"]]
    if not rows:
        raise refusal(name, "It holds no rows.", "Add a file with at least one example.")
    return Reading("parquet", columns, rows, list(range(1, len(rows) + 1)), notes=tuple(notes))
