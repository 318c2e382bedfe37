"""Rows whose question and answer are both almost those of an earlier row. See `sketch` for how that is found out."""

from __future__ import annotations

from array import array
from collections.abc import Sequence

import numpy as np

from studio.data.checks.about import About
from studio.data.checks.common import Notes, batches, row_name, rows_of, take_out
from studio.data.checks.duplicates import KEEP_ONE
from studio.data.checks.sketch import BANDS, Sketches, exact_of, sketch
from studio.data.split import meaning
from studio.data.table import chosen_of
from studio.records import Example, Finding

KEY = "near_duplicates"
ROUNDS = 8  # through the bands at most; two are the rule
PAIRS_AT_ONCE = 65_536


def find(rows: Sequence[Example], about: About) -> list[Finding]:
    """Rows almost like one that stays. Exact copies of a row share its lot; those of rows that stay are for `duplicates`.

    Only rows with the same numbers and label as another are sketched. Keeps about 150 bytes a row and 220 for each of those.
    """
    places, exact, copies = distinct(rows)
    likely = shared(exact)
    found_twins = first_twins(sketched(rows, places[likely, 0]))
    twins = {int(likely[later]): int(likely[earlier]) for later, earlier in found_twins.items()}
    if not twins:
        return []
    found = {int(places[at, 0]): twin for at, twin in twins.items()}
    found |= {at: twins[first] for at, first in copies if first in twins}
    notes = Notes()
    for at in sorted(found):
        place, number = places[found[at]].tolist()
        notes[at] = f"Almost the same as {row_name(number, place)}."
    title = f"{rows_of(len(found))} almost the same as another row"
    text = "Question and answer differ in a few letters only. New wordings teach more than near copies."
    return [Finding(KEY, title, text, tuple(sorted(found)), "warn", (KEEP_ONE,), dict(notes))]


mend = take_out


def distinct(rows: Sequence[Example]) -> tuple[np.ndarray, np.ndarray, list[tuple[int, int]]]:
    """The rows that copy no earlier one.

    Returns:
        int64 (rows, 2), the position and the number in the file of each; int64 (rows,), what `exact_of` gives for each; and the
        copies, each as its position and the index of the row that it copies.
    """
    seen: dict[int, int] = {}
    copies: list[tuple[int, int]] = []
    places, exact = array("q"), array("q")
    for at, row in enumerate(rows):
        index = seen.setdefault(hash(meaning(row)), len(exact))
        if index < len(exact):
            copies.append((at, index))
        else:
            places.extend((at, row.source_row))
            exact.append(exact_of(row))
    return np.asarray(places, np.int64).reshape(-1, 2), np.asarray(exact, np.int64), copies


def sketched(rows: Sequence[Example], positions: np.ndarray) -> Sketches:
    """Sketches of the rows at some positions, which ascend."""
    room = Sketches.empty(len(positions))
    done = 0
    chosen = chosen_of(rows, positions.tolist())
    for _, batch in batches(chosen):
        room.put(done, sketch(batch))
        done += len(batch)
    return room


def shared(values: np.ndarray) -> np.ndarray:
    """Where the values are that come more than once, as int64."""
    _, which, counts = np.unique(values, return_inverse=True, return_counts=True)
    return np.flatnonzero(counts[which] > 1)


def first_twins(sketches: Sketches) -> dict[int, int]:
    """Index of a row -> index of an earlier one that it is almost the same as, and that stays.

    A row that has a twin is out of the game, so that a second look at the rows that stay finds nothing.
    """
    twins: dict[int, int] = {}
    alive, quiet = np.arange(len(sketches.exact)), 0
    for turn in range(ROUNDS * BANDS):
        new = twins_in_band(sketches, alive, turn % BANDS)
        twins |= new
        alive = alive[~np.isin(alive, list(new))] if new else alive
        quiet = 0 if new else quiet + 1
        if quiet == BANDS:
            break
    for later in sorted(twins):  # a twin that went in a later turn stands for its own
        twins[later] = twins.get(twins[later], twins[later])
    return twins


def twins_in_band(sketches: Sketches, alive: np.ndarray, band: int) -> dict[int, int]:
    """Twins among rows that share one band: each is compared with the first of those that share it and the one before."""
    keys = sketches.bands[alive, band]
    order = np.argsort(keys, kind="stable")
    same = keys[order[1:]] == keys[order[:-1]]
    begins = np.concatenate([[True], ~same])[: len(order)]
    heads = order[np.maximum.accumulate(np.where(begins, np.arange(len(order)), 0))]
    later = alive[order[1:][same]]
    links = [verified(sketches, later, alive[earlier]) for earlier in (heads[1:][same], order[:-1][same])]
    twins: dict[int, int] = {}
    for row, earlier in np.unique(np.concatenate(links), axis=0).tolist():
        if row not in twins and earlier not in twins:
            twins[row] = earlier
    return twins


def verified(sketches: Sketches, later: np.ndarray, earlier: np.ndarray) -> np.ndarray:
    """int64 (pairs, 2): those that are alike, later row first."""
    good = [np.empty((0, 2), np.int64)]
    for start in range(0, len(later), PAIRS_AT_ONCE):
        two, one = later[start : start + PAIRS_AT_ONCE], earlier[start : start + PAIRS_AT_ONCE]
        alike = sketches.alike(two, sketches, one)
        good.append(np.stack([two[alike], one[alike]], axis=1))
    return np.concatenate(good)
