"""Run folders and data set folders as typed stores."""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path

import pytest

from studio.config import RunConfig
from studio.datasets import DatasetStore
from studio.errors import Busy, ConfigError, NotFound, StudioError
from studio.records import Example, LeftOut, Provenance, RunStatus
from studio.runs import START_GRACE, RunStore, thin
from studio.workspace import Workspace, write_json


@pytest.fixture
def runs(tmp_path: Path) -> RunStore:
    return RunStore(Workspace(tmp_path))


def test_a_new_run_holds_its_settings(runs: RunStore) -> None:
    config = RunConfig(name="Bakery  voice\u202e").replace(r=8)
    run_id = runs.create(config)
    assert runs.config(run_id).adapter.r == 8
    assert runs.config(run_id).name == "Bakery voice"
    assert runs.status(run_id).state == "queued"
    assert runs.ids() == [run_id]
    with pytest.raises(ConfigError):
        runs.create(RunConfig().replace(r=0))
    assert runs.ids() == [run_id]


def test_a_run_discarded_while_it_is_asked_to_stop_is_not_found(runs: RunStore, monkeypatch: pytest.MonkeyPatch) -> None:
    run_id = runs.create(RunConfig())  # just queued: it counts as live
    status = runs.status(run_id)

    def gone_afterwards(_: str) -> RunStatus:
        runs.remove(run_id)
        return status

    monkeypatch.setattr(runs, "status", gone_afterwards)
    with pytest.raises(NotFound):
        runs.request_stop(run_id, "pause")


def test_live_without_a_lock_reads_as_interrupted(runs: RunStore) -> None:
    run_id = runs.create(RunConfig())
    lock = runs.lock(run_id)
    assert lock.acquire("test")
    runs.write_status(run_id, RunStatus(state="running", step=3))
    assert runs.status(run_id).state == "running" and runs.live() == run_id
    assert runs.mark_interrupted() == []
    with pytest.raises(Busy):
        runs.delete(run_id)
    lock.release()
    assert runs.status(run_id).state == "interrupted" and runs.live() is None
    assert runs.mark_interrupted() == [run_id]
    assert RunStatus.from_json(runs.status(run_id).to_json()).step == 3
    runs.delete(run_id)
    with pytest.raises(NotFound):
        runs.status(run_id)


def test_a_run_queued_long_ago_without_a_lock_is_interrupted(runs: RunStore) -> None:
    run_id = runs.create(RunConfig())
    old = dataclasses.replace(runs.status(run_id), updated_at=time.time() - START_GRACE - 1)
    write_json(runs.folder(run_id) / "status.json", old.to_json())
    assert runs.status(run_id).state == "interrupted"


def test_metrics_forget_what_a_resume_made_void(runs: RunStore) -> None:
    run_id = runs.create(RunConfig())
    for step in (1, 2, 3):
        runs.append(run_id, "metrics", {"step": step, "loss": float(step)})
    runs.append(run_id, "metrics", {"step": 3, "validation_loss": 9.0})
    with open(runs.folder(run_id) / "metrics.jsonl", "a") as handle:
        handle.write('{"step": 4, "lo')  # cut by a crash
    runs.append(run_id, "metrics", {"resume": 2})
    runs.append(run_id, "metrics", {"step": 3, "loss": 30.0})
    curve = runs.curve(run_id)
    assert curve.training == [(1, 1.0), (2, 2.0), (3, 30.0)]
    assert curve.validation == []
    with pytest.raises(ValueError):
        runs.append(run_id, "metrics", {"step": 4, "loss": float("nan")})


def test_a_curve_is_bounded_for_runs_of_any_length() -> None:
    points = [(step, float(step)) for step in range(1, 100_001)]
    thinned = thin(points, 600)
    assert len(thinned) == 600
    assert thinned[0] == points[0] and thinned[-1] == points[-1]
    assert all(left[0] < right[0] for left, right in zip(thinned, thinned[1:], strict=False))
    middle = sum(value for _, value in thinned) / len(thinned)
    assert abs(middle - 50_000) < 200
    assert thin([(1, None), (2, 1.0)], 600) == [(1, None), (2, 1.0)]


def test_renaming_keeps_the_folder(runs: RunStore) -> None:
    run_id = runs.create(RunConfig())
    runs.rename(run_id, " New\nname ")
    assert runs.config(run_id).name == "New name"
    assert runs.ids() == [run_id]


def test_stopping_is_asked_through_the_folder(runs: RunStore) -> None:
    run_id = runs.create(RunConfig())
    runs.request_stop(run_id)
    assert runs.stop_requested(run_id)
    runs.clear_stop(run_id)
    assert not runs.stop_requested(run_id)


def test_a_data_set_keeps_rows_splits_and_reasons(tmp_path: Path) -> None:
    store = DatasetStore(Workspace(tmp_path / "w"))
    source = tmp_path / "my file.csv"
    source.write_text("q,a\nx,y\n")
    chat = ({"role": "user", "content": "Hi <b>"}, {"role": "assistant", "content": "Hello ✓"})
    record = store.create(
        "My ../ examples",
        [Example(messages=chat, source_row=2), Example(text="Once upon a time", source_row=3)],
        ["train", "validation"],
        original=source,
        left_out=[LeftOut(4, "The answer is empty.", "x")],
        format="pairs",
        seed=1,
        provenance=Provenance(origin="me"),
    )
    assert record.counts == {"train": 1, "validation": 1} and record.left_out == 1
    assert store.rows(record.id, "train") == [Example(messages=chat, source_row=2)]
    assert store.rows(record.id)[1].text == "Once upon a time"
    assert store.left_out(record.id) == [LeftOut(4, "The answer is empty.", "x")]
    assert (store.folder(record.id) / "original" / "source.csv").read_bytes() == source.read_bytes()
    assert store.ids() == [record.id] and store.disk(record.id) > 0
    store.rename(record.id, "Other")
    assert store.get(record.id).name == "Other" and store.get(record.id).sha256 == record.sha256
    store.delete(record.id)
    assert store.ids() == []
    with pytest.raises(NotFound):
        store.get(record.id)


def test_nothing_to_learn_from_is_refused(tmp_path: Path) -> None:
    store = DatasetStore(Workspace(tmp_path))
    with pytest.raises(StudioError):
        store.create("x", [], [], format="pairs", seed=1)
    assert store.ids() == []
