"""Rows that say the same as an earlier one, without regard to case and white space."""

from __future__ import annotations

from collections.abc import Sequence

from studio.data.checks.about import About
from studio.data.checks.common import Notes, row_name, rows_of, take_out
from studio.data.split import meaning
from studio.records import Example, Finding, Remedy

KEY = "duplicates"
KEEP_ONE = Remedy("keep_one", "Keep one of each")


def find(rows: Sequence[Example], about: About) -> list[Finding]:
    """The later copies; the first of each is not among the finding's rows. Keeps a 64-bit hash a row."""
    first: dict[int, tuple[int, int]] = {}
    copies: list[int] = []
    notes = Notes()
    for at, row in enumerate(rows):
        earlier = first.setdefault(hash(meaning(row)), (at, row.source_row))
        if earlier[0] != at:
            copies.append(at)
            notes[at] = f"Same as {row_name(earlier[1], earlier[0])}."
    if not copies:
        return []
    title = f"{rows_of(len(copies))} that only copy another row"
    text = "Copies are learned as often as they appear and pull the model towards them. One of each is enough."
    return [Finding(KEY, title, text, tuple(copies), "warn", (KEEP_ONE,), dict(notes))]


mend = take_out
