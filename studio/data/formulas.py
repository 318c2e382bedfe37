"""Cells that a spreadsheet would run as a formula, made harmless on the way out and as they were on the way back."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

SIGNS = ("=", "+", "-", "@", "\t", "\r")  # OWASP, CSV injection
MARK = "'"


def guard(text: str) -> str:
    """The text with an apostrophe before it where a spreadsheet would calculate. So has a text that looks guarded already."""
    return MARK + text if text.lstrip(MARK).startswith(SIGNS) else text


def unguard(rows: Iterable[dict[str, Any]]) -> int:
    """Take the apostrophes off again, in place, and return how many there were.

    Nothing is done when any cell begins with such a sign and has no apostrophe: then nobody guarded this table.
    """
    guarded = []
    for row in rows:
        for name, cell in row.items():
            if is_bare(cell):
                return 0
            if unguarded(cell) is not cell:
                guarded.append((row, name))
    for row, name in guarded:
        row[name] = unguarded(row[name])
    return len(guarded)


def is_bare(cell: Any) -> bool:
    """Whether a cell is a formula that nobody guarded."""
    return isinstance(cell, str) and cell.startswith(SIGNS)


def unguarded(cell: Any) -> Any:
    """A cell without the apostrophe that guards it; the very same cell where there is none."""
    return cell[1:] if isinstance(cell, str) and cell.startswith(MARK) and cell.lstrip(MARK).startswith(SIGNS) else cell
