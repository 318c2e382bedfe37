"""What happens while a run has the device: tokenise, load, choose the step, take up a checkpoint, and loop."""

from __future__ import annotations

import contextlib
import logging
import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState

from studio.config import RunConfig
from studio.data.token_cache import TokenRows, encode_cached
from studio.datasets import DatasetStore
from studio.errors import Stopped, StudioError
from studio.models import adapters, hardware, load, targets, words
from studio.models.catalog import ModelCatalog
from studio.models.folder import ModelShape, check_model_folder
from studio.models.footprint import adapter_parameters, form_of
from studio.models.work import body_operations, head_operations
from studio.records import RunStatus
from studio.runs import RunStore
from studio.training import checkpoints, sharding
from studio.training.callbacks import Recorder, Sampler, sample_prompts
from studio.training.fused.step import choose_step
from studio.training.loop import Loop, Recipe
from studio.training.pace import Pace
from studio.training.plan import Plan, check_steps
from studio.training.promise import kept_promise, promise, row_sizes
from studio.training.ranks import Ranks
from studio.training.step import Extras

PROMPT_ROWS = 2000  # the sample questions come from among the first so many


class Bystander:
    """The listener of a process that is not the first: it tells nobody."""

    status = RunStatus()

    def update(self, **changes: Any) -> None:
        """Nothing."""

    stepped = validated = saved = shrunk = beat = lambda self, *_, **__: None


def train_on_device(
    runs: RunStore,
    run_id: str,
    folder: Path | None,
    recorder: Recorder | Bystander,
    log: logging.Logger,
    stop: Callable[[], bool],
) -> bool:
    """Train. False only when it was asked to stop.

    Args:
        folder: The base model's folder; None in a process that is not the first, which is told.
    """
    config = runs.config(run_id)
    training = config.training
    hardware.reset_memory_peak()
    held_before = hardware.memory_now()
    ranks = Ranks()
    ranks.split = ranks.count > 1 and sharding.wanted()
    folder = ranks.agree(folder)
    dtype, reason = ranks.agree(_number_format(config, recorder.status))
    log.info("%s: %s", dtype, reason)
    recorder.update(phase="tokenising", detail="Reading your examples and loading the model.")
    base_tokenizer, tokenizer, new = _tokenizers(config, folder)
    if config.adapter.new_tokens:
        log.info("%d new words; any others the model has as one piece already", len(new))
    recorder.tokenizer = tokenizer if new else None
    with ThreadPoolExecutor(1, "load", initializer=ranks.take_device) as beside:
        loading = beside.submit(_model, config, folder, dtype, new, on_cpu=ranks.split)
        train, validation = (_encoded(runs, config, tokenizer, split) for split in ("train", "validation"))
        missed = train.left_out + validation.left_out
        if ranks.first:
            _list_left_out(runs, run_id, missed)
        if not train:
            reason = missed[0].reason if missed else "The data set has no rows to learn from."
            raise StudioError("Training did not start.", reason, "Allow longer examples, or add others.")
        plan = Plan(
            rows=len(train),
            batch=training.per_device_train_batch_size,
            accumulation=training.gradient_accumulation_steps,
            epochs=config.epochs(len(train)),
            seed=training.seed,
        )
        recorder.checks = check_steps(plan.total_steps, training.evaluations)
        recorder.update(
            phase="loading",
            detail="Loading the model.",
            total_steps=plan.total_steps,
            train_rows=len(train),
            validation_rows=len(validation),
            left_out=len(missed),
            **(
                kept_promise(recorder.status)
                or promise(runs.workspace, config, row_sizes(train, validation), process_bytes=held_before)
            ),
        )
        model, notes = loading.result()
    if ranks.agree(stop()):
        raise Stopped
    for note in notes if ranks.first else ():
        runs.event(run_id, "model", note)
    torch.manual_seed(training.seed)
    if start := runs.start_adapter(run_id):
        adapters.load_adapter(model, start)
    if ranks.split:
        log.info("%s", sharding.shard(model, config.model.quantization, ranks))
    else:  # answers of one process would wait for the others
        recorder.sampler = Sampler(
            model,
            (base_tokenizer, tokenizer),
            _prompts(runs, config),
            config.data.system_prompt,
            stop,
            unpack=not training.gradient_checkpointing,  # who recomputes wants less memory for more time
        )
    recorder.pace = _pace(ModelCatalog(runs.workspace).get(config.model.base_model).shape, config, train)
    recorder.model, recorder.chat_template = model, tokenizer.chat_template
    AcceleratorState._reset_state()  # a process keeps the first run's precision and refuses another; one run trains at a time
    accelerator = Accelerator(cpu=not torch.cuda.is_available(), mixed_precision="bf16" if dtype == "bfloat16" else "no")
    common = {
        "batch": training.per_device_train_batch_size,
        "pad_id": tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id,
        "extras": Extras(training.gradient_checkpointing, training.neftune_noise_alpha),
    }
    if ranks.split:
        step, chosen = sharding.SplitStep(model, accelerator, ranks, **common), "padded step, since the base is split"
    else:
        longest = max(train.longest, validation.longest)
        step, chosen = choose_step(model, accelerator, longest=longest, tokens=config.token_budget(), **common)
    log.info("%s", chosen)
    loop = Loop(model, accelerator, step, _recipe(config, model), plan, recorder, ranks)
    saved = _take_up(runs, run_id, loop, recorder, ranks)
    log.info(
        "%s, %s, %d rows, %d steps, %s", config.model.base_model, config.model.quantization, len(train), plan.total_steps, dtype
    )
    recorder.update(
        phase="checking" if not saved else "learning", state="running", compute_dtype=dtype, compute_reason=reason, detail=""
    )
    with hardware.given_back_at_once() if training.gradient_checkpointing else contextlib.nullcontext():
        finished = loop.run(train, validation, runs.folder(run_id) / "checkpoints", stop)
    recorder.update(phase="saving", detail="Saving.")
    return finished


