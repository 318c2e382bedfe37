"""What the curve says: one rule at a time, and on runs that really went that way."""

from __future__ import annotations

import math

import pytest

from studio.records import RunStatus
from studio.training.job import train_run
from studio.training.reading import Reading, read_curve

DOWN = [3.0 - i / 20 for i in range(40)]


def read(losses: list[float | None], checks: dict[int, float | None], **status) -> Reading:
    metrics = [{"step": at, "validation_loss": value} for at, value in checks.items()]
    metrics += [{"step": at, "loss": value} for at, value in enumerate(losses, 1)]
    return read_curve(metrics, RunStatus(**{"state": "running", "step": len(losses), "total_steps": 100, **status}))


@pytest.mark.parametrize(
    ("losses", "checks", "status", "kind", "since"),
    [
        ([3.0], {0: 3.0}, {}, "early", None),
        (DOWN, {0: 3.0, 20: 2.2}, {}, "early", None),
        (DOWN, {0: 3.0, 20: 2.2, 40: 1.6}, {}, "learning", None),
        (DOWN, {0: 3.0, 20: 1.6, 40: 1.62}, {}, "levelled off", 20),
        (DOWN, {0: 3.0, 20: 1.6, 40: 1.64}, {}, "memorising", 20),
        (DOWN, {0: 3.0, 20: 1.6, 30: 1.7, 40: 1.9}, {}, "memorising", 20),
        ([2.0 - i / 21 for i in range(40)], {0: 3.0, 20: 1.6, 40: 1.6}, {"train_rows": 40}, "few rows", 20),
        ([2.0 - i / 21 for i in range(40)], {0: 3.0, 20: 1.6, 40: 1.6}, {"train_rows": 400}, "levelled off", 20),
        ([3.0] * 40, {0: 3.0, 20: 3.0, 40: 2.99}, {}, "nothing", None),
        (DOWN, {0: 3.0, 20: 3.4, 40: 3.6}, {}, "nothing", None),
        ([3.0, 2.5, 2.0] * 3 + [4.0] * 20, {0: 3.0, 20: 3.4}, {}, "too fast", None),
        ([3.0, 2.0, None, 2.0], {0: 3.0}, {}, "unusable", 3),
        ([3.0, 2.0, math.inf, 2.0], {0: 3.0}, {}, "unusable", 3),
        (DOWN, {}, {}, "unchecked", None),
        (DOWN, {0: None, 20: None}, {}, "unchecked", None),
    ],
)
def test_each_rule(losses: list, checks: dict, status: dict, kind: str, since: int | None) -> None:
    found = read(losses, checks, **status)
    assert found.kind == kind
    if since is not None:
        assert found.since == since
    assert found.says.endswith(".") and (not found.advice or found.advice.endswith("."))


@pytest.mark.parametrize(
    ("checks", "live", "words"),
    [
        ({0: 3.0, 20: 2.2, 40: 1.6}, True, "still fall"),
        ({0: 3.0, 20: 2.2, 40: 1.6}, False, "A longer run may help"),
        ({0: 3.0, 20: 1.6, 40: 1.9}, False, "Step 20 is the one that is kept"),
        ({0: 3.0, 20: 1.6, 40: 1.9}, True, "Step 20 will be kept"),
        ({0: 3.0, 20: 1.6, 40: 1.6}, False, "flat"),
    ],
)
def test_a_run_that_ended_is_spoken_of_as_one(checks: dict, live: bool, words: str) -> None:
    assert words in read(DOWN, checks, state="running" if live else "finished").text


def test_neither_noise_nor_a_single_bad_step_is_a_climb() -> None:
    noisy = [3.0 * math.exp(-i / 30) + (0.3 if i % 7 == 0 else 0.0) for i in range(100)]
    assert read(noisy, {0: 3.0, 50: 0.6, 100: 0.3}).kind == "learning"


@pytest.mark.long
@pytest.mark.parametrize(("rate", "kinds"), [(5e-3, {"learning", "levelled off", "few rows"}), (1e-7, {"nothing"})])
def test_real_runs(setup, rate: float, kinds: set[str]) -> None:
    _, runs, config = setup
    status = train_run(runs.folder(runs.create(config.replace(learning_rate=rate, num_train_epochs=3))))
    assert status.reading["kind"] in kinds
    assert status.reading == runs.status(runs.ids()[0]).reading, "kept with the run"
