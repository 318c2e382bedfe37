"""Rows to check, and what is left of them after a remedy."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from studio.data.checks import About, Changes, mend
from studio.data.checks.about import Check
from studio.records import Example, Finding


def pair(question: str, answer: str, label: str = "", row: int = 0) -> Example:
    messages = ({"role": "user", "content": question}, {"role": "assistant", "content": answer})
    return Example(messages=messages, label=label, source_row=row)


def labelled(text: str, label: str) -> Example:
    return pair(text, label, label)


def prose(text: str) -> Example:
    return Example(text=text)


ANIMALS = (
    "badger",
    "beaver",
    "camel",
    "dolphin",
    "ferret",
    "giraffe",
    "hedgehog",
    "jackal",
    "lemur",
    "marmot",
    "otter",
    "walrus",
)
PLACES = ("in the forest", "by the river", "near the old mill", "on the steppe", "under the bridge", "behind our garden")


def fine(count: int = 60) -> list[Example]:
    """Rows that no check has anything to say about."""
    return [
        pair(
            f"Where does the {ANIMALS[at % 12]} of keeper number {at} like to sleep?",
            f"It sleeps {PLACES[at // 12 % 6]}, and {at * 7919 % 977} visitors have seen the {ANIMALS[at % 12]} there so far.",
            row=at + 2,
        )
        for at in range(count)
    ]


def find(check: Check, rows: Sequence[Example], **about: object) -> list[Finding]:
    return check.find(rows, About(**about))  # type: ignore[arg-type]


def only(check: Check, rows: Sequence[Example], **about: object) -> Finding:
    (found,) = find(check, rows, **about)
    assert found.check == check.KEY
    assert set(found.notes) <= set(found.rows)
    assert list(found.rows) == sorted(set(found.rows))
    return found


def after(rows: Sequence[Example], changes: Changes) -> list[Example]:
    return [row for at, old in enumerate(rows) if (row := changes.get(at, old)) is not None]


def about_after(about: About, changes: Changes) -> About:
    stay = [at for at in range(max(len(about.splits), len(about.lengths))) if changes.get(at, ...) is not None]
    splits = tuple(about.splits[at] for at in stay) if about.splits else ()
    lengths = tuple(about.lengths[at] for at in stay) if about.lengths else ()
    return replace(about, splits=splits, lengths=lengths)


def kind(finding: Finding) -> str:
    """A finding's title without its numbers."""
    return re.sub(r"[\d,]+ |\b(row|label)s?\b", "", finding.title)


def assert_mends(check: Check, rows: Sequence[Example], finding: Finding, about: About) -> None:
    """Every remedy leaves the rows outside the finding alone, and the finding is gone afterwards."""
    for remedy in finding.remedies:
        changes = mend(rows, finding, remedy.key)
        assert changes, remedy
        assert set(changes) <= set(finding.rows)
        assert all(changes[at] != rows[at] for at in changes)
        again = check.find(after(rows, changes), about_after(about, changes))
        assert kind(finding) not in {kind(other) for other in again}, remedy
