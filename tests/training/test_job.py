"""Runs from folder to adapter on a tiny random model: finishing, stopping, going on, failing, and who may start."""

from __future__ import annotations

import dataclasses
import os
import signal
import threading
import time
from pathlib import Path

import pytest
import torch

from studio.config import RunConfig
from studio.datasets import DatasetStore
from studio.errors import Busy, NoSpace, StudioError
from studio.models.catalog import ModelCatalog
from studio.models.lease import DeviceLease
from studio.records import Example
from studio.runs import RunStore
from studio.training import checkpoints
from studio.training.callbacks import sample_prompts
from studio.training.fused.step import FusedStep
from studio.training.job import train_run
from studio.training.jobs import TrainingJobs
from studio.training.loop import Loop
from studio.workspace import Workspace
from tests.training.conftest import chat
from tests.training.preloaded import Preloaded

pytestmark = pytest.mark.long

ROOT = Path(__file__).parents[2]


def jobs_of(workspace: Workspace, runs: RunStore) -> TrainingJobs:
    return TrainingJobs(runs, DatasetStore(workspace), ModelCatalog(workspace))


def after(runs: RunStore, run_id: str, steps: int):
    """A stop function that asks to stop once `steps` steps are written."""
    return lambda: sum("loss" in item for item in runs.metrics(run_id)) >= steps


def test_a_run_ends_with_an_adapter_that_plain_peft_loads(setup, tiny_model: Path) -> None:
    _, runs, config = setup
    run_id = runs.create(config)
    status = train_run(runs.folder(run_id))
    assert status.state == "finished", status.error
    assert status == dataclasses.replace(runs.status(run_id), updated_at=status.updated_at)
    assert status.step == status.total_steps == config.total_steps(28) == 24
    assert status.best_validation_loss < status.base_validation_loss
    curve = runs.curve(run_id)
    assert [step for step, _ in curve.training] == list(range(1, 25))
    assert [step for step, _ in curve.validation] == [0, 6, 12, 18, 24]
    assert status.adapter_step == status.best_step == min(curve.validation[1:], key=lambda item: item[1])[0]
    assert {sample.step for sample in runs.samples(run_id)} >= {0, 24}
    assert not list((runs.folder(run_id) / "checkpoints").glob("step-*"))
    assert not runs.lock(run_id).held()

    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    base = AutoModelForCausalLM.from_pretrained(tiny_model)
    tuned = PeftModel.from_pretrained(base, runs.adapter(run_id))
    ids = torch.arange(5, 15)[None]
    with torch.no_grad():
        learned = tuned(input_ids=ids).logits
        with tuned.disable_adapter():
            plain = tuned(input_ids=ids).logits
    assert not torch.allclose(learned, plain)
    files = {path.name for path in runs.adapter(run_id).iterdir()}
    assert files == {"adapter_config.json", "adapter_model.safetensors", "chat_template.jinja"}
    assert str(ROOT) not in (runs.adapter(run_id) / "adapter_config.json").read_text()


@pytest.mark.parametrize("kind", ["cosine", "linear", "constant"])
def test_every_step_learns_and_the_rate_rises_and_falls(setup, kind: str) -> None:
    _, runs, config = setup
    run_id = runs.create(config.replace(lr_scheduler_type=kind, warmup_ratio=0.5, num_train_epochs=2, evaluations=1))
    train_run(runs.folder(run_id))
    rates = [item["learning_rate"] / 5e-3 for item in runs.metrics(run_id) if "learning_rate" in item]
    assert len(rates) == 8
    rise, fall = rates[:4], rates[3:]
    assert kind == "constant" or rise == pytest.approx([0.25, 0.5, 0.75, 1.0])
    assert kind == "constant" or (fall == sorted(fall, reverse=True) and 0 < fall[-1] < 0.25)
    assert kind != "constant" or rates == [1.0] * 8


def checked_as(losses: list[float]):
    """A stand-in for the measured validation loss, check after check."""
    told = iter(losses)
    return lambda loop, rows: next(told)


def test_it_ends_when_it_no_longer_improves_and_keeps_the_best(setup, monkeypatch) -> None:
    _, runs, config = setup
    config = config.replace(evaluations=8, num_train_epochs=2)  # 8 steps, a check after each
    for patience, losses, end in [
        (3, [5, 3, 2, 2.5, 2.4, 2.3], 5),
        (3, [5, 3, 2, 2.5, 1.9, 2, 2, 1.8, 1.7], 8),
        (0, [5] * 9, 8),
    ]:
        run_id = runs.create(config.replace(early_stopping_patience=patience))
        monkeypatch.setattr(Loop, "validation_loss", checked_as(losses))
        status = train_run(runs.folder(run_id))
        assert (status.state, status.step, status.total_steps) == ("finished", end, 8)
        assert status.adapter_step == status.best_step
        assert not runs.resumable(run_id)


