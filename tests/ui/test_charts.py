"""The curve's payload and words: exact, bounded, and careful."""

from __future__ import annotations

import json

import pytest

from studio.records import RunStatus
from studio.ui import charts


def metrics(losses: list[float | None], checks: dict[int, float | None]) -> list[dict]:
    found = [{"step": at, "validation_loss": value} for at, value in checks.items()]
    return found + [{"step": at, "loss": value} for at, value in enumerate(losses, 1)]


def drawn(losses: list, checks: dict, **status) -> dict:
    status = {"state": "running", "step": len(losses), "total_steps": 100, **status}
    return charts.payload(metrics(losses, checks), RunStatus(**status))


def test_the_smoothed_line_is_corrected_for_its_start() -> None:
    assert charts.smooth([5.0, 5.0, 5.0], 0.9) == pytest.approx([5.0, 5.0, 5.0])
    first, second = charts.smooth([4.0, 2.0], 0.5)
    assert first == pytest.approx(4.0)
    assert second == pytest.approx((0.5 * 2.0 + 0.25 * 4.0) / 0.75)


def test_missing_values_leave_the_line_where_it_was() -> None:
    assert charts.smooth([None, 3.0, None, float("nan")], 0.9) == [
        None,
        pytest.approx(3.0),
        pytest.approx(3.0),
        pytest.approx(3.0),
    ]


def test_the_weight_depends_on_the_planned_length_alone() -> None:
    assert drawn([2.0] * 5, {}, total_steps=400)["weight"] == drawn([2.0] * 300, {}, total_steps=400)["weight"]
    assert 0.4 <= charts.weight(10) < charts.weight(100) < charts.weight(5000) < 1


def test_one_step_is_enough_for_a_point() -> None:
    found = drawn([2.5], {0: 3.0})
    assert found["points"] == [[1, 2.5, 2.5]]
    assert found["validation"] == [[0, 3.0]]
    assert "1 of 100 steps" in found["label"]


def test_a_long_run_stays_small_and_keeps_its_ends() -> None:
    found = drawn([3.0 - step / 10000 for step in range(20000)], {step: 2.0 for step in range(0, 20000, 10)}, total_steps=30000)
    assert len(found["points"]) == charts.MOST_POINTS
    assert len(found["validation"]) == charts.MOST_POINTS
    assert (found["points"][0][0], found["points"][-1][0]) == (1, 20000)
    assert len(json.dumps(found)) < 40_000


def test_the_best_checkpoint_is_named_where_it_lies() -> None:
    found = drawn([2.0] * 30, {0: 3.0, 10: 2.0, 20: 1.5, 30: 1.7}, best_step=20, best_validation_loss=1.5)
    assert found["best"] == [20, 1.5, "best so far, step 20"]
    assert drawn([2.0], {0: 3.0}, best_step=20)["best"] is None


def test_values_that_are_no_numbers_reach_neither_the_canvas_nor_json() -> None:
    found = drawn([2.0, float("inf"), None], {0: float("nan")})
    json.dumps(found, allow_nan=False)
    assert found["missing"] == 2


def test_the_spark_line_needs_two_values() -> None:
    assert "<svg" not in charts.spark([1.0, None])
    assert "Loss from 3.00 to 1.00" in charts.spark([3.0, 2.0, 1.0])
    assert "--slate" in charts.spark([1.0, 2.0], failed=True)
