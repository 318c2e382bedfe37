"""Which rows are learned from and which are kept aside to check what was learned."""

from __future__ import annotations

import random
from array import array
from bisect import bisect_left
from collections.abc import Hashable, Iterable, Sequence
from hashlib import blake2b

import numpy as np

from studio.data.edits import Edited
from studio.records import Example

FEWEST_ROWS = 5  # below this every row is needed for learning
MOST_KEPT_ASIDE = 200  # more rows make a check slower and hardly surer: the error falls with the square root of the rows


def assign(
    examples: Sequence[Example],
    *,
    seed: int = 42,
    validation: float = 0.1,
    test: float = 0.0,
    said: Sequence[int] | None = None,
    labelled: bool = True,
) -> list[str]:
    """ "train", "validation" or "test" for each example.

    Rows with the same question and answer stay on one side. Labels, where there are any, keep their shares on every side.
    The same rows and seed give the same sides.

    Args:
        validation: Share of the rows kept aside to choose the best checkpoint; at least 1 row from 5 rows up, at most 200.
        test: Share of the rows kept aside for step 5; none when 0, at most 200 rows.
        said: `digests(examples)`, where they are at hand.
        labelled: Whether rows may have labels; False spares a pass through them.
    """
    sides = ["train"] * len(examples)
    firsts, of_row = grouped(digests(examples) if said is None else said)
    if len(examples) < FEWEST_ROWS or len(firsts) < 2:
        return sides
    sizes = np.bincount(of_row)
    order = spread(labels_at(examples, firsts) if labelled else [""] * len(firsts), random.Random(seed))
    for side, share, least in (("test", test, 0), ("validation", validation, 1)):
        # the last group is always learned from
        chosen = choose(order[:-1], sizes, kept_aside(len(examples), share, least))
        order = order[~np.isin(order, chosen)]
        for row in np.flatnonzero(np.isin(of_row, chosen)).tolist():
            sides[row] = side
    return sides


def carry_over(rows: Edited, sides: Sequence[str], said: Sequence[int], *, seed: int, validation: float) -> list[str]:
    """The side of each row after edits: rows that were not changed keep theirs, so that losses stay comparable.

    A changed row keeps its side too, and every so many added rows one is kept aside, by its id alone. But a row that now says
    the same as another goes to that one's side. Only when a side would be left empty, all rows are shared out anew.

    Args:
        sides: What `assign` gave the rows before the edits (`rows.base`), with the same seed and share.
        said: `digests(rows.base)`.
    """
    if not rows.changed and not rows.out:
        return list(sides)
    count = len(rows.base)
    new = {row: digest(rows.changed[row]) for row in sorted(rows.changed)}
    wanted = set(new.values())
    same: dict[int, str] = {}
    for row in rows.ids[: bisect_left(rows.ids, count)]:
        if said[row] in wanted and row not in new:
            same.setdefault(said[row], sides[row])
    placed = {row: same.setdefault(new[row], sides[row] if row < count else side_of_added(row, validation)) for row in new}
    found = [placed[row] if row in placed else sides[row] for row in rows.ids]
    short = "validation" not in found and validation > 0 and len(found) >= FEWEST_ROWS
    if found and ("train" not in found or short):
        return assign(rows, seed=seed, validation=validation)
    return found


def side_of_added(row: int, share: float) -> str:
    """The side of the row with this id: "validation" where one row more lets the number kept aside grow."""
    return "validation" if kept_aside(row + 1, share, 1) > kept_aside(row, share, 1) else "train"


def kept_aside(count: int, share: float, least: int) -> int:
    """How many of `count` rows are kept aside."""
    if share <= 0 or count < FEWEST_ROWS:
        return 0
    return min(MOST_KEPT_ASIDE, max(least, round(count * share)))


def choose(order: np.ndarray, sizes: np.ndarray, wanted: int) -> list[int]:
    """Groups from the start of `order` with `wanted` rows in all, as nearly as whole groups allow; one group at least.

    Args:
        sizes: Rows of each group.
    """
    chosen, missing = [], wanted
    for group in order:
        if sizes[group] <= missing:
            chosen.append(int(group))
            missing -= sizes[group]
        if not missing:
            return chosen
    return chosen or [int(order[np.argmin(sizes[order])])] if len(order) else []


def grouped(said: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """Rows that say the same, by their digests: the first row of each group, ascending, and the group of each row."""
    _, first, of_row = np.unique(np.asarray(said, np.int64), return_index=True, return_inverse=True)
    order = np.argsort(first, kind="stable")
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    return first[order], place[of_row]


def labels_at(examples: Iterable[Example], rows: np.ndarray) -> list[str]:
    """The labels of some rows, which are in ascending order. Equal ones are one object."""
    names: dict[str, str] = {}
    wanted = iter(rows.tolist())
    at = next(wanted, None)
    found = []
    for row, example in enumerate(examples):
        if row == at:
            found.append(names.setdefault(example.label, example.label))
            at = next(wanted, None)
    return found


def digests(examples: Iterable[Example]) -> array[int]:
    """The digest of each row: 8 bytes, where the texts would take hundreds."""
    return array("q", map(digest, examples))


def digest(example: Example) -> int:
    """A number that is the same for rows that say the same, in every process; among a million others none has it by chance."""
    said = repr(meaning(example)).encode("utf-8", "surrogatepass")
    return int.from_bytes(blake2b(said, digest_size=8).digest(), "little", signed=True)


def meaning(example: Example) -> Hashable:
    """What makes two rows the same: questions and answers, without regard to case and white space."""
    if not example.messages:
        return plain(example.text)
    return tuple((message["role"], plain(message["content"])) for message in example.messages if message["role"] != "system")


def plain(text: str) -> str:
    """Text without regard to case and white space."""
    return " ".join(text.split()).casefold()


def spread(labels: Sequence[str], chance: random.Random) -> np.ndarray:
    """Groups, by their index, shuffled so that every stretch from the start holds the labels in about their shares.

    Each group gets a place between 0 and 1 within its label; merging by place deals the labels out evenly.

    Args:
        labels: The label of each group.
    """
    by_label: dict[str, array[int]] = {}
    for group, label in enumerate(labels):
        by_label.setdefault(label, array("q")).append(group)
    places = np.empty(len(labels))
    for label in sorted(by_label):
        members = by_label[label]
        chance.shuffle(members)
        dealt = np.fromiter((chance.random() for _ in members), np.float64, len(members))
        places[np.asarray(members)] = (np.arange(len(members)) + dealt) / len(members)
    return np.lexsort((np.arange(len(labels)), places))