def test_a_pause_does_not_change_when_it_stops_improving(setup, monkeypatch) -> None:
    _, runs, config = setup
    run_id = runs.create(config.replace(evaluations=8))
    monkeypatch.setattr(Loop, "validation_loss", checked_as([5, 3, 2, 2.5, 2.4, 2.4, 2.3]))  # one check more: at the pause
    assert train_run(runs.folder(run_id), after(runs, run_id, 10)).step == 10
    assert train_run(runs.folder(run_id)).step == 15


@pytest.mark.parametrize(
    ("changes", "cuts"),
    [
        ({}, (2, 11)),
        ({"optim": "adamw_8bit", "r": 64, "neftune_noise_alpha": 5.0, "gradient_checkpointing": True}, (5,)),
        ({"lora_dropout": 0.1}, (3, 7)),
        ({"init_lora_weights": "pissa", "new_tokens": "oven bread", "weight_decay": 0.1}, (7,)),
    ],
    ids=["plain", "8 bit and noise", "dropout", "pissa and new words"],
)
def test_stopping_and_going_on_gives_the_same_run(setup, changes: dict[str, object], cuts: tuple[int, ...]) -> None:
    _, runs, config = setup
    config = config.replace(num_train_epochs=3, **changes)  # 12 steps, a check every third
    whole = runs.create(config)
    expected = train_run(runs.folder(whole))
    for cut in cuts:
        parts = runs.create(config)
        stopped = train_run(runs.folder(parts), after(runs, parts, cut))
        assert stopped.state == "stopped" and stopped.step == cut
        assert runs.adapter(parts) is not None
        assert runs.resumable(parts)
        finished = train_run(runs.folder(parts))
        assert finished.state == "finished" and finished.step == expected.step
        assert runs.curve(parts).training == runs.curve(whole).training
        final = [dict(runs.curve(item).validation)[expected.total_steps] for item in (whole, parts)]
        assert final[0] == final[1]


def test_runs_of_different_number_formats_follow_each_other_in_one_process(setup) -> None:
    _, runs, config = setup
    for dtype in ("float32", "bfloat16"):
        run_id = runs.create(config.replace(num_train_epochs=1))
        runs.write_status(run_id, dataclasses.replace(runs.status(run_id), compute_dtype=dtype))
        status = train_run(runs.folder(run_id))
        assert (status.state, status.compute_dtype) == ("finished", dtype), status.error


def test_a_killed_run_goes_on_from_its_last_checkpoint(setup, preloaded: Preloaded) -> None:
    workspace, runs, config = setup
    run_id = runs.create(config.replace(num_train_epochs=400, evaluations=100))
    child = preloaded.train(str(runs.folder(run_id)))
    checkpoint_folder = runs.folder(run_id) / "checkpoints"
    deadline = time.monotonic() + 90
    while not list(checkpoint_folder.glob("step-*")) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert runs.status(run_id).state == "running"
    assert runs.live() == run_id, "a run of another process is live, not interrupted"
    assert runs.mark_interrupted() == []
    with pytest.raises(Busy):
        train_run(runs.folder(run_id))
    with pytest.raises(Busy):
        jobs_of(workspace, runs).start(config.replace(seed=7))
    os.kill(child, signal.SIGKILL)
    assert preloaded.wait(child) == -signal.SIGKILL
    assert runs.status(run_id).state == "interrupted"
    saved, damaged = checkpoints.newest(checkpoint_folder)
    assert saved is not None and not damaged
    reached = int(saved.name.split("-")[1])

    def three_more() -> bool:  # what was written before the kill does not count
        went_on = any(event["kind"] == "resume" for event in runs.lines(run_id, "events"))
        return went_on and after(runs, run_id, reached + 3)()

    status = train_run(runs.folder(run_id), three_more)
    assert status.state == "stopped" and status.step == reached + 3
    steps = [step for step, _ in runs.curve(run_id, points=10**6).training]
    assert steps == list(range(1, status.step + 1))


