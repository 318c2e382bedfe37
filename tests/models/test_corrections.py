"""What runs teach: the median of measured over promised, of enough finished runs of the same kind, within bounds."""

from __future__ import annotations

from dataclasses import replace

import pytest

from studio.config import RunConfig
from studio.models.catalog import ModelCatalog
from studio.models.corrections import Corrections, ratios_of
from studio.models.hardware import Hardware
from studio.models.memory import RowSizes, estimate
from studio.records import RunStatus
from studio.runs import RunStore
from studio.workspace import Workspace

DONE = RunStatus(
    state="finished",
    step=10,
    total_steps=10,
    finished_at=1100.0,
    promised_at=1000.0,
    promised_bytes=1000,
    promised_seconds=50.0,
    promised_device="cpu",
    peak_memory_bytes=1200,
)


def add(workspace: Workspace, quantization: str = "nf4", **changes: object) -> str:
    runs = RunStore(workspace)
    run_id = runs.create(RunConfig().replace(quantization=quantization))
    runs.write_status(run_id, replace(DONE, **changes))
    return run_id


def test_too_few_runs_correct_nothing(workspace: Workspace) -> None:
    learned = Corrections(workspace)
    assert learned.now().factors("cpu", "nf4") == (1.0, 1.0, "")
    add(workspace), add(workspace)
    assert learned.now().factors("cpu", "nf4") == (1.0, 1.0, "")
    add(workspace)
    assert learned.now().factors("cpu", "nf4") == (
        1.2,
        1.5,
        "Corrected by 3 of your runs.",
    )  # twice the time is more than is believed
    assert learned.now().factors("cpu", "none")[2] == learned.now().factors("gpu", "nf4")[2] == ""


def test_one_odd_run_changes_little_and_a_correction_is_not_counted_twice(workspace: Workspace) -> None:
    for peak in (1100, 1100, 1100, 9000):
        add(workspace, peak_memory_bytes=peak)
    learned = Corrections(workspace)
    assert learned.now().memory("cpu", "nf4").factor == 1.1
    add(workspace, peak_memory_bytes=1100, promised_bytes=1100, promised_memory_factor=1.1)  # promised what it then took
    assert learned.now().memory("cpu", "nf4").factor == pytest.approx(1.1)


def test_only_whole_runs_count(workspace: Workspace) -> None:
    assert ratios_of(DONE) == {"memory": 1.2, "time": 2.0}
    assert ratios_of(replace(DONE, state="stopped")) == {}
    assert ratios_of(replace(DONE, step=5)) == {"memory": 1.2}  # ended early, since nothing improved
    assert ratios_of(replace(DONE, promised_at=None)) == {"memory": 1.2}  # paused in between
    assert ratios_of(RunStatus(state="finished", peak_memory_bytes=5)) == {}


def test_a_damaged_run_is_passed_over_and_a_changed_one_read_again(workspace: Workspace) -> None:
    learned = Corrections(workspace)
    ids = [add(workspace) for _ in range(4)]
    (workspace.folder("runs", ids[0]) / "config.json").write_text("{", encoding="utf-8")
    assert learned.now().memory("cpu", "nf4").runs == 3
    RunStore(workspace).write_status(ids[1], replace(DONE, peak_memory_bytes=1300))
    RunStore(workspace).write_status(ids[2], replace(DONE, peak_memory_bytes=1300))
    assert learned.now().memory("cpu", "nf4").factor == 1.3


def test_an_estimate_is_corrected_and_says_so(workspace: Workspace) -> None:
    entry, sizes = ModelCatalog(workspace).get("starter"), RowSizes(80, 8, 64.0, 64)
    computer = Hardware(2, 24 * 2**30, 2 * 2**30)  # no room to unpack weights for the sample answers
    plain = estimate(RunConfig(), entry, sizes, computer, learned=Corrections(workspace).now())
    for _ in range(3):
        add(workspace)
    found = estimate(RunConfig(), entry, sizes, computer, learned=Corrections(workspace).now())
    assert found.total_bytes == pytest.approx(1.2 * plain.total_bytes, rel=0.01)
    assert found.model_bytes == plain.model_bytes and sum(part.bytes for part in found.parts) == found.total_bytes
    assert found.seconds == pytest.approx(1.5 * plain.seconds, rel=0.01)
    assert found.learned_from == "Corrected by 3 of your runs." and not plain.learned_from
