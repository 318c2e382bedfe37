"""Large JSON lines, one after the other. See `streamed` for what becomes of the rows."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from studio.data.readers.encoding import survey
from studio.data.readers.reading import MAX_ROWS, Reading, column_names, refusal
from studio.data.readers.records import NO_OBJECT, REPEATED, Decoder, as_objects, looks_like_lines, shorten
from studio.data.readers.streamed import LONGEST_LINE, Rows, collecting
from studio.data.shapes.unfold import Unfolding
from studio.data.spill import BATCH, Room
from studio.records import LeftOut

HEAD = 2**18  # characters that are looked at before anything is decided
MOST_LINES = 5 * MAX_ROWS  # the empty ones included; so many are gone through in seconds
BATCH_SIZE = 2**22  # characters, after which a batch is full


def read_lines(path: Path, name: str, room: Room, encoding: str = "") -> Reading | None:
    """The rows of a file with one JSON value a line; None when it is none.

    Args:
        encoding: What the person chose; empty finds it.

    Raises:
        StudioError: what `read_records` raises.
        Stopped: somebody wanted it to end.
    """
    found, notes = survey(path, name, encoding)
    with open(path, encoding=found, errors="replace", newline="\n") as handle:
        if not surely_lines(handle.read(HEAD)):
            return None
        handle.seek(0)
        with collecting(room, name) as rows:
            return stream(handle, rows, notes, os.path.getsize(path), encoding=found)


def surely_lines(head: str) -> bool:
    """Whether the beginning of a text shows that it is no single JSON value but one a line."""
    if not looks_like_lines(head.rpartition("\n")[0]):
        return False
    try:
        json.JSONDecoder(strict=False).decode(head)
    except RecursionError:
        return False
    except json.JSONDecodeError as error:  # what is cut off at the end of the head may look like a fault there
        return error.msg == "Extra data" or (error.pos < len(head) // 2 and not error.msg.startswith("Unterminated"))
    return False


def stream(handle: TextIO, rows: Rows, notes: list[str], size: int, *, encoding: str) -> Reading:
    """All rows, some thousand in memory at a time."""
    decoder, unfolding = Decoder(), None
    told: list[str] = []
    for items, numbers, left_out in batches(handle, decoder, rows.name):
        rows.room.telling.tell("read", handle.buffer.tell(), size, len(rows.rows))
        if unfolding is None and items:
            unfolding = Unfolding(items, told)
        flat = unfolding.rows(items, numbers, left_out) if unfolding else ([], [])
        rows.add(*as_objects(*flat, left_out), left_out)
    if not len(rows.rows):
        first = rows.first_left_out
        why = f"Row {first.row}: {first.reason}" if first else "It holds no rows."
        raise refusal(rows.name, why, NO_OBJECT)
    if decoder.repeated:
        told.append(REPEATED.format(count=decoder.repeated))
    named = dict(zip(rows.columns, column_names(list(rows.columns), told), strict=True))
    renamed = {key: value for key, value in named.items() if key != value}
    return rows.reading("jsonl", tuple(named.values()), encoding=encoding, notes=[*notes, *told], renamed=renamed)


def batches(handle: TextIO, decoder: Decoder, name: str) -> Iterator[tuple[list[Any], list[int], list[LeftOut]]]:
    """Values with the numbers of their lines, and what was left out meanwhile. Raises StudioError for far too many lines."""
    items: list[Any] = []
    numbers: list[int] = []
    left_out: list[LeftOut] = []
    letters = number = 0
    while line := handle.readline(LONGEST_LINE):
        number += 1
        letters += len(line)
        if number > MOST_LINES:
            raise refusal(name, f"It has more than {MOST_LINES:,} lines.", "Take the empty lines out, or split it.")
        if len(line) == LONGEST_LINE and line[-1] != "\n":
            left_out.append(LeftOut(number, f"The line is longer than {LONGEST_LINE:,} signs.", shorten(line[:400])))
            while (line := handle.readline(LONGEST_LINE)) and line[-1] != "\n":
                pass
        elif line := line.strip():
            try:
                items.append(decoder.decode(line))
                numbers.append(number)
            except ValueError as error:
                left_out.append(LeftOut(number, f"The line is not whole JSON. {error}", shorten(line)))
        if len(items) + len(left_out) >= BATCH or letters > BATCH_SIZE:
            yield items, numbers, left_out
            items, numbers, left_out, letters = [], [], [], 0
    yield items, numbers, left_out
