"""Utterances split into pieces, some of which are named as entities: the data of Snips and of Rasa's older exports."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

NOTE = "The pieces of each text were joined. What is named in it stands in the column “entities”, one a line."
COUNTED = False


def fits(item: Any) -> bool:
    """Whether an item is a list of pieces of text under "data"."""
    pieces = item.get("data") if isinstance(item, dict) else None
    return isinstance(pieces, list) and bool(pieces) and all(is_piece(piece) for piece in pieces)


def is_piece(value: Any) -> bool:
    """Whether a value is a piece of text, perhaps with the name of an entity."""
    return isinstance(value, dict) and isinstance(value.get("text"), str) and set(value) <= {"text", "entity", "slot_name"}


def rows(item: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The text, and its entities as lines of name and words."""
    named = [(piece.get("entity") or piece.get("slot_name"), piece["text"].strip()) for piece in item["data"]]
    yield {
        **{key: value for key, value in item.items() if key != "data"},
        "text": "".join(piece["text"] for piece in item["data"]),
        "entities": "\n".join(f"{name}: {words}" for name, words in named if name),
    }
