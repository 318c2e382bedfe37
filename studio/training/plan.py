"""Which rows go into which optimizer step: a pure function of the settings, so that a resume needs no cursor but the step."""

from __future__ import annotations

import math
import random
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from studio.data.encode import READ_ONLY, Encoded


@dataclass(frozen=True)
class Plan:
    """The order in which `rows` examples are seen.

    Every epoch is a permutation of all rows, drawn from (seed, epoch). Each step takes the next `batch * accumulation`
    rows; the last step of an epoch may take fewer. Steps count from 1.
    """

    rows: int
    batch: int
    accumulation: int
    epochs: int
    seed: int

    @property
    def steps_per_epoch(self) -> int:
        """Optimizer steps in one epoch."""
        return max(1, math.ceil(self.rows / (self.batch * self.accumulation)))

    @property
    def total_steps(self) -> int:
        """Optimizer steps of the whole run."""
        return self.epochs * self.steps_per_epoch

    def order(self, epoch: int) -> list[int]:
        """The permutation of row indices of an epoch (0 is the first)."""
        return _order(self.rows, self.seed, epoch).tolist()

    def step(self, step: int) -> list[int]:
        """Row indices of optimizer step `step` (1 is the first)."""
        epoch, place = divmod(step - 1, self.steps_per_epoch)
        size = self.batch * self.accumulation
        return _order(self.rows, self.seed, epoch)[place * size : (place + 1) * size].tolist()


@lru_cache(maxsize=1)
def _order(rows: int, seed: int, epoch: int) -> array[int]:
    """`Plan.order`, kept until another one is asked for: shuffling grows with the rows and would be done at every step."""
    order = list(range(rows))
    random.Random(f"{seed}/{epoch}").shuffle(order)
    return array("I", order)


def by_rows(rows: Sequence[Encoded], batch: int) -> list[list[Encoded]]:
    """Rows in batches of at most `batch`, of like length so that little is padded."""
    ordered = sorted(rows, key=lambda row: len(row.input_ids))
    return [ordered[start : start + batch] for start in range(0, len(ordered), batch)]


def by_tokens(rows: Sequence[Encoded], budget: int, *, share: bool = True) -> list[list[Encoded]]:
    """Rows in packs of at most `budget` tokens to compute, with `share` the opening all rows share counted once a pack.

    A row longer than the budget is a pack of its own. How rows are split never changes the gradient, only the memory.
    """
    prefix = shared_prefix(rows) if share and len(rows) > 1 else 0
    packs: list[list[Encoded]] = []
    room = 0
    for row in sorted(rows, key=lambda row: len(row.input_ids), reverse=True):
        own = len(row.input_ids) - prefix
        if not packs or own > room:
            packs.append([])
            room = budget - prefix
        packs[-1].append(row)
        room -= own
    return packs


def learned_tokens(rows: Sequence[Encoded]) -> int:
    """How many tokens of the rows are learned: the first one of a row never is, since nothing predicts it."""
    return sum(label != READ_ONLY for row in rows for label in row.labels[1:])


def shared_prefix(rows: Sequence[Encoded]) -> int:
    """Leading tokens that all rows share, are not learned, and leave every row at least one token to predict from."""
    first, last = min(row.input_ids for row in rows), max(row.input_ids for row in rows)
    length = 0
    for left, right in zip(first, last, strict=False):
        if left != right:
            break
        length += 1
    unlearned = min(next((i for i, label in enumerate(row.labels) if label != READ_ONLY), len(row.labels)) for row in rows)
    return max(0, min(length, unlearned - 1, min(len(row.input_ids) for row in rows) - 1))


def check_steps(total_steps: int, evaluations: int) -> set[int]:
    """The steps after which the validation rows are looked at: about `evaluations`, evenly spread, the last one included."""
    count = min(evaluations, total_steps)
    return {round(total_steps * (index + 1) / count) for index in range(count)}
