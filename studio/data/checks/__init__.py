"""Named findings about rows, each with remedies. One module a check; `about` has the signature they share.

To add a check: write `checks/<key>.py` with KEY, find and mend, and name it in `CHECKS`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import overload

from studio.data.checks import (
    amount,
    answer_lengths,
    answers,
    conflicts,
    duplicates,
    injection,
    labels,
    languages,
    leaks,
    letters,
    near_duplicates,
    personal,
    placeholders,
    profanity,
    refusals,
    special_tokens,
    too_long,
)
from studio.data.checks.about import About, Changes, Check
from studio.errors import StudioError
from studio.records import Example, Finding

__all__ = ["CHECKS", "About", "Changes", "mend", "run"]

CHECKS: tuple[type[Check], ...] = (  # modules; each has the shape of a Check
    answers,
    letters,
    leaks,
    placeholders,
    special_tokens,
    personal,
    duplicates,
    near_duplicates,
    conflicts,
    too_long,
    labels,
    languages,
    refusals,
    injection,
    profanity,
    answer_lengths,
    amount,
)
"""In the order in which findings of one level are shown."""

LEVELS = ("stop", "warn", "info")
TELL_EVERY = 2048  # rows

Progress = Callable[[int, int, str], None]


def run(rows: Sequence[Example], about: About, progress: Progress | None = None) -> list[Finding]:
    """What every check has to say, worst first.

    Args:
        progress: Called with rows done, rows to do (those of all checks together), and the key of the check at work. What it
            raises ends the checks and goes on to the caller.
    """
    found: list[Finding] = []
    for place, check in enumerate(CHECKS):
        watched = Watched(rows, place, check.KEY, progress) if progress else rows
        found += check.find(watched, about)
    if progress:
        progress(len(rows) * len(CHECKS), len(rows) * len(CHECKS), "")
    return sorted(found, key=lambda finding: LEVELS.index(finding.level))


def mend(rows: Sequence[Example], finding: Finding, remedy: str) -> Changes:
    """The rows that a remedy changes or takes out. Raises StudioError for an unknown check or remedy."""
    for check in CHECKS:
        if finding.check == check.KEY:
            return check.mend(rows, finding, remedy)
    raise StudioError("Nothing was changed.", "This check is not known.", "Check the rows again.")


class Watched(Sequence[Example]):
    """Rows that tell how far a check has come whenever it goes through them."""

    def __init__(self, rows: Sequence[Example], place: int, key: str, progress: Progress) -> None:
        self.rows, self.place, self.key, self.progress = rows, place, key, progress

    def __len__(self) -> int:
        return len(self.rows)

    @overload
    def __getitem__(self, at: int) -> Example: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[Example]: ...
    def __getitem__(self, at: int | slice) -> Example | Sequence[Example]:
        return self.rows[at]

    def __iter__(self) -> Iterator[Example]:
        size = len(self.rows)
        for at, row in enumerate(self.rows):
            if not at % TELL_EVERY:
                self.progress(self.place * size + at, len(CHECKS) * size, self.key)
            yield row
