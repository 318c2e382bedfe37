"""Rows to examples: every row becomes an example or is left out with a reason. Nothing is invented and no order is changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from studio.data.detect import FORMATS, Mapping
from studio.data.markers import find_marker
from studio.data.readers.reading import Reading
from studio.errors import StudioError
from studio.records import Example, LeftOut

MAX_LENGTH = 1_000_000  # characters of one text: far beyond what any model here reads, and still quick to cut up

ROLES = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "human": "user",
    "prompter": "user",
    "assistant": "assistant",
    "gpt": "assistant",
    "chatgpt": "assistant",
    "model": "assistant",
    "bot": "assistant",
}
TOOLS = {"tool", "tools", "function", "function_call", "function_response", "tool_call", "observation", "ipython"}
USES_TOOLS = "It calls tools, which cannot be learned here yet."

Row = dict[str, Any]
Message = dict[str, str]


class Unfit(Exception):
    """The row cannot be used; the message says why."""


@dataclass(frozen=True)
class Converted:
    """Examples in the order of the file, and the rows that became none. Rows the reader left out are not repeated here."""

    examples: tuple[Example, ...]
    left_out: tuple[LeftOut, ...]


def convert(reading: Reading, mapping: Mapping) -> Converted:
    """Examples from rows. Raises StudioError when the mapping does not fit the reading; bad rows are left out, not raised."""
    check(reading, mapping)
    make = MAKERS[mapping.format]
    examples: list[Example] = []
    left_out: list[LeftOut] = []
    for index, (number, row) in enumerate(zip(reading.row_numbers, reading.rows, strict=True)):
        try:
            examples.append(make({role: row.get(column) for role, column in mapping.columns.items()}, number))
        except Unfit as error:
            reason = f"{reading.file_of(index)}: {error}" if reading.files else str(error)
            left_out.append(LeftOut(number, reason, excerpt(row, mapping)))
    return Converted(tuple(examples), tuple(left_out))


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


def from_pairs(row: Row, number: int) -> Example:
    """A question and its answer."""
    return exchange(row, number, filled(row, "question", "The question"), filled(row, "answer", "The answer"))


def from_instruction(row: Row, number: int) -> Example:
    """An instruction, below it the text to work on, and the answer."""
    asked = filled(row, "instruction", "The instruction")
    if given := text_of(row.get("input")):
        asked = f"{asked}\n\n{given}"
    return exchange(row, number, asked, filled(row, "output", "The answer"))


def from_prompt(row: Row, number: int) -> Example:
    """A beginning and how it goes on."""
    return exchange(row, number, filled(row, "prompt", "The beginning"), filled(row, "completion", "The rest"))


def from_labels(row: Row, number: int) -> Example:
    """A text and the category it belongs to; the category is the answer. Categories may be numbers."""
    label = filled(row, "label", "The category", numbers=True)
    asked = filled(row, "text", "The text")
    return Example(messages=({"role": "user", "content": asked}, turn("assistant", label)), label=label, source_row=number)


def from_text(row: Row, number: int) -> Example:
    """A passage of plain text."""
    return Example(text=filled(row, "text", "The text"), source_row=number)


def from_messages(row: Row, number: int) -> Example:
    """An OpenAI chat: turns with role and content."""
    return chat(row, "messages", "role", "content", number)


def from_sharegpt(row: Row, number: int) -> Example:
    """A ShareGPT chat: turns with from and value."""
    return chat(row, "conversations", "from", "value", number)


MAKERS: dict[str, Callable[[Row, int], Example]] = {
    "pairs": from_pairs,
    "instruction": from_instruction,
    "prompt": from_prompt,
    "labels": from_labels,
    "text": from_text,
    "messages": from_messages,
    "sharegpt": from_sharegpt,
}


def exchange(row: Row, number: int, asked: str, answered: str) -> Example:
    """One question with its answer, and what the model is told first where the row says so."""
    messages = [turn("user", asked), turn("assistant", answered)]
    if told := text_of(row.get("system")):
        messages.insert(0, turn("system", told))
    return Example(messages=tuple(messages), source_row=number)


def chat(row: Row, role: str, speaker: str, content: str, number: int) -> Example:
    """A conversation whose turns name who speaks under `speaker` and what is said under `content`."""
    turns = row.get(role)
    if not isinstance(turns, list) or not turns:
        raise Unfit("It holds no chat.")
    if (last := row.get("answer")) is not None:
        turns = [*turns, last if isinstance(last, dict) else {speaker: "assistant", content: last}]
    messages = [message_of(item, speaker, content) for item in turns]
    told = text_of(row.get("system"))
    if told:
        messages.insert(0, turn("system", told))
    systems = [index for index, message in enumerate(messages) if message["role"] == "system"]
    if len(systems) > 1:
        raise Unfit("It has two system turns, and only one can come first.")
    if systems and systems[0] != 0:
        raise Unfit("Its system turn does not come first.")
    while messages and messages[-1]["role"] != "assistant":
        messages.pop()  # nothing can be learned behind the last answer
    if not messages:
        raise Unfit("It has no turn of the assistant to learn from.")
    if not any(message["role"] == "user" for message in messages):
        raise Unfit("There is no question before the answer.")
    return Example(messages=tuple(messages), source_row=number)


def message_of(item: Any, speaker: str, content: str) -> Message:
    """One turn with its role in our words and its text. Raises Unfit."""
    if not isinstance(item, dict):
        raise Unfit("One of its turns is not an object with a role and a text.")
    name = item.get(speaker)
    role = name.strip().lower() if isinstance(name, str) else ""
    if role in TOOLS or item.get("tool_calls") or item.get("function_call"):
        raise Unfit(USES_TOOLS)
    if role not in ROLES:
        raise Unfit(f"It has a turn of an unknown role, “{str(name)[:40]}”.")
    said = joined(item.get(content))
    if not said:
        who = {"system": "The system turn", "user": "A question", "assistant": "An answer"}[ROLES[role]]
        raise Unfit(f"{who} is empty.")
    return turn(ROLES[role], said)


def joined(content: Any) -> str:
    """The text of a turn; a list of parts is joined when all of them are text. Raises Unfit."""
    if not isinstance(content, list):
        return text_of(content)
    pieces = []
    for part in content:
        kind = part.get("type", "text") if isinstance(part, dict) else "text" if isinstance(part, str) else "other"
        if kind != "text":
            raise Unfit("A turn holds a picture or another part that is not text.")
        pieces.append(text_of(part if isinstance(part, str) else part.get("text")))
    return "\n".join(piece for piece in pieces if piece)


def filled(row: Row, role: str, name: str, *, numbers: bool = False) -> str:
    """The text of a cell that must not be empty. Raises Unfit."""
    text = text_of(row.get(role), numbers=numbers)
    if not text:
        raise Unfit(f"{name} is empty.")
    return text


def text_of(value: Any, *, numbers: bool = False) -> str:
    """A cell as clean text; empty when there is none. Raises Unfit for what is not text or looks like a chat template."""
    if value is None:
        return ""
    if numbers and isinstance(value, (bool, int, float)):
        value = str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
    if not isinstance(value, str):
        kind = "a number" if isinstance(value, (bool, int, float)) else "a list or an object"
        raise Unfit(f"It holds {kind} where a text should be.")
    if len(value) > MAX_LENGTH:
        raise Unfit(f"A text is longer than {MAX_LENGTH:,} characters.")
    # half of a surrogate pair stands for nothing, and no tokenizer takes it
    text = value.encode("utf-8", "ignore").decode("utf-8").replace("\x00", "").replace("\r\n", "\n").strip("\ufeff\u200b").strip()
    if marker := find_marker(text):
        raise Unfit(f"It holds “{marker}”, a sign that chat templates put between turns. Take it out.")
    return text


def turn(role: str, content: str) -> Message:
    """One message."""
    return {"role": role, "content": content}


def excerpt(row: Row, mapping: Mapping) -> str:
    """The beginning of the row's chosen cells on one line."""
    cells = [row.get(column) for column in mapping.columns.values()]
    shown = " | ".join(cell[:200] if isinstance(cell, str) else repr(cell)[:200] for cell in cells if cell is not None)
    line = " ".join(shown.encode("utf-8", "ignore").decode("utf-8").replace("\x00", "").split())
    return line if len(line) <= 80 else f"{line[:79]}…"
