"""A run whose model is still on the Hub: training fetches it first, with the token the app has, and writes that nowhere."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from studio.datasets import DatasetStore
from studio.models import hub as models
from studio.models.catalog import ModelCatalog
from studio.models.token import HubToken
from studio.runs import RunStore
from studio.training.jobs import TrainingJobs
from studio.workspace import Workspace
from tests.hub import FakeHub
from tests.models.hub.conftest import CARD, REPO
from tests.training.conftest import tiny_run

TOKEN = "hf_canaryOfARun"


@pytest.mark.long
def test_training_fetches_the_model_it_was_set_up_with(
    hub: FakeHub, workspace: Workspace, tiny_files: dict[str, bytes], tmp_path: Path
) -> None:
    hub.add("models", REPO, tiny_files, gated=True, token=TOKEN, card=CARD)
    model_id = models.remember(workspace, models.look(REPO, token=TOKEN))
    token, runs = HubToken(), RunStore(workspace)
    token.take(TOKEN)
    jobs = TrainingJobs(runs, DatasetStore(workspace), ModelCatalog(workspace), token=token)
    config = tiny_run(workspace).replace(base_model=model_id, num_train_epochs=1, evaluations=1)
    run_id = jobs.start(config)
    jobs._threads[run_id].join(300)
    status = runs.status(run_id)
    assert status.state == "finished", status.error
    assert models.is_here(workspace, model_id)
    adapter = json.loads((runs.adapter(run_id) / "adapter_config.json").read_text())
    assert adapter["base_model_name_or_path"] == REPO
    for path in tmp_path.rglob("*"):
        assert not path.is_file() or TOKEN.encode() not in path.read_bytes(), path
