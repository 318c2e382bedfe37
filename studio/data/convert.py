"""Rows to examples: every row becomes an example or is left out with a reason. Nothing is invented and no order is changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from studio.data.cells import MAX_LENGTH, Row, Unfit, filled, plain_text, text_of, turn
from studio.data.chats import checked, from_messages, from_sharegpt
from studio.data.dialogues import from_dialogue
from studio.data.formats import FORMATS, Mapping
from studio.data.readers.reading import Reading
from studio.data.spill import BATCH, Room, Spill, Spilled
from studio.data.templates import TEMPLATES, take_apart, template_of
from studio.errors import StudioError
from studio.records import Example, LeftOut
from studio.workspace import write_json

__all__ = ["MAKERS", "MAX_LENGTH", "TEMPLATED", "Converted", "convert"]

TEMPLATED = {"text": ("text",), "pairs": ("question", "answer"), "prompt": ("prompt", "completion")}
"""Format -> the roles whose texts, one behind the other, may be a chat that is already written in a template."""

EXAMPLES, LEFT_OUT, WHOLE = "examples.jsonl", "left_out.jsonl", "whole.json"  # the last is written last
NO = {"false", "0", "0.0", "no"}


@dataclass(frozen=True)
class Converted:
    """Examples in the order of the file, and the rows that became none. Rows the reader left out are not repeated here."""

    examples: Sequence[Example]
    left_out: Sequence[LeftOut]


def convert(reading: Reading, mapping: Mapping, room: Room | None = None) -> Converted:
    """Examples from rows. Raises StudioError when the mapping does not fit the reading; bad rows are left out, not raised.

    Args:
        room: Where the examples of rows that lie on the disk go. Without it all are held in memory.
    """
    check(reading, mapping)
    if room and isinstance(reading.rows, Spilled):
        return kept(room.folder) or convert_to_disk(reading, mapping, room)
    examples: list[Example] = []
    left_out: list[LeftOut] = []
    for item in each(reading, mapping):
        (examples if isinstance(item, Example) else left_out).append(item)
    return Converted(tuple(examples), tuple(left_out))


def each(reading: Reading, mapping: Mapping) -> Iterator[Example | LeftOut]:
    """What becomes of each row."""
    make = MAKERS[mapping.format]
    for index, (number, row) in enumerate(zip(reading.row_numbers, reading.rows, strict=True)):
        try:
            cells = {role: row.get(column) for role, column in mapping.columns.items()}
            yield from_template(cells, number, mapping) or make(cells, number, mapping)
        except Unfit as error:
            reason = f"{reading.file_of(index)}: {error}" if reading.files else str(error)
            yield LeftOut(number, reason, excerpt(row, mapping))


def convert_to_disk(reading: Reading, mapping: Mapping, room: Room) -> Converted:
    """`convert`, some thousand rows in memory at a time. Raises Stopped."""
    found = each(reading, mapping)
    done = 0
    with closing(Spill(room.folder / EXAMPLES)) as examples, closing(Spill(room.folder / LEFT_OUT)) as left_out:
        while some := list(islice(found, BATCH)):
            room.telling.tell("convert", done, len(reading.rows), done)
            done += len(some)
            examples.extend(packed(item) for item in some if isinstance(item, Example))
            left_out.extend([item.row, item.reason, item.excerpt] for item in some if isinstance(item, LeftOut))
    write_json(room.folder / WHOLE, {"rows": done})
    made = kept(room.folder)
    assert made is not None
    return made


def kept(folder: Path) -> Converted | None:
    """What an earlier call with the same folder has made; None where it did not come to its end."""
    if not (folder / WHOLE).is_file():
        return None
    try:
        return Converted(Spilled(folder / EXAMPLES, unpacked), Spilled(folder / LEFT_OUT, lambda cells: LeftOut(*cells)))
    except OSError:
        return None


def packed(example: Example) -> list[Any]:
    """An example as a short JSON value."""
    return [example.source_row, example.messages, example.text, example.label]


def unpacked(cells: list[Any]) -> Example:
    """The example of `packed`."""
    return Example(tuple(cells[1]), cells[2], cells[3], cells[0])


def check(reading: Reading, mapping: Mapping) -> None:
    """Raise StudioError unless every role has a column of its own that exists."""
    fix = "Choose the columns again."
    if mapping.format not in FORMATS:
        raise StudioError("The rows could not be used.", f"“{str(mapping.format)[:40]}” is no format this app knows.", fix)
    kind = FORMATS[mapping.format]
    for role in kind.roles:
        column = mapping.columns.get(role.key)
        if column is None and role.required:
            raise StudioError("The rows could not be used.", f"No column is chosen for “{role.label}”.", fix)
        if column is not None and column not in reading.columns:
            raise StudioError("The rows could not be used.", f"There is no column “{str(column)[:60]}”.", fix)
    chosen = [mapping.columns[role] for role in kind.required]
    if len(set(chosen)) < len(chosen):
        raise StudioError("The rows could not be used.", f"“{chosen[0]}” is chosen for two parts.", fix)
    if unknown := set(mapping.columns) - {role.key for role in kind.roles}:
        raise StudioError("The rows could not be used.", f"“{kind.label}” has no part “{min(unknown)[:40]}”.", fix)


def from_pairs(row: Row, number: int, mapping: Mapping) -> Example:
    """A question and its answer."""
    return exchange(row, number, filled(row, "question", "The question"), filled(row, "answer", "The answer"))


def from_instruction(row: Row, number: int, mapping: Mapping) -> Example:
    """An instruction, below it the text to work on, and the answer."""
    asked = filled(row, "instruction", "The instruction")
    if given := text_of(row.get("input")):
        asked = f"{asked}\n\n{given}"
    return exchange(row, number, asked, filled(row, "output", "The answer"))


def from_prompt(row: Row, number: int, mapping: Mapping) -> Example:
    """A beginning and how it goes on."""
    return exchange(row, number, filled(row, "prompt", "The beginning"), filled(row, "completion", "The rest"))


def from_labels(row: Row, number: int, mapping: Mapping) -> Example:
    """A text and the category it belongs to; the category is the answer. Categories may be numbers."""
    label = filled(row, "label", "The category", numbers=True)
    asked = filled(row, "text", "The text")
    if second := text_of(row.get("second")):
        asked = f"{asked}\n\n{second}"
    return Example(messages=({"role": "user", "content": asked}, turn("assistant", label)), label=label, source_row=number)


def from_text(row: Row, number: int, mapping: Mapping) -> Example:
    """A passage of plain text."""
    return Example(text=filled(row, "text", "The text"), source_row=number)


def from_template(row: Row, number: int, mapping: Mapping) -> Example | None:
    """A row that is already written in a chat template, taken apart; None when it is not.

    Raises Unfit without consent, and for a row that is marked as not wanted.
    """
    roles = TEMPLATED.get(mapping.format, ())
    if "wanted" in row and str(row["wanted"]).strip().lower() in NO:
        raise Unfit("It is marked as an answer that was not wanted.")
    whole = "\n".join(value for value in map(row.get, roles) if isinstance(value, str))
    key = template_of(whole)
    if not key:
        return None
    label = TEMPLATES[key].label
    if not mapping.choices.strip_template:
        raise Unfit(f"It is already written in the chat template “{label}”. Allow to take it apart, and its turns are used.")
    messages = [turn(item["role"], filled(item, "content", "One of its turns")) for item in take_apart(plain_text(whole), key)]
    return Example(messages=checked(messages), source_row=number)


MAKERS: dict[str, Callable[[Row, int, Mapping], Example]] = {
    "pairs": from_pairs,
    "instruction": from_instruction,
    "prompt": from_prompt,
    "labels": from_labels,
    "text": from_text,
    "messages": from_messages,
    "sharegpt": from_sharegpt,
    "dialogue": from_dialogue,
}


def exchange(row: Row, number: int, asked: str, answered: str) -> Example:
    """One question with its answer, and what the model is told first where the row says so."""
    messages = [turn("user", asked), turn("assistant", answered)]
    if told := text_of(row.get("system")):
        messages.insert(0, turn("system", told))
    return Example(messages=tuple(messages), source_row=number)


def excerpt(row: Row, mapping: Mapping) -> str:
    """The beginning of the row's chosen cells on one line."""
    cells = [row.get(column) for column in mapping.columns.values()]
    shown = " | ".join(cell[:200] if isinstance(cell, str) else repr(cell)[:200] for cell in cells if cell is not None)
    line = " ".join(shown.encode("utf-8", "ignore").decode("utf-8").replace("\x00", "").split())
    return line if len(line) <= 80 else f"{line[:79]}…"
