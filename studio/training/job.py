"""One run, from its folder to its adapter. The trainer is reached only through here."""

from __future__ import annotations

import contextlib
import logging
import secrets
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from studio.config import RunConfig
from studio.datasets import DatasetStore
from studio.errors import Busy, ConfigError, Stopped, StudioError
from studio.models import hardware
from studio.models.catalog import ModelCatalog
from studio.models.fetch import Progress as FetchProgress
from studio.models.fetch import ensure
from studio.models.lease import DeviceLease
from studio.models.token import HubToken
from studio.records import NO_ETA, RunStatus
from studio.runs import RunStore
from studio.training import faults
from studio.training.reading import read_curve
from studio.workspace import Workspace

POLL_SECONDS = 0.3
RUN_ROOM = 600 * 2**20  # bytes a run of the starter may take for checkpoints and adapter while it trains


def train_run(run_dir: Path, stop: Callable[[], bool] = lambda: False, token: HubToken | None = None) -> RunStatus:
    """Train the run in `run_dir` from where it stands, and return how it ended.

    The page's thread, the tests and `python -m studio.training` all call this. It never raises for what goes wrong
    in the run: that is in the returned status ("failed" with its error). Busy is raised when another process has the run.
    A run that was asked to stop and be discarded is deleted before this returns.

    Args:
        run_dir: <workspace>/runs/<id>, with config.json and status.json.
        stop: Asked between steps; True ends the run and keeps what was learned.
        token: For fetching a model of the Hub; None takes that of the environment.
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
            holder = _Holder(status, token or HubToken())
            status = _guarded(workspace, runs, run_id, holder, log, lambda: stop() or bool(runs.stop_requested(run_id)))
        # asked after the last status: from there on the run is shown as ended, and who discards it then deletes it themselves
        if runs.stop_requested(run_id) == "discard":
            runs.remove(run_id)
        else:
            runs.clear_stop(run_id)
        return status
    finally:
        lock.release()


def _guarded(
    workspace: Workspace, runs: RunStore, run_id: str, holder: _Holder, log: logging.Logger, stop: Callable[[], bool]
) -> RunStatus:
    """Run, and make sure that whatever happens ends as a state a person can read."""
    ending: dict[str, Any]
    try:
        finished = _train(workspace, runs, run_id, holder, log, stop)
        ending = {"state": "finished" if finished else _stopped(runs, run_id)}
    except Stopped:
        ending = {"state": _stopped(runs, run_id)}
    except BaseException as error:  # noqa: BLE001 - a dying thread must not leave "running" behind
        ending = _failure(error, log)
    status = replace(holder.status(), phase="", detail="", finished_at=time.time(), **NO_ETA, **ending)
    status = replace(status, reading=read_curve(runs.metrics(run_id), status).to_json())
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
    """Gives the newest status even when the run dies before its recorder exists; has the token a fetch may need."""

    def __init__(self, status: RunStatus, token: HubToken) -> None:
        self.first, self.token, self.recorder = status, token, None

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
    if faults := config.device_faults(hardware.device()):
        raise ConfigError(faults)
    recorder.update(phase="fetching", detail="Looking for the model.")
    folder = _fetch(workspace, catalog, config, holder, stop)
    with _device(workspace, config, recorder, stop):
        from studio.training.session import train_on_device  # noqa: PLC0415

        return train_on_device(runs, run_id, folder, recorder, log, stop)


def follow(run_dir: Path) -> None:
    """Train as another process than the first of those a launcher started. The first one holds the run and writes its folder."""
    run_dir = Path(run_dir).resolve()
    workspace = Workspace(run_dir.parent.parent)
    runs, run_id = RunStore(workspace), run_dir.name

    from studio.training.session import Bystander, train_on_device  # noqa: PLC0415

    # it joins the first process, which by then has fetched the model
    train_on_device(runs, run_id, None, Bystander(), logging.getLogger(f"studio.run.{run_id}"), lambda: False)


def _fetch(workspace: Workspace, catalog: ModelCatalog, config: RunConfig, holder: _Holder, stop: Callable[[], bool]) -> Path:
    def told(progress: FetchProgress) -> None:
        holder.recorder.update(now=False, phase="fetching", detail=progress.sentence)

    base = config.model.base_model
    entry = catalog.get(base)
    if entry.ready or entry.trouble:
        return catalog.folder(base)
    return ensure(workspace, base, progress=told, stop=stop, token=holder.token.value())


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
