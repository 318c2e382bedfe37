"""JSON and JSON lines, whatever the suffix says: lists, wrapped lists, columns, one object a line. Broken ones are listed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from studio.data.exports.recognise import recognise_json
from studio.data.readers.reading import MAX_ROWS, MAX_VALUES, Reading, check_counts, column_names, refusal
from studio.data.shapes import parts
from studio.data.shapes.unfold import unfold
from studio.records import LeftOut

LONGEST_INT = 300  # digits; Python refuses to convert more than 4,300, and no example needs them
TOO_DEEP = "It is nested too deeply."
NO_OBJECT = "Each example must be an object such as {“question”: …, “answer”: …}."
REPEATED = "{count} objects give the same name twice; the last value counts."


class Decoder:
    """Python's JSON decoder, made to survive strange numbers and to count repeated names."""

    def __init__(self) -> None:
        self.repeated = 0
        self._json = json.JSONDecoder(
            object_pairs_hook=self._object, parse_int=whole_number, parse_constant=lambda _: None, strict=False
        )

    def _object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        self.repeated += len(found) < len(pairs)
        return found

    def decode(self, text: str) -> Any:
        """The value of a whole text. Raises ValueError with a sentence about the place."""
        try:
            return self._json.decode(text)
        except RecursionError as error:
            raise ValueError(TOO_DEEP) from error
        except json.JSONDecodeError as error:
            raise ValueError(place_of(error)) from error

    def decode_at(self, text: str, start: int) -> tuple[Any, int]:
        """The value that begins at `start`, and where it ends. Raises ValueError with a sentence."""
        try:
            return self._json.raw_decode(text, start)
        except RecursionError as error:
            raise ValueError(TOO_DEEP) from error
        except json.JSONDecodeError as error:
            raise ValueError(place_of(error)) from error


def read_records(text: str, name: str, *, encoding: str = "", sheet: str = "") -> Reading:
    """Rows of a JSON or JSON lines text. Raises StudioError when no row can be found in it.

    Args:
        sheet: Which of several lists in one object to read; empty finds it.
    """
    if sum(map(text.count, ",[{\n")) > MAX_VALUES:
        raise refusal(name, f"It has more than {MAX_VALUES:,} values.", "Split it into smaller files and use one of them.")
    decoder = Decoder()
    notes: list[str] = []
    left_out: list[LeftOut] = []
    kind = "json"
    lists = Lists(sheet)
    try:
        whole = decoder.decode(text)
        if found := recognise_json(whole, name, encoding=encoding):
            return found
        items, numbers = items_of(whole, name, notes, lists)
    except ValueError as error:
        found = lines_of(decoder, text, left_out) if looks_like_lines(text) else None
        if found:
            kind, (items, numbers) = "jsonl", found
        else:
            left_out.clear()
            items, numbers = salvaged(decoder, text, left_out)
        if not items:
            fix = "Save the examples again as JSON, or use a table."
            raise refusal(name, str(error), fix) from error
    items, numbers = as_objects(*unfold(items, numbers, left_out, notes), left_out)
    if not items:
        why = f"Row {left_out[0].row}: {left_out[0].reason}" if left_out else "It holds no rows."
        raise refusal(name, why, NO_OBJECT)
    if decoder.repeated:
        notes.append(REPEATED.format(count=decoder.repeated))
    columns = dict.fromkeys(key for item in items for key in item)
    check_counts(name, len(items), len(columns))
    names = dict(zip(columns, column_names(list(columns), notes), strict=True))
    return Reading(
        kind,
        tuple(names.values()),
        [{names[key]: value for key, value in item.items()} for item in items],
        numbers,
        encoding=encoding,
        sheet=lists.chosen,
        sheets=lists.names,
        left_out=tuple(sorted(left_out, key=lambda item: item.row)),
        notes=tuple(notes),
    )


@dataclass
class Lists:
    """Which of several lists of one object was read: like the sheets of a workbook."""

    chosen: str = ""
    names: tuple[str, ...] = ()


def items_of(whole: Any, name: str, notes: list[str], lists: Lists) -> tuple[list[Any], list[int]]:
    """The rows inside a JSON value: a list, a wrapped list, or columns. Raises StudioError for anything else."""
    if isinstance(whole, dict):
        whole = unwrapped(whole, name, notes, lists)
    if not isinstance(whole, list):
        raise refusal(name, "It holds a single value, not a list of examples.", "Put the examples into a list: [ … ].")
    check_counts(name, len(whole), 0)
    return whole, list(range(1, len(whole) + 1))


