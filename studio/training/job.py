"""One run, from its folder to its adapter. The trainer is reached only through here."""

from __future__ import annotations

import contextlib
import logging
import math
import secrets
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studio.config import RunConfig
from studio.datasets import DatasetStore
from studio.errors import Busy, Stopped, StudioError
from studio.models.catalog import ModelCatalog
from studio.models.fetch import Progress as FetchProgress
from studio.models.fetch import ensure
from studio.models.lease import DeviceLease
from studio.records import RunStatus
from studio.runs import RunStore
from studio.training import faults
from studio.workspace import Workspace

if TYPE_CHECKING:
    from studio.data.encode import Encoded

POLL_SECONDS = 0.3
RUN_ROOM = 600 * 2**20  # bytes a run of the starter may take for checkpoints and adapter while it trains


def train_run(run_dir: Path, stop: Callable[[], bool] = lambda: False) -> RunStatus:
    """Train the run in `run_dir` from where it stands, and return how it ended.

    The page's thread, the tests and `python -m studio.training` all call this. It never raises for what goes wrong
    in the run: that is in the returned status ("failed" with its error). Busy is raised when another process has the run.
    A run that was asked to stop and be discarded is deleted before this returns.

    Args:
        run_dir: <workspace>/runs/<id>, with config.json and status.json.
        stop: Asked between steps; True ends the run and keeps what was learned.
    """
    run_dir = Path(run_dir).resolve()
    workspace = Workspace(run_dir.parent.parent)
    runs, run_id = RunStore(workspace), run_dir.name
    lock = runs.lock(run_id)
    if not lock.acquire(f"training {run_id}"):
        raise Busy("This run is already training.", "Another window or program started it.", "Look at it in the Train tab.")
    try:
        stored = runs.status(run_id)
        if stored.state != "queued":  # who asked a queued run to stop meant what begins here; older requests are void
            runs.clear_stop(run_id)
        status = replace(stored, state="starting", place=None, phase="", detail="", error=None, finished_at=None)
        status = replace(status, started_at=time.time())
        runs.write_status(run_id, status)
        with run_log(run_dir) as log:
            status = _guarded(workspace, runs, run_id, status, log, lambda: stop() or bool(runs.stop_requested(run_id)))
        # asked after the last status: from there on the run is shown as ended, and who discards it then deletes it themselves
        if runs.stop_requested(run_id) == "discard":
            runs.remove(run_id)
        else:
            runs.clear_stop(run_id)
        return status
    finally:
        lock.release()


def _guarded(
    workspace: Workspace, runs: RunStore, run_id: str, status: RunStatus, log: logging.Logger, stop: Callable[[], bool]
) -> RunStatus:
    """Run, and make sure that whatever happens ends as a state a person can read."""
    ending: dict[str, Any]
    holder = _Holder(status)
    try:
        finished = _train(workspace, runs, run_id, holder, log, stop)
        ending = {"state": "finished" if finished else _stopped(runs, run_id)}
    except Stopped:
        ending = {"state": _stopped(runs, run_id)}
    except BaseException as error:  # noqa: BLE001 - a dying thread must not leave "running" behind
        ending = _failure(error, log)
    status = replace(holder.status(), phase="", detail="", eta_seconds=None, finished_at=time.time(), **ending)
    if runs.stop_requested(run_id) != "discard":  # until such a run is deleted it is shown as stopping
        runs.write_status(run_id, status, durable=True)
    if status.state == "finished":  # only now: killed before this line, the run goes on from its last checkpoint
        shutil.rmtree(runs.folder(run_id) / "checkpoints", ignore_errors=True)
    log.info("ended: %s", status.state)
    return status


def _stopped(runs: RunStore, run_id: str) -> str:
    """The state of a run that ended because somebody asked."""
    return "paused" if runs.stop_requested(run_id) == "pause" else "stopped"


def _failure(error: BaseException, log: logging.Logger) -> dict[str, Any]:
    """The state and the words for whatever ended the run."""
    state, told = "interrupted" if isinstance(error, faults.DeviceBroken) else "failed", error
    if faults.is_disk_trouble(error):
        state, told = "paused", faults.disk_trouble(error)
    if not isinstance(told, StudioError):
        return {"state": state, "error": _unexpected(error, log)}
    log.warning("%s", told, exc_info=None if told is error else error)
    return {"state": state, "error": {"what": told.what, "why": told.why, "fix": told.fix, "id": ""}}


