"""Which rows go into which optimizer step: a pure function of the settings, so that a resume needs no cursor but the step."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass


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
        order = list(range(self.rows))
        random.Random(f"{self.seed}/{epoch}").shuffle(order)
        return order

    def step(self, step: int) -> list[int]:
        """Row indices of optimizer step `step` (1 is the first)."""
        epoch, place = divmod(step - 1, self.steps_per_epoch)
        size = self.batch * self.accumulation
        return self.order(epoch)[place * size : (place + 1) * size]

    def micro_batches(self, step: int, lengths: Sequence[int]) -> list[list[int]]:
        """The step's rows in batches of at most `batch`, of like length so that little is padded.

        The loss is scaled by the step's learned tokens, so how rows are grouped does not change the gradient.
        """
        rows = sorted(self.step(step), key=lambda row: lengths[row])
        return [rows[start : start + self.batch] for start in range(0, len(rows), self.batch)]


def check_steps(total_steps: int, evaluations: int) -> set[int]:
    """The steps after which the validation rows are looked at: about `evaluations`, evenly spread, the last one included."""
    count = min(evaluations, total_steps)
    return {round(total_steps * (index + 1) / count) for index in range(count)}
