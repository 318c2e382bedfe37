"""Speed, share of the computer and time left, from steps whose figures are known."""

from __future__ import annotations

import pytest

from studio.records import StepMetrics
from studio.training.pace import RECENT, Pace


def step(seconds: float = 2.0, tokens: int = 100, learned: int = 40, computed: int = 80) -> StepMetrics:
    return StepMetrics(1, 1.0, 1e-3, 1.0, tokens, learned, seconds, computed)


def test_figures_are_those_of_the_recent_steps() -> None:
    pace = Pace(token_operations=1000, head_operations=500, peak=100_000)
    assert pace.figures() == {}
    for _ in range(30):
        pace.stepped(step(seconds=50.0))
    for _ in range(RECENT):
        pace.stepped(step())
    assert pace.figures() == {
        "tokens_per_second": 50.0,
        "learned_tokens_per_second": 20.0,
        "utilisation": pytest.approx((80 * 1000 + 40 * 500) / 2 / 100_000),
    }


def test_padding_is_not_counted_as_work() -> None:
    shares = []
    for computed in (100, 300, 0):
        pace = Pace(token_operations=1000, peak=1e6)
        pace.stepped(step(computed=computed))
        shares.append(pace.figures()["utilisation"])
    assert shares[0] == shares[1] == shares[2]


def test_without_a_measured_peak_no_share_is_claimed() -> None:
    pace = Pace()
    pace.stepped(step())
    assert pace.figures()["utilisation"] is None


def test_the_time_left_has_a_spread() -> None:
    pace = Pace()
    pace.stepped(step(seconds=2.0))
    assert pace.left(10, 5.0) == {"eta_seconds": 25.0, "eta_low_seconds": 25.0, "eta_high_seconds": 25.0}
    for seconds in (1.0, 3.0, 2.0, 4.0, 2.0, 2.0):
        pace.stepped(step(seconds=seconds))
    left = pace.left(10, 5.0)
    assert left["eta_low_seconds"] <= left["eta_seconds"] == 25.0 < left["eta_high_seconds"] <= 45.0
