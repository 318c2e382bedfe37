"""The edits of one draft on disk, and what they do to its rows.

edits.jsonl is append-only: edits, {"step": "undo"} and {"step": "redo"}. The "base" of a line names the rows it belongs to,
since another format or other columns make other rows, and ids of the one mean nothing in the other. Edits of other rows are
kept, so that they count again when the columns are chosen as before.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from collections.abc import Mapping as Map
from dataclasses import replace
from pathlib import Path
from typing import Any

from studio.data.edits import Edit, Log, next_id
from studio.data.readers.reading import MAX_ROWS
from studio.data.written import checked
from studio.drafts.records import Opened
from studio.errors import StudioError
from studio.records import Example
from studio.workspace import append_json, json_lines

NOT_COUNTED = (
    "Earlier changes that do not count now: {count:,}. They were made while the file was read in another way, or with other "
    "columns. Choose as before to have them back."
)
STEPS = {"undo": Log.undo, "redo": Log.redo}


class EditFile:
    """edits.jsonl of one draft. Parsed once, and again when another process has written to it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._logs: dict[str, Log] = {}
        self._stamp: tuple[int, int] | None = None

    def log(self, key: str) -> Log:
        """The edits of the rows known by `key`."""
        return self._read().get(key, Log())

    def notes(self, key: str) -> tuple[str, ...]:
        """What to say of edits that belong to other rows and do not count."""
        count = sum(log.cursor for other, log in self._read().items() if other != key)
        return (NOT_COUNTED.format(count=count),) if count else ()

    def add(self, key: str, edit: Edit) -> None:
        """Append an edit of the rows known by `key`; it is on the disk when this returns."""
        self._append(key, edit.to_json(), self.log(key).add(edit))

    def step(self, key: str, way: str) -> None:
        """Undo or redo one edit. Raises StudioError when there is none."""
        self._append(key, {"step": way}, STEPS[way](self.log(key)))

    def _append(self, key: str, line: dict[str, Any], after: Log) -> None:
        append_json(self.path, {"base": key, **line}, durable=True)
        self._logs[key], self._stamp = after, self._now()

    def _read(self) -> dict[str, Log]:
        """Key of rows -> their edits."""
        if self._stamp != (stamp := self._now()):
            self._logs, self._stamp = parsed(json_lines(self.path)), stamp
        return self._logs

    def _now(self) -> tuple[int, int] | None:
        try:
            about = self.path.stat()
        except FileNotFoundError:
            return None
        return about.st_size, about.st_mtime_ns


def parsed(lines: Iterable[dict[str, Any]]) -> dict[str, Log]:
    """Key of rows -> their edits, from the lines of edits.jsonl. A line that makes no sense is passed over."""
    logs: dict[str, Log] = {}
    for line in lines:
        with contextlib.suppress(ValueError, TypeError, StudioError):
            key, step = str(line.get("base")), STEPS.get(line.get("step", ""))
            log = logs.get(key, Log())
            logs[key] = step(log) if step else log.add(Edit.from_json(line))
    return logs


def saved_edits(folder: Path) -> list[Edit]:
    """What was changed in the rows of a saved set, and decided about them, since its file was read."""
    return [edit for log in parsed(json_lines(folder / "edits.jsonl")).values() for edit in log.done]


def lines_of(key: str, log: Log) -> list[dict[str, Any]]:
    """The edits that count, as the lines of a data set's edits.jsonl."""
    return [{"base": key, **edit.to_json()} for edit in log.done]


def fitting(opened: Opened, changes: Map[int, Example | None]) -> dict[int, Example | None]:
    """The changes that change anything, with clean texts; every row keeps where it came from.

    Raises NotFound for a row that is not there, and StudioError for one that could not be learned from.
    """
    before = {row: opened.rows.row(row) for row in changes}
    written = {row: of_same_origin(example, before[row]) for row, example in changes.items() if example is not None}
    clean = checked(written, opened.mapping.format)
    return {row: clean.get(row) for row in changes if clean.get(row) != before[row]}


def added(opened: Opened, example: Example) -> dict[int, Example | None]:
    """The change that adds a row. Raises StudioError when it could not be learned from, or there are too many."""
    if len(opened.rows) >= MAX_ROWS:
        raise StudioError("No row was added.", f"There are {MAX_ROWS:,} rows, the most there can be.", "Take some out.")
    row = next_id(len(opened.converted.examples), opened.log.done)
    return {**checked({row: of_same_origin(example, Example())}, opened.mapping.format)}


def of_same_origin(example: Example, other: Example) -> Example:
    """The example as if it stood where the other stands. What is no example is left for `checked` to refuse."""
    if not isinstance(example, Example):
        return example
    return replace(example, source_row=other.source_row, source_file=other.source_file)
