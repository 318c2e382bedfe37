"""What the modules of this folder share."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True)
class Hopeless:
    """A part that gives no row, and why."""

    reason: str
    excerpt: str = ""


class Shape(Protocol):
    """The shape of a module of this folder."""

    NOTE: str
    COUNTED: bool

    @staticmethod
    def fits(item: Any) -> bool:
        """Whether an item of a file has this shape."""

    @staticmethod
    def rows(item: Any) -> Iterator[dict[str, Any] | Hopeless]:
        """The flat rows inside an item that fits."""
