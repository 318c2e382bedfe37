"""What a run was promised to take stands beside what it took, and later estimates learn from it."""

from __future__ import annotations

import pytest

from studio.config import RunConfig
from studio.models.corrections import Corrections, ratios_of
from studio.runs import RunStore
from studio.training.job import train_run
from studio.workspace import Workspace

pytestmark = pytest.mark.long

Setup = tuple[Workspace, RunStore, RunConfig]


def test_a_run_keeps_its_promise_beside_what_it_took(setup: Setup) -> None:
    workspace, runs, config = setup
    run_id = runs.create(config.replace(num_train_epochs=1, evaluations=1))
    status = train_run(runs.folder(run_id))
    assert status.state == "finished", status.error
    assert 0 < status.promised_bytes_low < status.promised_bytes < status.promised_bytes_high
    assert 0 < status.promised_seconds_low < status.promised_seconds < status.promised_seconds_high
    assert status.started_at <= status.promised_at <= status.finished_at
    assert (status.promised_device, status.promised_memory_factor, status.promised_time_factor) == ("cpu", 1.0, 1.0)
    assert {"memory", "time"} == set(ratios_of(status))
    assert Corrections(workspace).now().factors("cpu", "none") == (1.0, 1.0, "")


def test_a_run_that_goes_on_keeps_its_first_promise(setup: Setup) -> None:
    _, runs, config = setup
    run_id = runs.create(config.replace(num_train_epochs=1))
    first = train_run(runs.folder(run_id), lambda: runs.status(run_id).step >= 1)
    runs_after = train_run(runs.folder(run_id))
    assert first.promised_at and first.state == "stopped" and runs_after.state == "finished"
    assert runs_after.promised_at is None and runs_after.promised_bytes == first.promised_bytes
    assert set(ratios_of(runs_after)) <= {"memory"}
