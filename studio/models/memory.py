"""What a run will take, before it starts: memory, time, disk and steps, each with a band in which it is expected to lie.

The formulas are in `footprint` (memory) and `work` (time); how fast this computer is, in `calibration`; what earlier runs taught,
in `corrections`. How far off they were is measured by `python -m tests.benchmarks.estimates`; its table stands in the README.
No GPU was ever at hand: for those the formulas were compared with published figures only (tests/models/test_published_memory.py).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Protocol

from studio.config import RunConfig
from studio.models import hardware as machine
from studio.models.calibration import Speed
from studio.models.catalog import ModelEntry
from studio.models.footprint import Footprint, Tokens, adapter_parameters, footprint, form_of, held_bytes, tokens_at_once
from studio.models.hardware import Hardware
from studio.models.row_sizes import RowSizes
from studio.models.work import (
    SAMPLE_SHARE,
    Batch,
    Task,
    answer_seconds,
    forward_seconds,
    load_seconds,
    step_seconds,
)

__all__ = ["Estimate", "Part", "RowSizes", "estimate"]

WELL, TIGHT = 0.7, 0.95  # shares of the free memory
UNPACKED_ROOM = 3  # times the unpacked weights must be free, as in studio/models/load.py; a test compares
MEMORY_BAND = {"fused": (0.85, 1.15), "padded": (0.8, 1.2)}  # of the estimate, from the same benchmark
GPU_BAND = (0.7, 1.4)  # never measured
CALIBRATED_BAND, ROUGH_BAND = (0.7, 1.4), (0.3, 3.0)
SLOW_INT8 = 4.0  # what the upper end of the time is multiplied by with int8 on a CPU that was not measured at it
# Where nothing is measured: floating-point operations a second. A core with AVX2 reached 30e9 here, older ones do a third.
ASSUMED_RATE = {"core": 20e9, "gpu": 10e12}
# The other rates follow from that one as they did on the CPU measured here: bytes, weights, operations a second for each of its.
ASSUMED_SHARES = {
    "short": 0.7,
    "narrow": 0.8,
    "attended": 0.7,
    "streamed": 0.25,
    "unpacked": 0.015,
    "packed": 0.001,
    "eight_bit": 0.3,
}
ASSUMED_CALL = 7e-6  # seconds
CHECKPOINTS_KEPT = 3
STARTER_WEIGHTS = 275 * 10**6  # bytes of the converted starter on the disk


@dataclass(frozen=True)
class Part:
    """One piece of the memory bar: what it is, in words, and its bytes."""

    name: str
    bytes: int


@dataclass(frozen=True)
class Estimate:
    """What a run takes: bytes, optimizer steps, seconds, each with the band it is expected in.

    `parts` add up to `total_bytes`, the most that is held at any moment. `needed_bytes` leaves out what is only used where there
    is room for it. `fits`: "well", "tight" or "no", in the memory that is free now. `rough`: nothing was measured on this
    computer yet, so the time is a guess. `learned_from` says which earlier runs corrected it; "" when none did.
    """

    parts: tuple[Part, ...]
    model_bytes: int
    adapter_bytes: int
    work_bytes: int
    total_bytes: int
    needed_bytes: int
    bytes_low: int
    bytes_high: int
    disk_bytes: int
    download_bytes: int
    steps: int
    seconds: float
    seconds_low: float
    seconds_high: float
    fits: str
    rough: bool
    learned_from: str = ""


class Learned(Protocol):
    """What earlier runs taught, see `studio.models.corrections`."""

    def factors(self, device: str, quantization: str) -> tuple[float, float, str]:
        """What to multiply bytes and seconds by, and a sentence that tells it."""


def estimate(
    config: RunConfig,
    model: ModelEntry,
    sizes: RowSizes,
    hardware: Hardware,
    *,
    speed: Speed | None = None,
    learned: Learned | None = None,
    process_bytes: int = 0,
) -> Estimate:
    """Estimate a run.

    Args:
        speed: This computer's, from `calibration.kept` or `calibration.calibrate`; None makes the time a guess.
        learned: The corrections of this workspace's own runs.
        process_bytes: What the process that trains holds before it loads the model; 0 takes what a new one would.
    """
    on_gpu = bool(hardware.accelerator)
    number_bytes = number_bytes_of(config, speed, on_gpu)
    form = form_of(config, model.shape)
    if config.training.neftune_noise_alpha:  # every row has its own noise, so no opening is computed once for all
        sizes = replace(sizes, shared_tokens=0)
    tokens = tokens_at_once(config, sizes, model.context, form)
    known = {"number_bytes": number_bytes, "on_gpu": on_gpu, "process_bytes": process_bytes, "number_format": model.number_format}
    found = footprint(config, model.shape, model.parameters, tokens, form=form, **known)
    more_bytes, more_seconds, told = (
        learned.factors("gpu" if on_gpu else "cpu", config.model.quantization) if learned else (1.0, 1.0, "")
    )
    room = not config.training.gradient_checkpointing and _room(found, model, number_bytes, hardware)
    parts = _parts(found, more_bytes, room)
    total = sum(part.bytes for part in parts)
    given_back = {ANSWERING: total, LOADING: found.mapped}  # at most so much of these parts is only used where there is room
    needed = total - sum(min(part.bytes, given_back.get(part.name, 0)) for part in parts)
    low, high = GPU_BAND if on_gpu else MEMORY_BAND[form]
    task = Task(
        model.shape,
        config.model.quantization,
        adapter_parameters(model.shape, config.adapter),
        number_bytes,
        held_bytes(config, model.shape, number_bytes, model.number_format),
        form,
        config.training.gradient_checkpointing,
        model.shape.linear_parameters if config.adapter.use_dora else 0,
    )
    used = speed or _assumed(hardware)
    seconds = more_seconds * run_seconds(config, sizes.cut(config.data.max_length), task, tokens, used, unpacked=room)
    fast, slow = CALIBRATED_BAND if speed else ROUGH_BAND
    if config.model.quantization == "int8" and not on_gpu and not speed:
        slow *= SLOW_INT8
    free = hardware.working_memory
    return Estimate(
        parts=parts,
        model_bytes=parts[0].bytes,
        adapter_bytes=parts[1].bytes,
        work_bytes=total - parts[0].bytes - parts[1].bytes,
        total_bytes=total,
        needed_bytes=needed,
        bytes_low=round(total * low),
        bytes_high=round(total * high),
        # the adapter, and checkpoints of weights with their two moments
        disk_bytes=4 * task.adapter_weights * (1 + 3 * CHECKPOINTS_KEPT)
        + (STARTER_WEIGHTS if model.download_bytes and model.origin == "starter" else 0)
        + 2**20,
        download_bytes=model.download_bytes,
        steps=config.total_steps(sizes.rows),
        seconds=seconds,
        seconds_low=seconds * fast,
        seconds_high=seconds * slow,
        fits="well" if needed <= WELL * free else "tight" if needed <= TIGHT * free else "no",
        rough=speed is None,
        learned_from=told,
    )


LOADING, ANSWERING = "more while loading", "sample answers, where there is room"


def _parts(found: Footprint, factor: float, room: bool) -> tuple[Part, ...]:
    """The pieces of the fullest moment. A correction changes what is worked with; weights are counted, not estimated."""
    model, adapter, libraries = found.model, found.adapter, found.libraries
    rest = {"values kept for learning": found.activations, "output layer": found.logits, "holes between": found.slack}
    corrected = max(0.0, factor * found.learning - model - adapter - libraries)
    scale = corrected / max(1, sum(rest.values()))
    parts = [Part("model", model), Part("adapter", adapter), Part("libraries", libraries)]
    parts += [Part(name, round(size * scale)) for name, size in rest.items()]
    needed = sum(part.bytes for part in parts)
    loading = max(0, round(factor * found.loading) - needed)
    answering = max(0, found.answering - needed - loading) if room else 0
    return (*parts, *(Part(name, size) for name, size in ((LOADING, loading), (ANSWERING, answering)) if size))


def _room(found: Footprint, model: ModelEntry, number_bytes: int, hardware: Hardware) -> bool:
    """Whether 4-bit weights will be unpacked for the sample answers, once the rest is there."""
    free = hardware.working_memory - found.libraries - found.model - found.adapter
    return free > UNPACKED_ROOM * model.shape.linear_parameters * number_bytes


def run_seconds(config: RunConfig, sizes: RowSizes, task: Task, tokens: Tokens, speed: Speed, *, unpacked: bool) -> float:
    """A whole run: loading, every step, every check, and the sample answers."""
    steps, rows = config.total_steps(sizes.rows), sizes.rows / config.steps_per_epoch(sizes.rows)
    step = step_seconds(task, batch_of(sizes, rows, tokens, config, task.form), speed)
    checks = min(config.training.evaluations, steps)
    check = 0.0
    if sizes.validation_rows:
        check = forward_seconds(task, batch_of(sizes, sizes.validation_rows, tokens, config, task.form), speed)
    answers = answer_seconds(task, speed, unpacked=unpacked)
    between = min(max(0, checks - 1) * answers, SAMPLE_SHARE * steps * step)
    loading = load_seconds(task, speed, imported=machine.loaded_torch() is not None)
    return loading + steps * step + (checks + 1) * check + 2 * answers + between


def batch_of(sizes: RowSizes, rows: float, tokens: Tokens, config: RunConfig, form: str) -> Batch:
    """What goes through the model for `rows` average rows."""
    mean = sizes.mean_tokens
    if form == "padded":
        parts = max(1.0, rows / config.training.per_device_train_batch_size)
        padded = min(tokens.longest, mean + (sizes.spread or 0.0) / 2)  # rows of like length lie together
        return Batch(rows * padded, rows * mean * sizes.learned_share, parts, padded)
    own = max(1.0, mean - min(sizes.shared_tokens, mean))
    whole = rows * own
    room = max(own, config.token_budget() - sizes.shared_tokens)
    parts = max(1, math.ceil(whole / room))
    return Batch(whole + parts * min(sizes.shared_tokens, mean), rows * mean * sizes.learned_share, parts, mean)


def number_bytes_of(config: RunConfig, speed: Speed | None, on_gpu: bool) -> int:
    """Bytes of a number in the format this run computes in."""
    chosen = config.model.compute_dtype
    if chosen == "auto" and machine.measured():
        chosen = machine.compute_dtype()
    elif chosen == "auto":
        chosen = speed.dtype if speed else "float16" if on_gpu else "float32"
    return 4 if chosen == "float32" else 2


def _assumed(hardware: Hardware) -> Speed:
    """A speed where there is none, from the number of cores.

    Not from the one product that chooses the number format: it is measured while the page loads, and has found a fifth of the
    rate beside that.
    """
    on_gpu = bool(hardware.accelerator)
    rate = ASSUMED_RATE["gpu"] if on_gpu else ASSUMED_RATE["core"] * hardware.cores
    shares = {name: share * rate for name, share in ASSUMED_SHARES.items()}
    return Speed(machine="", on_gpu=on_gpu, dtype="", measured_at=0.0, wide=rate, call_seconds=ASSUMED_CALL, **shares)
