"""Cells as clean text, and the reason when one cannot be used."""

from __future__ import annotations

from typing import Any

from studio.data.markers import find_marker

MAX_LENGTH = 1_000_000  # characters of one text: far beyond what any model here reads, and still quick to cut up

Row = dict[str, Any]
Message = dict[str, str]


class Unfit(Exception):
    """The row cannot be used; the message says why."""


def filled(row: Row, role: str, name: str, *, numbers: bool = False) -> str:
    """The text of a cell that must not be empty. Raises Unfit."""
    text = text_of(row.get(role), numbers=numbers)
    if not text:
        raise Unfit(f"{name} is empty.")
    return text


def text_of(value: Any, *, numbers: bool = False) -> str:
    """A cell as clean text; empty when there is none. Raises Unfit for what is not text or looks like a chat template."""
    text = plain_text(value, numbers=numbers)
    if marker := find_marker(text):
        raise Unfit(f"It holds “{marker}”, a sign that chat templates put between turns. Take it out.")
    return text


def plain_text(value: Any, *, numbers: bool = False) -> str:
    """A cell as clean text, whatever signs of templates are in it. Raises Unfit for what is not text."""
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
    return value.encode("utf-8", "ignore").decode("utf-8").replace("\x00", "").replace("\r\n", "\n").strip("\ufeff\u200b").strip()


def turn(role: str, content: str) -> Message:
    """One message."""
    return {"role": role, "content": content}
