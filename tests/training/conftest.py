"""A small data set and a run of the tiny model over it."""

from __future__ import annotations

import pytest

from studio.config import RunConfig
from studio.datasets import DatasetStore
from studio.records import Example
from studio.runs import RunStore
from studio.workspace import Workspace
from tests.training.preloaded import Preloaded

PRELOADED = pytest.StashKey[Preloaded]()
WORDS = "red green blue north south east west bread cake salt rye oven early late open closed".split()  # noqa: SIM905


def chat(question: str, answer: str, row: int = 0) -> Example:
    turns = ({"role": "user", "content": question}, {"role": "assistant", "content": answer})
    return Example(messages=turns, source_row=row)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Everything is imported and nothing computed yet."""
    if any("preloaded" in getattr(item, "fixturenames", ()) for item in session.items):
        session.config.stash[PRELOADED] = Preloaded()


@pytest.fixture
def preloaded(request: pytest.FixtureRequest) -> Preloaded:
    return request.config.stash[PRELOADED]


@pytest.fixture
def setup(tiny_workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> tuple[Workspace, RunStore, RunConfig]:
    monkeypatch.setattr("studio.training.callbacks.SAMPLE_TOKENS", 2)  # half the time of such short runs would be answers
    return tiny_workspace, RunStore(tiny_workspace), tiny_run(tiny_workspace)


def tiny_run(workspace: Workspace) -> RunConfig:
    """Save the data set and set up 24 steps over it."""
    examples = [chat(f"what is {word} {n}", f"it is {WORDS[-i]}", 4 * i + n) for i, word in enumerate(WORDS) for n in range(2)]
    splits = ["validation" if i % 8 == 0 else "train" for i in range(len(examples))]
    record = DatasetStore(workspace).create("words", examples, splits, format="pairs", seed=1)
    return RunConfig(name="tiny run").replace(
        dataset_id=record.id,
        dataset_sha256=record.sha256,
        base_model="tiny",
        quantization="none",
        r=4,
        learning_rate=5e-3,
        per_device_train_batch_size=4,
        gradient_accumulation_steps=2,
        num_train_epochs=6,
        evaluations=4,
        max_length=128,
    )
