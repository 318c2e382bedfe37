"""Large files of one row after the other: read in pieces, their rows written to the disk, so that the memory does not fill.

A file that is no such thing, or that only reading as a whole can make sense of, gives None and is read as smaller ones are.
The results are those of `read_records` and `read_delimited`, which do the same for text in memory.

    rows.jsonl  numbers.bin (int64, the number of each row)  left_out.jsonl  about.json (the rest; written last)
"""

from __future__ import annotations

import json
from array import array
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from studio.data.formulas import unguarded
from studio.data.readers.reading import Reading, check_counts
from studio.data.spill import Room, Spill, Spilled
from studio.records import LeftOut
from studio.workspace import write_json

LONGEST_LINE = 2**24  # characters; one of a row's texts may have a million


class Rows:
    """Takes rows and those left out, in batches, with the columns that come up. Closed without `reading`, it keeps nothing."""

    def __init__(self, room: Room, name: str) -> None:
        self.room, self.name = room, name
        self.rows, self.left_out = Spill(room.folder / "rows.jsonl"), Spill(room.folder / "left_out.jsonl")
        self.numbers = array("q")
        self.columns: dict[str, None] = {}
        self.first_left_out: LeftOut | None = None

    def add(self, rows: Sequence[dict[str, Any]], numbers: Sequence[int], left_out: list[LeftOut]) -> None:
        """Add a batch. Raises StudioError when there are too many rows, those left out among them, or columns."""
        for row in rows:
            if not row.keys() <= self.columns.keys():
                self.columns.update(dict.fromkeys(row))
        check_counts(self.name, len(self.rows) + len(rows) + len(self.left_out) + len(left_out), len(self.columns))
        self.rows.extend(rows)
        self.numbers.extend(numbers)
        left_out.sort(key=lambda item: item.row)
        if left_out and not self.first_left_out:
            self.first_left_out = left_out[0]
        self.left_out.extend([item.row, item.reason, item.excerpt] for item in left_out)

    def reading(self, kind: str, columns: tuple[str, ...], **about: Any) -> Reading:
        """All of it, kept whole on the disk. `renamed` and `guarded` of `about` are those of `loader`."""
        self.close()
        folder = self.room.folder
        with open(folder / "numbers.bin", "wb") as handle:
            self.numbers.tofile(handle)
        write_json(folder / "about.json", {"kind": kind, "columns": columns, **about})
        found = reopened(folder)
        assert found is not None
        return found

    def close(self) -> None:
        """Let go of the files."""
        self.rows.close()
        self.left_out.close()


@contextmanager
def collecting(room: Room, name: str) -> Iterator[Rows]:
    """`Rows` whose files are closed at the end."""
    rows = Rows(room, name)
    try:
        yield rows
    finally:
        rows.close()


def reopened(folder: Path) -> Reading | None:
    """What was read into a folder at an earlier time; None where that did not come to its end."""
    try:
        about = json.loads((folder / "about.json").read_text(encoding="utf-8"))
        numbers = array("q", (folder / "numbers.bin").read_bytes())
        rows = Spilled(folder / "rows.jsonl", loader(about.pop("renamed", {}), about.pop("guarded", False)))
        left_out = Spilled(folder / "left_out.jsonl", lambda cells: LeftOut(*cells))
    except (OSError, ValueError):
        return None
    if len(rows) != len(numbers):
        return None
    about |= {"columns": tuple(about["columns"]), "notes": tuple(about.get("notes", ()))}
    return Reading(rows=rows, row_numbers=numbers, left_out=left_out, **about)


def loader(renamed: dict[str, str], guarded: bool) -> Callable[[Any], dict[str, Any]]:
    """What makes a row of its line: columns get their names, and cells lose the apostrophes that guard them."""
    if guarded:
        return lambda row: {name: unguarded(cell) for name, cell in row.items()}
    if renamed:
        return lambda row: {renamed.get(name, name): value for name, value in row.items()}
    return lambda row: row
