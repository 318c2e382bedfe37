"""Rows kept aside that the training rows give away: question and answer are both near-identical.

A new wording of a fact may stand on both sides, since its question differs. See `sketch` for what near-identical means.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from studio.data.checks.about import About
from studio.data.checks.common import Notes, portions, row_name, rows_of, take_out
from studio.data.checks.sketch import BANDS, Sketches, exact_of, sketch
from studio.records import Example, Finding, Remedy

KEY = "leaks"
REMEDY = Remedy("keep_one_side", "Keep them on one side")
Place = tuple[int, int]  # of a row: its position and its number in the file


def find(rows: Sequence[Example], about: About) -> list[Finding]:
    """The copies kept aside. Keeps about 300 bytes for each row kept aside, and goes through the rows twice."""
    if len(about.splits) != len(rows) or not set(about.splits) & {"validation", "test"}:
        return []
    aside, places = held(rows, about.splits)
    notes = Notes()
    leaked: dict[int, Place] = {}
    left = np.arange(len(places))
    equal = frozenset(aside.exact.tolist())
    for whole, where in parts(rows, about.splits, train=True):
        likely = [at for at, row in enumerate(whole) if exact_of(row) in equal]  # the others cannot be alike
        batch, found = [whole[at] for at in likely], [where[at] for at in likely]
        if not batch:
            continue
        new = {mine: found[theirs] for mine, theirs in twins(aside, left, sketch(batch))}
        if new:
            leaked |= new
            left = left[~np.isin(left, list(new))]
    if not leaked:
        return []
    for mine in sorted(leaked):
        notes[places[mine][0]] = f"Almost the same as {row_name(leaked[mine][1], leaked[mine][0])}, which is learned from."
    hit = sorted(places[mine][0] for mine in leaked)
    title = f"{rows_of(len(hit))} kept aside but learned from as well"
    text = "Question and answer stand among the training rows, too. The check would look better than it is."
    return [Finding(KEY, title, text, tuple(hit), "warn", (REMEDY,), dict(notes))]


mend = take_out


def parts(rows: Sequence[Example], splits: Sequence[str], *, train: bool) -> Iterator[tuple[list[Example], list[Place]]]:
    """The rows of one side in batches, each with its places."""
    side = ((at, row) for at, (row, split) in enumerate(zip(rows, splits, strict=True)) if (split == "train") == train)
    for batch in portions(side):
        yield [row for _, row in batch], [(at, row.source_row) for at, row in batch]


def held(rows: Sequence[Example], splits: Sequence[str]) -> tuple[Sketches, list[Place]]:
    """Sketches of the rows kept aside, and their places."""
    room = Sketches.empty(sum(split != "train" for split in splits))
    places: list[Place] = []
    for batch, found in parts(rows, splits, train=False):
        room.put(len(places), sketch(batch))
        places += found
    return room, places


def twins(aside: Sketches, left: np.ndarray, many: Sketches) -> list[tuple[int, int]]:
    """Pairs of a row kept aside, out of those that are `left`, and a near-identical one of the many.

    In each band a row kept aside meets one of the many, however many share it: the work grows with the rows, not with the pairs.
    """
    pairs = []
    for band in range(BANDS):
        order = np.argsort(many.bands[:, band], kind="stable")
        keys, wanted = many.bands[order, band], aside.bands[left, band]
        at = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
        hit = keys[at] == wanted
        pairs.append(np.stack([left[hit], order[at[hit]]], axis=1))
    found = np.unique(np.concatenate(pairs), axis=0)
    good = aside.alike(found[:, 0], many, found[:, 1])
    return [(mine, theirs) for mine, theirs in found[good].tolist()]
