"""The faults. Each takes the bench and a count, tries the fault that often, and returns (figure in words, how many held)."""

from __future__ import annotations

import errno
import os
import random
import shutil
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.faults.bench import Bench
from tests.faults.cold import cold_kills

Fault = Callable[[Bench, int], int]
SAVES_OFTEN = 0.0  # seconds between checkpoints


def saving_often() -> None:
    """In a child: a checkpoint after every step, kept until the run ends."""
    from studio.training import loop

    real = loop.Recipe.__init__
    loop.Recipe.__init__ = lambda self, *args, **named: real(self, *args, **{**named, "checkpoint_seconds": SAVES_OFTEN})


def kills(bench: Bench, count: int) -> int:
    """kill -9 at random moments, every other one inside a save; then the newest checkpoint is whole and the run goes on."""
    source, held, run_id = random.Random(1), 0, ""
    for trial in range(count):
        if not run_id or bench.runs.status(run_id).state == "finished":
            run_id = bench.run(num_train_epochs=40)
        inside = trial % 2 == 1
        gate = bench.root / f"gate-{trial}"
        before = bench.checkpoints(run_id)
        known = max((int(path.name[5:]) for path in before.glob("step-*")), default=0)

        def breaking(gate: Path = gate, inside: bool = inside) -> None:
            from studio.training import checkpoints

            saving_often()
            real = checkpoints.save

            def save(*args: Any) -> Path:
                if inside:
                    gate.touch()
                return real(*args)

            checkpoints.save = save

        pid = bench.start(bench.training(run_id, breaking))
        started = time.monotonic()
        if inside:
            while not gate.exists() and time.monotonic() - started < 60:
                time.sleep(0.0005)
            time.sleep(source.random() * 0.02)
        else:
            time.sleep(source.random() * 1.5)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        held += survived(bench, run_id, known)
    return held


def survived(bench: Bench, run_id: str, known: int) -> bool:
    """After a kill: every listed checkpoint verifies, none went backwards, and the state is one a person can go on from."""
    from studio.training import checkpoints

    state = bench.runs.status(run_id).state
    if state == "finished":  # it came to its end before the kill, and needs no checkpoint any more
        return bench.runs.adapter(run_id) is not None and len(bench.losses(run_id)) == bench.runs.status(run_id).total_steps
    newest, damaged = checkpoints.newest(bench.checkpoints(run_id))
    reached = int(newest.name[5:]) if newest else 0
    held = not damaged and reached >= known and (state == "queued" or bench.runs.resumable(run_id))
    if not held:
        sys.stderr.write(f"{run_id}: {state}, checkpoint {reached} after {known}, damaged {damaged}\n")
    return held


