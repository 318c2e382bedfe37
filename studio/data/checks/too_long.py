"""Rows with more tokens than are learned of one."""

from __future__ import annotations

from collections.abc import Sequence

from studio.data.checks.about import About
from studio.data.checks.common import TAKE_OUT, Notes, rows_of, take_out
from studio.records import Example, Finding

KEY = "too_long"


def find(rows: Sequence[Example], about: About) -> list[Finding]:
    """Rows over `about.max_length`; nothing is known where `about.lengths` is empty."""
    if not about.max_length or not len(about.lengths):
        return []
    hit, over, whole = [], 0, 0
    notes = Notes()
    for at, tokens in enumerate(about.lengths):
        whole += tokens
        if tokens > about.max_length:
            hit.append(at)
            over += tokens - about.max_length
            notes[at] = f"{tokens:,} tokens, {tokens - about.max_length:,} too many."
    if not hit:
        return []
    title = f"{rows_of(len(hit))} longer than the {about.max_length:,} tokens that are learned"
    text = (
        f"{over:,} tokens are over, {over / whole:.1%} of all. Long chats lose their oldest turns. "
        "A row whose last exchange does not fit is left out. A larger longest example keeps more."
    )
    return [Finding(KEY, title, text, tuple(hit), "warn", (TAKE_OUT,), dict(notes))]


mend = take_out
