"""Rows that a person wrote, or a remedy made, under the same rules as rows of a file."""

from __future__ import annotations

from collections.abc import Mapping as Map
from dataclasses import replace
from typing import Any

from studio.data.convert import convert
from studio.data.detect import Mapping
from studio.data.readers.reading import Reading
from studio.errors import StudioError
from studio.records import Example

FIX = "Change it and try again."


def checked(rows: Map[int, Example], kind: str) -> dict[int, Example]:
    """The rows with clean texts, by their ids; each keeps where it came from. Raises StudioError that names the first bad one.

    Args:
        kind: The format of the data set (a key of FORMATS). Plain text stays text, a text to sort has one category, all else
            are chats that end with an answer.
    """
    cells = {row: cells_of(example, kind) for row, example in rows.items()}
    if not cells:
        return {}
    columns = tuple(next(iter(cells.values())))
    form = kind if kind in ("text", "labels") else "messages"
    reading = Reading("written", columns, list(cells.values()), list(cells))
    converted = convert(reading, Mapping(form, {name: name for name in columns}))
    if converted.left_out:
        first = converted.left_out[0]
        raise refused(rows[first.row], first.reason)
    found = {}
    for example in converted.examples:
        before = rows[example.source_row]
        if len(example.messages) != len(before.messages):
            raise refused(before, "Its last turn is not an answer.")
        found[example.source_row] = replace(example, source_row=before.source_row, source_file=before.source_file)
    return found


def cells_of(example: Example, kind: str) -> dict[str, Any]:
    """A row as the cells of a file in which every row is written in the same way. Raises StudioError."""
    if not isinstance(example, Example):
        raise StudioError("This row was not changed.", "It is no example.", FIX)
    if kind == "text":
        if example.messages:
            raise refused(example, "The other rows are plain text, and it is a chat.")
        return {"text": example.text}
    if example.text:
        raise refused(example, "The other rows are chats, and it is plain text.")
    if kind != "labels":
        return {"messages": list(example.messages)}
    roles = [item.get("role") for item in example.messages if isinstance(item, dict)]
    if roles != ["user", "assistant"]:
        raise refused(example, "A row to sort has one text and its category.")
    asked, answer = example.messages
    return {"text": asked.get("content"), "label": answer.get("content")}


def refused(example: Example, why: str) -> StudioError:
    """The error for a row that cannot be used."""
    place = f"Row {example.source_row:,}" if example.source_row else "The row"
    file = f" of {example.source_file}" if example.source_file else ""
    return StudioError(f"{place}{file} was not changed.", why, FIX)
