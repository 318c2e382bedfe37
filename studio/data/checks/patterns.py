"""Checks that look for phrases: one pass over the rows, one finding with the sign that was found as each row's note."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from studio.data.checks.common import Notes
from studio.records import Example


def search(rows: Sequence[Example], sign: Callable[[Example], str]) -> tuple[tuple[int, ...], dict[int, str]]:
    """Positions of rows in which `sign` finds something, and what it found in the first of them."""
    hit: list[int] = []
    notes = Notes()
    for at, row in enumerate(rows):
        if found := sign(row):
            hit.append(at)
            notes[at] = f"“{found[:80]}”"
    return tuple(hit), dict(notes)
