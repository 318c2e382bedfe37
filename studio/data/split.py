"""Which rows are learned from and which are kept aside to check what was learned."""

from __future__ import annotations

import random
from collections.abc import Hashable, Sequence

from studio.records import Example

FEWEST_ROWS = 5  # below this every row is needed for learning
MOST_KEPT_ASIDE = 200  # more rows make a check slower and hardly surer: the error falls with the square root of the rows


def assign(examples: Sequence[Example], *, seed: int = 42, validation: float = 0.1, test: float = 0.0) -> list[str]:
    """ "train", "validation" or "test" for each example.

    Rows with the same question and answer stay on one side. Labels, where there are any, keep their shares on every side.
    The same rows and seed give the same sides.

    Args:
        validation: Share of the rows kept aside to choose the best checkpoint; at least 1 row from 5 rows up, at most 200.
        test: Share of the rows kept aside for step 5; none when 0, at most 200 rows.
    """
    sides = ["train"] * len(examples)
    groups = group(examples)
    if len(examples) < FEWEST_ROWS or len(groups) < 2:
        return sides
    order = spread(examples, groups, random.Random(seed))
    for side, share, least in (("test", test, 0), ("validation", validation, 1)):
        wanted = min(MOST_KEPT_ASIDE, max(least, round(len(examples) * share))) if share > 0 else 0
        for rows in choose(order[:-1], wanted):  # the last group is always learned from
            order.remove(rows)
            for row in rows:
                sides[row] = side
    return sides


def choose(order: Sequence[list[int]], wanted: int) -> list[list[int]]:
    """Groups from the start of `order` with `wanted` rows in all, as nearly as whole groups allow; one group at least."""
    chosen, missing = [], wanted
    for rows in order:
        if len(rows) <= missing:
            chosen.append(rows)
            missing -= len(rows)
        if not missing:
            return chosen
    return chosen or [min(order, key=len)] if order else []


def group(examples: Sequence[Example]) -> list[list[int]]:
    """Indices of rows that say the same, in order of their first appearance."""
    found: dict[Hashable, list[int]] = {}
    for index, example in enumerate(examples):
        found.setdefault(meaning(example), []).append(index)
    return list(found.values())


def meaning(example: Example) -> Hashable:
    """What makes two rows the same: questions and answers, without regard to case and white space."""
    if not example.messages:
        return plain(example.text)
    return tuple((message["role"], plain(message["content"])) for message in example.messages if message["role"] != "system")


def plain(text: str) -> str:
    """Text without regard to case and white space."""
    return " ".join(text.split()).casefold()


def spread(examples: Sequence[Example], groups: Sequence[list[int]], chance: random.Random) -> list[list[int]]:
    """The groups shuffled so that every stretch from the start holds the labels in about their shares.

    Each group gets a place between 0 and 1 within its label; merging by place deals the labels out evenly.
    """
    labels: dict[str, list[list[int]]] = {}
    for rows in groups:
        labels.setdefault(examples[rows[0]].label, []).append(rows)
    placed = []
    for label in sorted(labels):
        members = labels[label]
        chance.shuffle(members)
        placed += [((index + chance.random()) / len(members), rows) for index, rows in enumerate(members)]
    return [rows for _, rows in sorted(placed, key=lambda item: (item[0], item[1][0]))]
