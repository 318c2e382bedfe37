"""What a run's curves say in plain words, and what to do about it: rules, each with its source.

memorising    validation loss more than 2 % above its lowest: the generalization loss GL of L. Prechelt, "Early Stopping -
              But When?" (Neural Networks: Tricks of the Trade, 1998), with its smallest threshold
levelled off  no check better than the one before by 2 %: the same measure, the other way round
rate too high the training loss itself climbs: the upper end of the range test in L. Smith, arXiv:1506.01186, section 3.3
nothing       the best check within 2 % of the loss before training
few rows      rows kept aside stay harder by half than those learned from, with fewer than 100 rows; our own rule
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from studio.records import Record, RunStatus

NOTICEABLE = 0.02  # relative change of a loss; about the noise between neighbouring checks
CLIMB = 0.25  # of the loss at the start: how far the smoothed training loss may rise above its lowest
GAP_RATIO, GAP_NATS = 1.5, 0.1  # validation against training loss, above which part of it is memory
FEW_ROWS = 100
EARLY_STEPS, EARLY_CHECKS = 3, 3


@dataclass(frozen=True)
class Reading(Record):
    """`kind` names the rule, `says` what is seen, `advice` what to do ("" when nothing), `since` the step it began at."""

    kind: str
    says: str
    advice: str = ""
    since: int | None = None

    @property
    def text(self) -> str:
        """Both sentences."""
        return f"{self.says} {self.advice}".strip()


def weight(total_steps: int) -> float:
    """The smoothing weight of a run: the line looks back over about a twelfth of all steps, at least three.

    An exponential moving average with weight w has the span 2 / (1 - w) - 1. It depends on the planned length only,
    so that the part already drawn never changes.
    """
    span = max(3.0, total_steps / 12)
    return round(1 - 2 / (span + 1), 4)


def smooth(values: Sequence[float | None], weight: float) -> list[float | None]:
    """Exponential moving average, corrected for its start at zero (Adam paper, arXiv:1412.6980, section 3).

    A missing value leaves the average as it was; before the first value there is none.
    """
    found: list[float | None] = []
    mean, count = 0.0, 0
    for value in values:
        if value is not None and math.isfinite(value):
            mean, count = weight * mean + (1 - weight) * value, count + 1
        found.append(mean / (1 - weight**count) if count else None)
    return found


def read_curve(metrics: Sequence[dict[str, Any]], status: RunStatus) -> Reading:
    """Read both losses as far as they go.

    Args:
        metrics: The run's records that count, as in metrics.jsonl.
        status: For the planned length, the number of rows, and whether more is to come.
    """
    training = [(item["step"], finite(item["loss"])) for item in metrics if "loss" in item]
    checks = [(item["step"], finite(item["validation_loss"])) for item in metrics if "validation_loss" in item]
    if any(loss is None for _, loss in training):
        since = next(step for step, loss in training if loss is None)
        return Reading(
            "unusable", "Some steps gave no usable number.", "Use a lower learning rate, and look for an unusual row.", since
        )
    line = smooth([loss for _, loss in training], weight(max(status.total_steps, len(training))))
    learned = [(step, mean) for (step, _), mean in zip(training, line, strict=True) if mean is not None]
    known = [(step, loss) for step, loss in checks if loss is not None]
    if len(learned) < EARLY_STEPS:
        return Reading("early", "Too early to say. Each step adds a dot; the lines show where they go.")
    return _too_fast(learned, live=status.live) or _by_checks(learned, known, status)


def _too_fast(learned: list[tuple[int, float]], *, live: bool) -> Reading | None:
    """The line of the rows it learns from climbs, which steps of a fitting size never make it do for long."""
    lowest_at, lowest = min(learned, key=lambda point: point[1])
    if learned[-1][1] - lowest <= CLIMB * learned[0][1]:
        return None
    return Reading(
        "too fast",
        f"Since step {lowest_at} it gets worse even on the rows it learns from: the steps are too large.",
        f"{'Stop, and train' if live else 'Train'} again with a learning rate of a third of this one.",
        lowest_at,
    )


def _by_checks(learned: list[tuple[int, float]], checks: list[tuple[int, float]], status: RunStatus) -> Reading:
    """What the rows kept aside say."""
    falls = learned[-1][1] < (1 - NOTICEABLE) * learned[0][1]
    if not checks:
        return Reading(
            "unchecked",
            "No rows were kept aside, so nothing here shows whether it learned or only memorised.",
            "Keep some rows aside in step 1.",
        )
    if len(checks) < EARLY_CHECKS:
        way = "falls: it is learning" if falls else "does not fall yet"
        return Reading("early", f"The line of the rows it learns from {way}. The next check on rows kept aside will say more.")
    best_at, best = min(checks, key=lambda check: check[1])
    if best > (1 - NOTICEABLE) * checks[0][1]:
        return _nothing(falls=falls)
    if checks[-1][1] > (1 + NOTICEABLE) * best:
        return Reading(
            "memorising",
            f"Rows kept aside were easiest for it at step {best_at} and got harder since. "
            "From there on it memorises more than it learns.",
            f"Step {best_at} {'will be kept' if status.live else 'is the one that is kept'}. More rows help, more rounds do not.",
            best_at,
        )
    return _going_well(learned[-1][1], checks, status)


def _nothing(*, falls: bool) -> Reading:
    says = "The rows kept aside did not get easier for it."
    if falls:
        return Reading(
            "nothing",
            f"{says} It only learned its own rows by heart.",
            "Add rows that are more like each other, or more of them.",
        )
    return Reading("nothing", says, "Try a higher learning rate or more rounds, and look whether the answers fit the questions.")


def _going_well(learned: float, checks: list[tuple[int, float]], status: RunStatus) -> Reading:
    """It learned; is more to come, and from where?"""
    end, before = checks[-1][1], checks[-2][1]
    gap = end > GAP_RATIO * learned + GAP_NATS
    apart = (
        "It knows the rows it learns from much better than the others: part of it is memorising."
        if gap
        else "The gap between the lines is small: it is not only memorising."
    )
    if end < (1 - NOTICEABLE) * before:
        now, then = "Both lines still fall, so it is still learning.", "Both lines still fell at the end."
        advice = "" if status.live else "A longer run may help."
        return Reading("learning", f"{now if status.live else then} {apart}", advice)
    flat = "The line of the rows kept aside has become flat."
    if gap and 0 < status.train_rows < FEW_ROWS:
        advice = "The same questions in other words, as new rows, help more than more steps."
        return Reading("few rows", f"{flat} {apart}", advice, checks[-2][0])
    advice = "Little more will come; you may stop and keep it." if status.live else "More steps would add little."
    return Reading("levelled off", f"{flat} {apart}", advice, checks[-2][0])


def finite(value: Any) -> float | None:
    """The value where it is a usable number."""
    return float(value) if isinstance(value, (int, float)) and math.isfinite(value) else None