def _number_format(config: RunConfig, status: RunStatus) -> tuple[str, str]:
    """The number format to compute in, and why. A run that goes on keeps the one it began with."""
    if config.model.compute_dtype != "auto":
        return config.model.compute_dtype, "Chosen in the settings."
    if status.compute_dtype:
        return status.compute_dtype, status.compute_reason
    if hardware.device() == "cuda":
        return hardware.compute_dtype(), "The 16-bit format this graphics card computes in by itself."
    return hardware.compute_dtype(), "The faster of float32 and bfloat16, measured on this computer."


def _tokenizers(config: RunConfig, folder: Path) -> tuple[Any, Any, dict[int, list[int]]]:
    """The base's tokenizer, the one this run learns with, and the new words in which they differ (see `words.extend`)."""
    base = load.load_tokenizer(folder, config.model.chat_template)
    if not config.adapter.new_tokens.strip():
        return base, base, {}
    tokenizer = load.load_tokenizer(folder, config.model.chat_template)
    return base, tokenizer, words.extend(tokenizer, config.adapter.new_tokens)


def _encoded(runs: RunStore, config: RunConfig, tokenizer: Any, split: str) -> TokenRows:
    """The tokenised rows of a split."""
    store, data = DatasetStore(runs.workspace), config.data
    return encode_cached(
        store.folder(data.dataset_id),
        tokenizer,
        lambda: store.each(data.dataset_id, split),
        rows_sha256=data.dataset_sha256,
        split=split,
        max_length=data.max_length,
        system_prompt=data.system_prompt,
    )


def _prompts(runs: RunStore, config: RunConfig) -> list[str]:
    """What is asked at every check: from the rows kept aside, where there are any."""
    store = DatasetStore(runs.workspace)
    for split in ("validation", "train"):
        if some := list(islice(store.each(config.data.dataset_id, split), PROMPT_ROWS)):
            return sample_prompts(some, config.training.goal)
    return []


def _list_left_out(runs: RunStore, run_id: str, missed: list[Any]) -> None:
    (runs.folder(run_id) / "left_out.jsonl").unlink(missing_ok=True)
    for item in missed:
        runs.append(run_id, "left_out", item.to_json())
    if missed:
        runs.event(run_id, "left out", f"{len(missed)} rows were left out; left_out.jsonl names each with its reason.")


def _model(
    config: RunConfig, folder: Path, dtype: str, new: dict[int, list[int]], *, on_cpu: bool
) -> tuple[Any, tuple[str, ...]]:
    """The base with a new adapter, and what a person should know of where it sits."""
    shape = check_model_folder(folder).shape
    base = load.load_base(
        folder,
        config.model.quantization,
        compute_dtype=dtype,
        on_cpu=on_cpu,
        as_stored=not on_cpu and form_of(config, shape) == "fused",
    )
    plain = not (config.adapter.use_dora or config.adapter.lora_dropout)
    notes = targets.inspect(base, config.adapter.target_modules, plain=plain).notes
    about = asdict(config.adapter) | {"new_tokens": new}
    return adapters.add_adapter(base, **about, seed=config.training.seed, folder=folder), notes


def _recipe(config: RunConfig, model: Any) -> Recipe:
    training = config.training
    return Recipe(
        learning_rate=training.learning_rate,
        lr_scheduler_type=training.lr_scheduler_type,
        warmup_ratio=training.warmup_ratio,
        weight_decay=training.weight_decay,
        max_grad_norm=training.max_grad_norm,
        optim=training.optim,
        evaluations=training.evaluations,
        early_stopping_patience=training.early_stopping_patience,
        chance_loss=math.log(model.get_base_model().config.get_text_config().vocab_size),
    )


def _pace(shape: ModelShape, config: RunConfig, train: TokenRows) -> Pace:
    mean = train.tokens / len(train)
    return Pace(
        body_operations(shape, adapter_parameters(shape, config.adapter), mean), head_operations(shape), hardware.gemm_rate()
    )


def _take_up(runs: RunStore, run_id: str, loop: Loop, recorder: Recorder | Bystander, ranks: Ranks) -> Path | None:
    """Go back to the newest whole checkpoint, where there is one."""
    saved, damaged = checkpoints.newest(runs.folder(run_id) / "checkpoints")
    saved = ranks.agree(saved)
    progress = loop.restore(saved) if saved else None
    if not ranks.first:
        return saved
    for path in damaged:
        runs.event(run_id, "damaged", f"{path.name} is damaged and was passed over.")
    if progress:
        runs.append(run_id, "metrics", {"resume": progress.step})
        runs.event(run_id, "resume", f"Went on from step {progress.step}.")
        recorder.update(step=progress.step, best_step=progress.best_step, best_validation_loss=progress.best_validation_loss)
        return saved
    if recorder.status.step:  # it ended before its first checkpoint: start over, and let readers drop what was written
        runs.append(run_id, "metrics", {"resume": -1})
    recorder.update(step=0, best_step=None, best_validation_loss=None, training_seconds=0.0)
    return None