def test_a_signal_stops_the_command_and_keeps_what_was_learned(setup, preloaded: Preloaded) -> None:
    _, runs, config = setup
    run_id = runs.create(config.replace(num_train_epochs=400, evaluations=50))
    child = preloaded.train(str(runs.folder(run_id)))
    deadline = time.monotonic() + 90
    while runs.status(run_id).step < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    os.kill(child, signal.SIGTERM)
    assert preloaded.wait(child) == 0
    assert runs.status(run_id).state == "stopped"
    assert runs.adapter(run_id) is not None


@pytest.mark.parametrize("error", [SystemExit(3), ValueError("x"), KeyboardInterrupt()])
def test_whatever_kills_the_training_leaves_no_running_state(setup, monkeypatch, error: BaseException) -> None:
    _, runs, config = setup
    run_id = runs.create(config)
    real = FusedStep.loss_sum

    def dying(step, pack):
        if runs.status(run_id).step >= 7:
            raise error
        return real(step, pack)

    monkeypatch.setattr(FusedStep, "loss_sum", dying)
    monkeypatch.setattr("studio.training.callbacks.STATUS_INTERVAL", 0.0)
    thread = threading.Thread(target=train_run, args=(runs.folder(run_id),))
    thread.start()
    thread.join(60)
    status = runs.status(run_id)
    assert status.state == "failed" and status.error["what"] and status.error["fix"]
    assert "Traceback" not in " ".join(status.error.values())
    assert status.error["id"] in runs.log(run_id)
    assert "Traceback" in runs.log(run_id)
    assert not runs.lock(run_id).held()
    assert runs.adapter(run_id) is not None, "the adapter of the last good check stays"
    monkeypatch.setattr(FusedStep, "loss_sum", real)
    assert train_run(runs.folder(run_id)).state == "finished"


def test_numbers_that_run_away_stop_the_run_at_once(setup, monkeypatch) -> None:
    _, runs, config = setup
    run_id = runs.create(config)
    real, calls = Loop._optimizer_step, []

    def broken(loop, step, rows, started):
        calls.append(step)
        if step == 9:
            with torch.no_grad():
                loop.parameters[0].fill_(float("nan"))
        return real(loop, step, rows, started)

    monkeypatch.setattr(Loop, "_optimizer_step", broken)
    status = train_run(runs.folder(run_id))
    assert status.state == "failed" and "learning rate" in status.error["why"]
    assert "step 9" in status.error["what"]
    assert runs.adapter(run_id) is not None
    assert calls[-1] == 9 and max(step for step, _ in runs.curve(run_id).training) == 8


def test_one_run_at_a_time_and_pressing_twice_starts_one(setup) -> None:
    workspace, runs, config = setup
    jobs = jobs_of(workspace, runs)
    long = config.replace(num_train_epochs=400)
    first = jobs.start(long)
    assert jobs.start(long) == first
    with pytest.raises(Busy):
        jobs.start(config)
    assert jobs.running() == first
    jobs.stop(first)
    deadline = time.monotonic() + 60
    while runs.status(first).live and time.monotonic() < deadline:
        time.sleep(0.05)
    assert runs.status(first).state == "stopped"
    jobs.resume(first)
    jobs.resume(first)
    assert jobs.running() == first
    jobs.close(60)
    assert runs.status(first).state == "stopped" and jobs.running() is None


def test_training_waits_for_the_device_and_says_for_whom(setup) -> None:
    workspace, runs, config = setup
    run_id = runs.create(config)
    with DeviceLease(workspace).take("chat"):
        thread = threading.Thread(target=train_run, args=(runs.folder(run_id),))
        thread.start()
        deadline = time.monotonic() + 60
        while runs.status(run_id).phase != "waiting" and time.monotonic() < deadline:
            time.sleep(0.05)
        assert "chat" in runs.status(run_id).detail
    thread.join(60)
    assert runs.status(run_id).state == "finished"


def test_what_cannot_start_is_said_before(setup, monkeypatch) -> None:
    workspace, runs, config = setup
    jobs = jobs_of(workspace, runs)
    with pytest.raises(StudioError):
        jobs.start(config.replace(dataset_id="gone-000000"))
    with pytest.raises(StudioError):
        jobs.start(config.replace(base_model="../../etc"))
    with pytest.raises(StudioError):
        jobs.start(config.replace(r=10**9))
    assert runs.ids() == []
    short = runs.create(config.replace(max_length=32, system_prompt="very long " * 60))
    status = train_run(runs.folder(short))
    assert status.state == "failed" and status.error["why"]
    assert len(runs.lines(short, "left_out")) == 32

    def full(self, needed, purpose):
        raise NoSpace("There is not enough room on the disk.", "", "Free some room.")

    monkeypatch.setattr(Workspace, "require_space", full)
    status = train_run(runs.folder(runs.create(config)))
    assert status.state == "failed" and "room" in status.error["what"]


