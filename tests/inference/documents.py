"""Passages, and a source that says what it is told to: everything around it is the real thing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Piece:
    """A passage, as the reader of documents gives them."""

    heading: str
    text: str
    place: str = "page 1"


@dataclass
class Script:
    """Answers with `replies` in turn, the last one for ever, and writes down what it was asked."""

    replies: Sequence[str]
    small: bool = False
    name: str = "Script 1B"
    asked: list[list[dict[str, str]]] = field(default_factory=list)

    def ask(self, messages: list[dict[str, str]], max_new_tokens: int, stop: Callable[[], bool]) -> str:
        self.asked.append(messages)
        return self.replies[min(len(self.asked), len(self.replies)) - 1]


BREAD = Piece(
    "Our bread",
    "Rye bread takes 18 hours and costs 4.80 euros. It keeps for a week.\n\nMara bakes every night except on Sundays. "
    "Orders for large loaves must be placed two days before.",
    "page 3",
)
