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
            if not isinstance(cell, str) or not cell.startswith((MARK, *SIGNS)):
                continue
            if cell.startswith(SIGNS):
                return 0
            if cell.lstrip(MARK).startswith(SIGNS):
                guarded.append((row, name))
    for row, name in guarded:
        row[name] = row[name][1:]
    return len(guarded)