class _Holder:
    """Gives the newest status even when the run dies before its recorder exists."""

    def __init__(self, status: RunStatus) -> None:
        self.first, self.recorder = status, None

    def status(self) -> RunStatus:
        return self.recorder.status if self.recorder else self.first


def _unexpected(error: BaseException, log: logging.Logger) -> dict[str, str]:
    """Words for a failure nobody foresaw; the traceback goes to run.log under an id."""
    number = secrets.token_hex(2)
    log.error("error %s", number, exc_info=error)
    if faults.is_out_of_memory(error):
        why, fix = "The computer ran out of memory.", "Close other programs, choose 4 bit or fewer rows at once, and go on."
    else:
        why, fix = f"The cause is in run.log under error {number}.", "Try to go on from the last saved step."
    return {"what": "Training stopped early.", "why": why, "fix": fix, "id": number}


@contextlib.contextmanager
def run_log(run_dir: Path) -> Iterator[logging.Logger]:
    """A logger that writes to the run's own run.log."""
    log = logging.getLogger(f"studio.run.{run_dir.name}")
    handler = logging.FileHandler(run_dir / "run.log", encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    log.propagate = False
    try:
        yield log
    finally:
        log.removeHandler(handler)
        handler.close()


def _train(
    workspace: Workspace, runs: RunStore, run_id: str, holder: _Holder, log: logging.Logger, stop: Callable[[], bool]
) -> bool:
    """The run itself. True when it reached its last step. Torch is imported here, so that the page need not wait for it."""
    config, datasets, catalog = runs.config(run_id), DatasetStore(workspace), ModelCatalog(workspace)
    if datasets.get(config.data.dataset_id).sha256 != config.data.dataset_sha256:
        raise StudioError("Training did not start.", "The examples changed since the run was set up.", "Set up a new run.")
    workspace.require_space(RUN_ROOM, "to train")

    from studio.training.callbacks import Recorder  # noqa: PLC0415 - imports torch and transformers, which takes seconds

    recorder = holder.recorder = Recorder(runs, run_id, holder.first)
    recorder.update(phase="fetching", detail="Looking for the model.")
    folder = _fetch(workspace, catalog, config, recorder, stop)
    with _device(workspace, config, recorder, stop):
        return _on_device(workspace, runs, run_id, folder, recorder, log, stop)


def _fetch(workspace: Workspace, catalog: ModelCatalog, config: RunConfig, recorder: Any, stop: Callable[[], bool]) -> Path:
    def told(progress: FetchProgress) -> None:
        recorder.update(now=False, phase="fetching", detail=progress.sentence)

    base = config.model.base_model
    return ensure(workspace, base, progress=told, stop=stop) if base == "starter" else catalog.folder(base)


@contextlib.contextmanager
def _device(workspace: Workspace, config: RunConfig, recorder: Any, stop: Callable[[], bool]) -> Iterator[None]:
    """The lease of the device; waits for it and says who holds it."""
    lease = DeviceLease(workspace)
    while True:
        try:
            taken = lease.take(f"Training “{config.name}”")
            taken.__enter__()
            break
        except Busy as busy:
            if stop():
                raise Stopped from busy
            recorder.update(phase="waiting", detail=f"Waiting for: {busy.holder or 'another program'}.")
            time.sleep(POLL_SECONDS)
    try:
        yield
    finally:
        taken.__exit__(None, None, None)


def _on_device(
    workspace: Workspace,
    runs: RunStore,
    run_id: str,
    folder: Path,
    recorder: Any,
    log: logging.Logger,
    stop: Callable[[], bool],
) -> bool:
    import torch  # noqa: PLC0415
    from accelerate import Accelerator  # noqa: PLC0415
    from accelerate.state import AcceleratorState  # noqa: PLC0415

    from studio.models import hardware, load  # noqa: PLC0415
    from studio.training import checkpoints  # noqa: PLC0415
    from studio.training.callbacks import Sampler, sample_prompts  # noqa: PLC0415
    from studio.training.fused.step import choose_step  # noqa: PLC0415
    from studio.training.loop import Loop, Recipe  # noqa: PLC0415
    from studio.training.plan import Plan, check_steps  # noqa: PLC0415

    config = runs.config(run_id)
    training, adapter = config.training, config.adapter
    recorder.update(phase="tokenising", detail="Reading your examples.")
    tokenizer = load.load_tokenizer(folder)
    train, validation, examples = _encoded(workspace, runs, run_id, config, tokenizer)
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
        left_out=len(runs.lines(run_id, "left_out")),
    )
    if stop():
        raise Stopped
    torch.manual_seed(training.seed)
    dtype = recorder.status.compute_dtype or hardware.compute_dtype()
    model = load.load_base(folder, config.model.quantization, compute_dtype=dtype)
    model = load.add_adapter(
        model,
        r=adapter.r,
        lora_alpha=adapter.lora_alpha,
        lora_dropout=adapter.lora_dropout,
        target_modules=adapter.target_modules,
        use_rslora=adapter.use_rslora,
        use_dora=adapter.use_dora,
        seed=training.seed,
    )
    recorder.model = model
    prompts = sample_prompts(examples["validation"] or examples["train"], training.goal)
    recorder.sampler = Sampler(model, tokenizer, prompts, config.data.system_prompt, stop)
    recipe = Recipe(
        learning_rate=training.learning_rate,
        lr_scheduler_type=training.lr_scheduler_type,
        warmup_ratio=training.warmup_ratio,
        weight_decay=training.weight_decay,
        max_grad_norm=training.max_grad_norm,
        evaluations=training.evaluations,
        chance_loss=math.log(model.get_base_model().config.get_text_config().vocab_size),
    )
    AcceleratorState._reset_state()  # a process keeps the first run's precision and refuses another; one run trains at a time
    accelerator = Accelerator(cpu=not torch.cuda.is_available(), mixed_precision="bf16" if dtype == "bfloat16" else "no")
    step, reason = choose_step(
        model,
        accelerator,
        longest=max(len(row.input_ids) for row in (*train, *validation)),
        batch=training.per_device_train_batch_size,
        pad_id=tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id,
        tokens=config.token_budget(),
    )
    log.info("%s", reason)
    loop = Loop(model, accelerator, step, recipe, plan, recorder)
    saved, damaged = checkpoints.newest(runs.folder(run_id) / "checkpoints")
    for path in damaged:
        runs.event(run_id, "damaged", f"{path.name} is damaged and was passed over.")
    if saved:
        progress = loop.restore(saved)
        runs.append(run_id, "metrics", {"resume": progress.step})
        runs.event(run_id, "resume", f"Went on from step {progress.step}.")
        recorder.update(step=progress.step, best_step=progress.best_step, best_validation_loss=progress.best_validation_loss)
    else:
        if recorder.status.step:  # it ended before its first checkpoint: start over, and let readers drop what was written
            runs.append(run_id, "metrics", {"resume": -1})
        recorder.update(step=0, best_step=None, best_validation_loss=None, training_seconds=0.0)
    log.info(
        "%s, %s, %d rows, %d steps, %s", config.model.base_model, config.model.quantization, len(train), plan.total_steps, dtype
    )
    recorder.update(phase="checking" if not saved else "learning", state="running", compute_dtype=dtype, detail="")
    finished = loop.run(train, validation, runs.folder(run_id) / "checkpoints", stop)
    recorder.update(phase="saving", detail="Saving.")
    return finished


def _encoded(
    workspace: Workspace, runs: RunStore, run_id: str, config: RunConfig, tokenizer: Any
) -> tuple[list[Encoded], list[Encoded], dict[str, Any]]:
    """Tokenised train and validation rows, and the examples behind them. What does not fit is listed with its reason."""
    from studio.data.encode import encode_all  # noqa: PLC0415

    store, result, examples, missed = DatasetStore(workspace), {}, {}, []
    for split in ("train", "validation"):
        examples[split] = store.rows(config.data.dataset_id, split)
        result[split], left_out = encode_all(
            tokenizer, examples[split], max_length=config.data.max_length, system_prompt=config.data.system_prompt
        )
        missed += left_out
    (runs.folder(run_id) / "left_out.jsonl").unlink(missing_ok=True)
    for item in missed:
        runs.append(run_id, "left_out", item.to_json())
    if missed:
        runs.event(run_id, "left out", f"{len(missed)} rows were left out; left_out.jsonl names each with its reason.")
    if not result["train"]:
        reason = missed[0].reason if missed else "The data set has no rows to learn from."
        raise StudioError("Training did not start.", reason, "Allow longer examples, or add others.")
    return result["train"], result["validation"], examples