def unwrapped(whole: dict[str, Any], name: str, notes: list[str], lists_read: Lists) -> list[Any]:
    """The list of rows in an object: columns, one of its lists, or the object as the only row. Raises StudioError."""
    values = list(whole.values())
    if values and all(isinstance(value, dict) for value in values):  # columns by row number, as pandas writes them
        keys = list(values[0])
        if all(key.isdigit() for key in keys) and all(list(value) == keys for value in values):
            return [{column: cells[key] for column, cells in whole.items()} for key in keys]
    lists = {key: value for key, value in whole.items() if isinstance(value, list) and value}
    if len(lists) == len(whole) > 1 and len(set(map(len, lists.values()))) == 1 and plain_values(lists):
        return [dict(zip(lists, cells, strict=True)) for cells in zip(*lists.values(), strict=True)]
    if any(key in whole for key in ("messages", "conversations", "instruction")):
        return [whole]
    inside = {key: value for key, value in lists.items() if isinstance(value[0], (dict, list))}
    if not inside:
        return next(iter(lists.values())) if len(lists) == len(whole) == 1 else [whole]
    if len(inside) == 1:
        return next(iter(inside.values()))
    names = parts.choices_of(inside)
    chosen = lists_read.chosen or parts.usual_choice(inside)
    if chosen not in names:
        raise refusal(name, f"It holds no list “{chosen[:60]}”.", f"Pick one of these: {', '.join(names)[:200]}.")
    lists_read.chosen, lists_read.names = chosen, names
    others = ", ".join(key for key in inside if key != chosen)[:200]
    if chosen == parts.TOGETHER:
        notes.append(f"The file holds several lists, which were read one after another: {others}.")
    else:
        notes.append(f"The list “{chosen[:60]}” was read. The file holds others, too: {others}.")
    return parts.rows_of(inside, chosen)


def plain_values(lists: dict[str, list[Any]]) -> bool:
    """Whether every list holds values rather than rows or conversations."""
    return all(not isinstance(value, (dict, list)) for values in lists.values() for value in values)


def looks_like_lines(text: str) -> bool:
    """Whether a text may hold one JSON value a line, rather than one value over many lines."""
    filled = [line.strip() for line in text.split("\n", 50)[:50] if line.strip()]
    whole = sum(line[0] in "{[" and line[-1] in "]}" and len(line) > 1 for line in filled)
    return whole >= max(1, len(filled) // 3)


def lines_of(decoder: Decoder, text: str, left_out: list[LeftOut]) -> tuple[list[Any], list[int]]:
    """One value a line with its line number; broken lines go to `left_out`."""
    items, numbers = [], []
    for number, line in enumerate(text.split("\n"), start=1):
        line = line.strip()
        if not line:
            continue
        try:
            items.append(decoder.decode(line))
            numbers.append(number)
        except ValueError as error:
            left_out.append(LeftOut(number, f"The line is not whole JSON. {error}", shorten(line)))
        if len(items) > MAX_ROWS:
            break
    return items, numbers


def salvaged(decoder: Decoder, text: str, left_out: list[LeftOut]) -> tuple[list[Any], list[int]]:
    """The objects of a list before the place where it is cut or damaged; that place goes to `left_out`."""
    items: list[Any] = []
    position = text.find("[") + 1 if text.lstrip().startswith("[") else -1
    while position >= 0:
        while position < len(text) and text[position] in " \t\r\n,":
            position += 1
        if position >= len(text) or text[position] != "{":
            reason = "The list ends here without its closing bracket, or is damaged. What follows was not read."
            left_out.append(LeftOut(len(items) + 1, reason, shorten(text[position : position + 200])))
            break
        try:
            item, end = decoder.decode_at(text, position)
        except ValueError as error:
            reason = f"The list is cut or damaged here. What follows was not read. {error}"
            left_out.append(LeftOut(len(items) + 1, reason, shorten(text[position : position + 200])))
            break
        items.append(item)
        position = end
    return items, list(range(1, len(items) + 1))


def as_objects(items: list[Any], numbers: list[int], left_out: list[LeftOut]) -> tuple[list[dict[str, Any]], list[int]]:
    """Rows as objects: texts get the column "text", lists of turns "messages", lists of values numbered columns."""
    kept: list[dict[str, Any]] = []
    kept_numbers: list[int] = []
    for number, item in zip(numbers, items, strict=True):
        if isinstance(item, str):
            item = {"text": item}
        elif isinstance(item, list) and item and all(isinstance(part, dict) for part in item):
            item = {"conversations" if "from" in item[0] else "messages": item}
        elif isinstance(item, list) and len(item) > 1 and not any(isinstance(part, (dict, list)) for part in item):
            item = {f"column {index}": part for index, part in enumerate(item, start=1)}
        if isinstance(item, dict) and item:
            kept.append(item)
            kept_numbers.append(number)
        else:
            left_out.append(LeftOut(number, "It is not an object with named parts.", shorten(repr(item)[:200])))
    return kept, kept_numbers


def whole_number(digits: str) -> int | str:
    """An integer; one too long to be a number stays text."""
    return int(digits) if len(digits) <= LONGEST_INT else digits


def place_of(error: json.JSONDecodeError) -> str:
    """Where a text stops being JSON, in words."""
    if error.pos >= len(error.doc.rstrip()) or error.msg.startswith("Unterminated"):
        return "It ends too early, as if it had been cut."
    if "\n" not in error.doc:
        return f"It is not JSON from sign {error.colno} on."
    return f"It is not JSON from line {error.lineno}, sign {error.colno} on."


def shorten(text: str) -> str:
    """The beginning of a text on one line."""
    line = " ".join(text[:400].split())
    return line if len(line) <= 80 else f"{line[:79]}…"