def test_a_damaged_checkpoint_is_named_and_the_older_one_used(setup) -> None:
    _, runs, config = setup
    run_id = runs.create(config)
    train_run(runs.folder(run_id), after(runs, run_id, 13))
    newest = sorted((runs.folder(run_id) / "checkpoints").glob("step-*"))[-1]
    (newest / "optimizer.safetensors").write_bytes(b"")
    status = train_run(runs.folder(run_id))
    assert status.state == "finished"
    assert any(event["kind"] == "damaged" and newest.name in event["text"] for event in runs.lines(run_id, "events"))


def test_the_three_questions_suit_the_goal() -> None:
    rows = [chat(f"q{i}", "A" if i % 2 else "B" * i) for i in range(8)] + [chat("q9", "C")]
    assert len(sample_prompts(rows, "questions")) == 3
    assert sample_prompts(rows, "voice")[0] == "q6"
    answers = {example.messages[0]["content"]: example.messages[1]["content"] for example in rows}
    assert len({answers[prompt] for prompt in sample_prompts(rows, "sorting")}) == 3
    assert sample_prompts([chat("same", "x"), chat("same", "y")], "questions") == ["same"]
    assert sample_prompts([Example(text="once upon a time")], "voice") == ["once upon a time"]
    assert sample_prompts([], "format") == []


def test_every_setting_reaches_the_trainer(setup, monkeypatch) -> None:
    """No dead knob: each changed setting changes what the libraries are given or what is computed."""
    _, runs, config = setup
    seen: dict[str, object] = {}

    class Enough(Exception):
        pass

    def spy(self, train, validation, folder, stop):
        lora = self.model.peft_config["default"]
        prompts = self.listener.sampler.prompts
        seen["value"] = repr(
            [
                (lora.r, lora.lora_alpha, lora.lora_dropout, sorted(lora.target_modules), lora.use_rslora, lora.use_dora),
                (lora.trainable_token_indices, type(self.optimizer).__name__, self.model.dtype, vars(self.step).get("_noise")),
                self.step.decoder.recompute if self.step.name == "fused" else self.step.name,
                (self.recipe, self.plan, prompts, len(self.optimizer.param_groups[0]["params"])),
                (self.scheduler.lr_lambdas[0].func.__name__, [row.input_ids for row in train[:2]], len(train)),
                type(self.model.get_base_model().model.layers[0].self_attn.q_proj.base_layer).__name__,
            ]
        )
        raise Enough

    monkeypatch.setattr(Loop, "run", spy)
    monkeypatch.setattr("studio.training.callbacks.PROMPTS", 2)

    def what(changed: RunConfig) -> object:
        train_run(runs.folder(runs.create(changed)))
        return seen.pop("value")

    from studio.config import all_settings

    usual = what(config.replace(num_train_epochs=0))
    changes = {
        "system_prompt": "Be brief.",
        "max_length": 33,
        "quantization": "nf4",
        "chat_template": "plain",
        "r": 8,
        "lora_alpha": 7,
        "lora_dropout": 0.3,
        "target_modules": "attention",
        "use_rslora": True,
        "use_dora": True,
        "init_lora_weights": "pissa",
        "new_tokens": "sourdough",
        "compute_dtype": "bfloat16",
        "optim": "adamw_8bit",
        "gradient_checkpointing": True,
        "neftune_noise_alpha": 5.0,
        "goal": "voice",
        "depth": "thorough",
        "num_train_epochs": 9,
        "learning_rate": 1e-3,
        "lr_scheduler_type": "linear",
        "warmup_ratio": 0.4,
        "per_device_train_batch_size": 3,
        "gradient_accumulation_steps": 3,
        "weight_decay": 0.2,
        "max_grad_norm": 0.5,
        "evaluations": 3,
        "early_stopping_patience": 1,
        "seed": 5,
    }
    assert changes.keys() == all_settings().keys()
    for name, value in changes.items():
        if name == "max_length":
            continue  # what it does is proved by test_what_cannot_start_is_said_before and the encoder's own tests
        assert what(config.replace(num_train_epochs=0).replace(**{name: value})) != usual, name
