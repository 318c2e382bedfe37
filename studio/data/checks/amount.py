"""Too few different rows for the goal; the numbers and their sources are in `studio.data.learning`."""

from __future__ import annotations

from collections.abc import Sequence

from studio.data import learning
from studio.data.checks.about import About
from studio.data.checks.common import counted, take_out
from studio.records import Example, Finding

KEY = "amount"


def find(rows: Sequence[Example], about: About) -> list[Finding]:
    """One finding about all rows, which no remedy can mend: more rows have to be written."""
    found = learning.amount(rows, about.goal, about.splits)
    if not len(rows) or found.enough:
        return []
    what = "of the rarest label" if found.of_label else "to learn from"
    return [Finding(KEY, f"Only {counted(found.rows, 'different row', 'different rows')} {what}", found.text)]


mend = take_out
