"""What checks that look for phrases share: one pass over the rows, with what was found as each row's note."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from studio.data.checks.common import Notes
from studio.records import Example


def search(rows: Sequence[Example], *signs: Callable[[Example], str]) -> list[tuple[tuple[int, ...], dict[int, str]]]:
    """For each sign the positions of rows in which it finds something, and what it found in the first of them."""
    found: list[tuple[list[int], Notes]] = [([], Notes()) for _ in signs]
    for at, row in enumerate(rows):
        for sign, (hit, notes) in zip(signs, found, strict=True):
            if words := sign(row):
                hit.append(at)
                notes[at] = f"“{words[:80]}”"
    return [(tuple(hit), dict(notes)) for hit, notes in found]
