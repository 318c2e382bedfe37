"""A new run goes on from what an earlier one learned."""

from __future__ import annotations

import pytest

from studio.datasets import DatasetStore
from studio.errors import NotFound, StudioError
from studio.models.catalog import ModelCatalog
from studio.training.job import train_run
from studio.training.jobs import TrainingJobs
from studio.workspace import sha256_file

pytestmark = pytest.mark.long

WEIGHTS = "adapter_model.safetensors"


@pytest.fixture
def earlier(setup):
    """(workspace, runs, config, id of a finished run)"""
    workspace, runs, config = setup
    config = config.replace(num_train_epochs=2)
    run_id = runs.create(config)
    assert train_run(runs.folder(run_id)).state == "finished"
    return workspace, runs, config, run_id


def jobs_of(workspace, runs) -> TrainingJobs:
    return TrainingJobs(runs, DatasetStore(workspace), ModelCatalog(workspace))


def test_it_begins_where_the_earlier_one_ended(earlier, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace, runs, config, first = earlier
    monkeypatch.setattr(TrainingJobs, "_launch", lambda *_: None)
    second = jobs_of(workspace, runs).start(config.replace(start_from=first, r=64, lora_alpha=1, lora_dropout=0.0))
    adapter = runs.config(second).adapter
    assert (adapter.r, adapter.lora_alpha) == (config.adapter.r, config.adapter.lora_alpha), "the shape is the earlier one's"
    runs.delete(first)
    status = train_run(runs.folder(second))
    assert status.state == "finished", status.error
    before = runs.status(second).base_validation_loss
    assert status.best_validation_loss < before
    curve = runs.curve(second)
    assert curve.validation[0][1] == before < 6, "what the earlier one had reached, not what the base model does"


def test_its_first_loss_is_the_earlier_ones_best(earlier) -> None:
    _, runs, config, first = earlier
    second = runs.create(config.replace(start_from=first))
    runs.take_over(second, first)
    status = train_run(runs.folder(second))
    assert status.base_validation_loss == pytest.approx(runs.status(first).best_validation_loss, rel=1e-5)
    base = [sample.answer for sample in runs.samples(first) if sample.step == 0]
    assert [sample.answer for sample in runs.samples(second) if sample.step == 0] == base, "asked of the base model all the same"


def test_stopping_and_going_on_gives_the_same_run(earlier) -> None:
    _, runs, config, first = earlier
    whole, parts = (runs.create(config.replace(start_from=first)) for _ in range(2))
    for run_id in (whole, parts):
        runs.take_over(run_id, first)
    train_run(runs.folder(whole))
    train_run(runs.folder(parts), lambda: sum("loss" in item for item in runs.metrics(parts)) >= 5)
    assert train_run(runs.folder(parts)).state == "finished"
    assert runs.curve(parts).training == runs.curve(whole).training
    assert sha256_file(runs.adapter(parts) / WEIGHTS) == sha256_file(runs.adapter(whole) / WEIGHTS)


def test_what_it_cannot_go_on_from_is_said(earlier) -> None:
    workspace, runs, config, first = earlier
    jobs, known = jobs_of(workspace, runs), runs.ids()
    with pytest.raises(NotFound):
        jobs.start(config.replace(start_from="gone-000000"))
    with pytest.raises(NotFound):
        jobs.start(config.replace(start_from="../../etc"))
    with pytest.raises(StudioError, match="another model"):
        other = runs.create(config.replace(base_model="starter"))
        jobs.start(config.replace(start_from=other))
    runs.write_status(other, runs.status(first))
    runs.delete(other)
    empty = runs.create(config)
    runs.write_status(empty, runs.status(first))
    with pytest.raises(NotFound):
        jobs.start(config.replace(start_from=empty))
    runs.delete(empty)
    assert runs.ids() == known, "nothing half-made is left"


def test_an_adapter_that_does_not_fit_ends_the_run_with_a_sentence(earlier) -> None:
    _, runs, config, first = earlier
    second = runs.create(config.replace(start_from=first, r=2))
    runs.take_over(second, first)
    status = train_run(runs.folder(second))
    assert status.state == "failed" and status.error["why"] == "The earlier adapter does not fit."
