"""What happens in the middle of a step: memory runs out, numbers run away, the device breaks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from studio.records import RunStatus
from studio.runs import RunStore
from studio.training.faults import DeviceBroken, device_broken, is_device_broken, is_out_of_memory
from studio.training.fused.layers import read_decoder
from studio.training.fused.step import FusedStep
from studio.training.job import train_run
from studio.training.loop import Loop
from studio.training.packs import Pack
from studio.training.step import PaddedStep
from tests.training.tiny import base_of, rows_of, with_adapter

pytestmark = pytest.mark.long

NO_ROOM: list[BaseException] = [
    MemoryError(),
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
    RuntimeError("[enforce fail at alloc_cpu.cpp:119] DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes"),
]


@pytest.mark.parametrize("error", NO_ROOM, ids=lambda error: type(error).__name__)
def test_out_of_memory_is_known(error: BaseException) -> None:
    assert is_out_of_memory(error) and not is_device_broken(error)


@pytest.mark.parametrize(
    "text", ["CUDA error: device-side assert triggered", "CUDA error: an illegal memory access was encountered"]
)
def test_a_broken_device_is_known(text: str) -> None:
    assert is_device_broken(RuntimeError(text)) and not is_out_of_memory(RuntimeError(text))
    assert not is_device_broken(ValueError(text))
    assert isinstance(device_broken(), DeviceBroken)


def too_large_for(most: int, real: Callable[..., Any], error: BaseException) -> Callable[..., Any]:
    """`real`, unless the pack has more than `most` rows."""

    def limited(step: FusedStep, pack: Pack) -> Any:
        loss = real(step, pack)
        if torch.is_grad_enabled() and pack.rows > most and step.decoder.embedding.training:
            raise error
        return loss

    return limited


@pytest.mark.parametrize(
    ("most", "error"),
    [(1, NO_ROOM[0]), (3, NO_ROOM[1]), (2, NO_ROOM[2])],
)
def test_a_step_without_room_is_done_again_in_smaller_parts(setup, monkeypatch, most: int, error: BaseException) -> None:
    _, runs, config = setup
    config = config.replace(per_device_train_batch_size=8, num_train_epochs=2)
    plain, tight = runs.create(config), runs.create(config)
    assert train_run(runs.folder(plain)).state == "finished"
    monkeypatch.setattr(FusedStep, "loss_sum", too_large_for(most, FusedStep.loss_sum, error))
    assert train_run(runs.folder(tight)).state == "finished"
    assert any(event["kind"] == "memory" for event in runs.lines(tight, "events"))
    losses = [[loss for _, loss in runs.curve(run_id).training] for run_id in (plain, tight)]
    assert losses[1] == pytest.approx(losses[0], rel=1e-4)
    metrics = [[line["tokens"] for line in runs.metrics(run_id) if "tokens" in line] for run_id in (plain, tight)]
    assert metrics[0] == metrics[1], "no row was skipped or taken twice"


def test_where_not_even_one_row_fits_it_says_so_and_can_go_on(setup, monkeypatch) -> None:
    _, runs, config = setup
    run_id = runs.create(config)
    with monkeypatch.context() as patch:
        patch.setattr(FusedStep, "loss_sum", too_large_for(0, FusedStep.loss_sum, MemoryError()))
        status = train_run(runs.folder(run_id))
    assert status.state == "failed" and "memory is full" in status.error["what"]
    assert train_run(runs.folder(run_id)).state == "finished"


def test_both_steps_shrink_to_single_rows_and_then_give_up() -> None:
    rows = rows_of(9, 12)
    padded = PaddedStep(with_adapter(base_of("llama")), None, batch=64, pad_id=0)
    sizes = []
    while padded.shrink(rows):
        sizes.append(padded.batch)
    assert sizes == [4, 2, 1]
    fused = FusedStep(read_decoder(with_adapter(base_of("llama")), 64), "cpu", tokens=10_000)
    parts = [len(list(fused.batches(rows)))]
    while not fused.decoder.lean and fused.shrink(rows):
        parts.append(len(list(fused.batches(rows))))
    assert parts[:-1] == sorted(set(parts))
    assert parts[0] == 1 and parts[-2:] == [9, 9], "last of all a single row is computed with less kept"
    assert not fused.shrink(rows)


def run_with(runs: RunStore, config: Any, monkeypatch: pytest.MonkeyPatch, patched: Callable[..., Any]) -> RunStatus:
    real = Loop._optimizer_step
    monkeypatch.setattr(Loop, "_optimizer_step", lambda loop, *rest: patched(real, loop, *rest))
    run_id = runs.create(config)
    status = train_run(runs.folder(run_id))
    return status, run_id


def test_a_loss_that_runs_away_without_becoming_infinite_stops_too(setup, monkeypatch) -> None:
    _, runs, config = setup

    def away(real: Any, loop: Loop, step: int, *rest: Any) -> Any:
        if step == 8:  # bounded logits keep a tiny model's own loss near that of guessing, so it is raised here
            plain = loop.step.loss_sum
            loop.step.loss_sum = lambda pack: plain(pack) * 100
        return real(loop, step, *rest)

    status, run_id = run_with(runs, config, monkeypatch, away)
    assert status.state == "failed" and "learning rate" in status.error["why"]
    assert 8 <= max(step for step, _ in runs.curve(run_id).training) <= 11
    assert runs.adapter(run_id) is not None


def test_a_broken_device_is_left_alone_and_can_be_resumed(setup, monkeypatch) -> None:
    _, runs, config = setup

    def broken(real: Any, loop: Loop, step: int, *rest: Any) -> Any:
        if step == 9:
            loop.step.loss_sum = lambda pack: (_ for _ in ()).throw(RuntimeError("CUDA error: device-side assert triggered"))
        return real(loop, step, *rest)

    status, run_id = run_with(runs, config, monkeypatch, broken)
    assert status.state == "interrupted" and "start it again" in status.error["fix"]
    monkeypatch.undo()
    assert train_run(runs.folder(run_id)).state == "finished"


def test_a_full_disk_pauses_the_run_and_keeps_the_checkpoint_before(setup, monkeypatch, tmp_path: Path) -> None:
    from studio.training import checkpoints

    _, runs, config = setup
    real, saves = checkpoints.save_file, []

    def full(tensors: Any, path: Path) -> None:
        saves.append(path)
        if len(saves) > 7:
            raise OSError(28, "No space left on device")
        real(tensors, path)

    run_id = runs.create(config)
    with monkeypatch.context() as patch:
        patch.setattr(checkpoints, "save_file", full)
        status = train_run(runs.folder(run_id))
    assert status.state == "paused" and "disk" in status.error["why"].lower()
    saved, damaged = checkpoints.newest(runs.folder(run_id) / "checkpoints")
    assert saved is not None and not damaged
    assert not list((runs.folder(run_id) / "checkpoints").glob(".staging-*"))
    assert train_run(runs.folder(run_id)).state == "finished"