def resumes(bench: Bench, count: int) -> int:
    """Stop at a step, go on in another process: losses, validation and adapter equal an uninterrupted run bit for bit."""
    held = 0
    for dropout in (0.0, 0.1):
        whole = bench.run(lora_dropout=dropout)
        assert bench.train(whole) == 0
        expected = record(bench, whole)
        for cut in range(1, 1 + (count + 1) // 2):
            parts, at = bench.run(lora_dropout=dropout), 1 + (cut - 1) % 23
            bench.train(parts, stop=lambda parts=parts, at=at: len(bench.losses(parts)) >= at)
            bench.train(parts)
            found = record(bench, parts)
            held += found[0] == expected[0] and found[2] == expected[2]
    return held


def record(bench: Bench, run_id: str) -> tuple[Any, Any, bytes]:
    """(losses, validation, adapter bytes)."""
    curve = bench.runs.curve(run_id, points=10**6)
    weights = (bench.runs.folder(run_id) / "adapter" / "adapter_model.safetensors").read_bytes()
    return list(curve.training), list(curve.validation), weights


def full_disks(bench: Bench, count: int) -> int:
    """The k-th write of a run's saves fails with ENOSPC or EIO; the run pauses, and finishes once there is room."""
    held = 0
    for trial in range(count):
        run_id, number = bench.run(), errno.ENOSPC if trial % 2 else errno.EIO

        def breaking(trial: int = trial, number: int = number) -> None:
            from studio.training import checkpoints

            real, calls = checkpoints.save_file, []

            def save(tensors: Any, path: Any) -> None:
                calls.append(path)
                if len(calls) == trial + 1:
                    Path(path).write_bytes(b"half")
                    raise OSError(number, os.strerror(number))
                real(tensors, path)

            checkpoints.save_file = save

        bench.train(run_id, breaking)
        paused = bench.runs.status(run_id).state == "paused" or trial >= 12  # 4 saves of 3 files: later writes never come
        bench.train(run_id)
        held += paused and bench.runs.status(run_id).state == "finished"
    return held


def no_memory(bench: Bench, count: int) -> int:
    """Memory runs out in a random pack of a random step; every row is still seen once, and the losses stay the same."""
    source, held = random.Random(2), 0
    whole = bench.run()
    bench.train(whole)
    expected = bench.losses(whole)
    for _ in range(count):
        run_id, at, deep = bench.run(), source.randrange(1, 25), source.random() < 0.5

        def breaking(at: int = at, deep: bool = deep) -> None:
            from studio.training.fused.step import FusedStep
            from studio.training.loop import Loop

            real, step_now, raised = FusedStep.loss_sum, [0], []
            outer = Loop._optimizer_step

            def step(loop: Loop, number: int, *rest: Any) -> Any:
                step_now[0] = number
                return outer(loop, number, *rest)

            def loss_sum(self: FusedStep, pack: Any) -> Any:
                loss = real(self, pack)
                if step_now[0] == at and len(raised) < (2 if deep else 1):
                    raised.append(1)
                    raise MemoryError
                return loss

            Loop._optimizer_step, FusedStep.loss_sum = step, loss_sum

        bench.train(run_id, breaking)
        found = bench.losses(run_id)
        alike = len(found) == len(expected) and all(
            abs(mine - theirs) <= 1e-4 * abs(theirs) for (_, mine), (_, theirs) in zip(found, expected, strict=True)
        )
        told = any(event["kind"] == "memory" for event in bench.runs.lines(run_id, "events"))
        held += alike and told and bench.runs.status(run_id).state == "finished"
    return held


def not_a_number(bench: Bench, count: int) -> int:
    """A weight becomes NaN or infinite at a random step: the run ends within that step, and the last good adapter stays."""
    source, held = random.Random(3), 0
    for trial in range(count):
        run_id, at = bench.run(), source.randrange(8, 24)
        value = float("nan") if trial % 2 else float("inf")

        def breaking(at: int = at, value: float = value) -> None:
            import torch

            from studio.training.loop import Loop

            outer = Loop._optimizer_step

            def step(loop: Loop, number: int, *rest: Any) -> Any:
                if number == at:
                    with torch.no_grad():
                        loop.parameters[0].fill_(value)
                return outer(loop, number, *rest)

            Loop._optimizer_step = step

        bench.train(run_id, breaking)
        last = bench.losses(run_id)[-1][0]
        kept = bench.runs.adapter(run_id) is not None and finite(bench.runs.adapter(run_id))
        held += bench.runs.status(run_id).state == "failed" and last == at - 1 and kept
    return held


def finite(adapter: Path) -> bool:
    """Whether every weight of an adapter is a number; read without torch, so that this process computes nothing."""
    import numpy
    from safetensors.numpy import load_file

    return all(bool(numpy.isfinite(value).all()) for value in load_file(adapter / "adapter_model.safetensors").values())


def dying_threads(bench: Bench, count: int) -> int:
    """Any exception at any step ends as a state with a sentence, and the run can go on."""
    kinds = (ValueError, KeyError, RuntimeError, KeyboardInterrupt, SystemExit, GeneratorExit, RecursionError, AssertionError)
    kinds += (StopIteration, ZeroDivisionError, OSError, TypeError, EOFError, LookupError, ArithmeticError, BufferError)
    kinds += (NotImplementedError, PermissionError, UnicodeError, TimeoutError)
    held = 0
    for trial in range(count):
        run_id, kind = bench.run(), kinds[trial % len(kinds)]

        def breaking(kind: type[BaseException] = kind, at: int = 3 + trial % 20) -> None:
            from studio.training.loop import Loop

            outer = Loop._optimizer_step

            def step(loop: Loop, number: int, *rest: Any) -> Any:
                if number == at:
                    raise kind("something")
                return outer(loop, number, *rest)

            Loop._optimizer_step = step

        bench.train(run_id, breaking)
        status = bench.runs.status(run_id)
        told = status.state == "failed" and bool(status.error and status.error["what"] and status.error["fix"])
        bench.train(run_id)
        held += told and bench.runs.status(run_id).state == "finished"
    return held


def flipped_bits(bench: Bench, count: int) -> int:
    """One bit of a checkpoint flips: it is noticed, named, and the checkpoint before is used."""
    from studio.training import checkpoints

    run_id = bench.run()
    bench.train(run_id, stop=lambda: len(bench.losses(run_id)) >= 20)
    folder, source, held = bench.checkpoints(run_id), random.Random(4), 0
    kept = sorted(folder.glob("step-*"))
    assert len(kept) == 2
    for _ in range(count):
        whole = bench.root / "whole"
        shutil.copytree(kept[1], whole)
        file = source.choice(sorted(path for path in kept[1].iterdir()))
        data = bytearray(file.read_bytes())
        data[source.randrange(len(data))] ^= 1 << source.randrange(8)
        file.write_bytes(data)
        newest, damaged = checkpoints.newest(folder)
        held += newest == kept[0] and damaged == [kept[1]]
        shutil.rmtree(kept[1])
        shutil.move(whole, kept[1])
    return held


def two_starts(bench: Bench, count: int) -> int:
    """Two processes train the same run at once: one does, the other is told; the run is whole."""
    held = 0
    for _ in range(count):
        run_id = bench.run(num_train_epochs=2)
        pids = [bench.start(bench.training(run_id)) for _ in range(2)]
        codes = sorted(bench.wait(pid) for pid in pids)
        steps = [step for step, _ in bench.losses(run_id)]
        finished = bench.runs.status(run_id).state == "finished"
        # the second may also come after the first has ended; then it finds nothing to do
        held += codes in ([0, 1], [0, 0]) and finished and steps == list(range(1, 9))
    return held


def signals(bench: Bench, count: int) -> int:
    """SIGTERM at a random moment: it leaves within 30 s, in order, and goes on later."""
    source, held = random.Random(5), 0
    for _ in range(count):
        run_id = bench.run(num_train_epochs=40)

        def work(run_id: str = run_id) -> None:
            from studio.training.__main__ import main

            main([str(bench.runs.folder(run_id))])

        pid = bench.start(work)
        while not bench.losses(run_id):
            time.sleep(0.01)
        time.sleep(source.random())
        os.kill(pid, signal.SIGTERM)
        started = time.monotonic()
        code = bench.wait(pid, 30)
        held += code in (0, 1) and time.monotonic() - started < 30 and bench.runs.status(run_id).state == "stopped"
    return held


FAULTS: dict[str, tuple[Fault, int]] = {
    "kill -9, half of them inside a save": (kills, 200),
    "resume equals an uninterrupted run, bit for bit": (resumes, 50),
    "the disk is full or fails during a save": (full_disks, 12),
    "memory runs out in a step": (no_memory, 50),
    "a weight is not a number": (not_a_number, 20),
    "an exception in the training thread": (dying_threads, 20),
    "a flipped bit in a checkpoint": (flipped_bits, 100),
    "two starts of one run": (two_starts, 20),
    "SIGTERM": (signals, 20),
    "kill -9 of the real model, started cold": (cold_kills, 10),
}
