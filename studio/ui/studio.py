"""Everything the page needs, in one bundle that `app.py` makes once and handlers get first."""

from __future__ import annotations

import importlib
import logging
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from studio.checkup import Checkups
from studio.data.spill import Telling
from studio.datasets import DatasetStore
from studio.drafts import Drafts
from studio.errors import NotFound, Stopped, StudioError
from studio.inference.engine import ChatEngine
from studio.inference.proposing import Proposing
from studio.models.calibration import calibrate_when_free
from studio.models.catalog import ModelCatalog
from studio.models.corrections import Corrections
from studio.models.fetch import Progress, ensure, fetch_progress
from studio.models.hardware import compute_dtype
from studio.models.hub import remove
from studio.models.lease import DeviceLease
from studio.models.spectrum import Spectrum, spectrum
from studio.models.token import HubToken
from studio.records import Example
from studio.runs import RunStore
from studio.training.jobs import TrainingJobs
from studio.ui.tokens import Tokens
from studio.workspace import Workspace

log = logging.getLogger("studio.ui")
LIVE_SECONDS = 0.5
KEPT_SPECTRA = 8
WARM_AFTER_SECONDS = 2.0  # the imports hold up every handler, so the page fills itself first
CALIBRATE_AGAIN_SECONDS = 5.0
FETCH_END_SECONDS = 3.0  # for pip to be ended and its files removed
HEAVY = ("torch", "transformers", "peft", "accelerate")


@dataclass
class _Background:
    """Threads behind the page: what is being fetched, what failed, and whether libraries are loaded."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    fetching: dict[str, threading.Thread] = field(default_factory=dict)
    stops: dict[str, threading.Event] = field(default_factory=dict)
    failed: dict[str, StudioError] = field(default_factory=dict)
    warming: threading.Thread | None = None
    calibrated: threading.Event = field(default_factory=threading.Event)
    leaving: threading.Event = field(default_factory=threading.Event)
    taking: dict[str, Telling] = field(default_factory=dict)  # files that are being read
    hub: Any = None  # the fetch of a data set that is on its way
    spectra: dict[tuple[str, int], Spectrum] = field(default_factory=dict)
    live_run: str | None = None
    live_at: float = float("-inf")


@dataclass(frozen=True)
class Studio:
    """The stores, the jobs and the chat of one workspace."""

    workspace: Workspace
    datasets: DatasetStore
    drafts: Drafts
    runs: RunStore
    catalog: ModelCatalog
    lease: DeviceLease
    jobs: TrainingJobs
    engine: ChatEngine
    tokens: Tokens
    checkups: Checkups
    corrections: Corrections
    token: HubToken
    proposing: Proposing = field(default_factory=Proposing)
    background: _Background = field(default_factory=_Background, repr=False)

    @classmethod
    def open(cls, root: Path | str) -> Self:
        """Open (or begin) a workspace and tidy what a crash left behind."""
        workspace = Workspace(root)
        workspace.sweep()
        datasets, runs, catalog, lease = (
            DatasetStore(workspace),
            RunStore(workspace),
            ModelCatalog(workspace),
            DeviceLease(workspace),
        )
        runs.mark_interrupted()
        token = HubToken()
        engine = ChatEngine(workspace, runs, catalog, lease)
        jobs = TrainingJobs(runs, datasets, catalog, make_room=engine.close, token=token)
        drafts, tokens = Drafts(workspace, datasets), Tokens(datasets, catalog)
        checkups = Checkups(drafts, datasets, tokens.lengths, tokens.countable)
        corrections = Corrections(workspace)
        return cls(workspace, datasets, drafts, runs, catalog, lease, jobs, engine, tokens, checkups, corrections, token)

    def close(self, timeout: float = 30.0) -> bool:
        """Stop what runs in this process and keep what was learned. False when something would not end within `timeout`."""
        self.background.leaving.set()
        self.jobs.close(timeout)
        self.proposing.close(FETCH_END_SECONDS)
        if self.background.hub:
            self.background.hub.stop.set()
        for telling in list(self.background.taking.values()):
            telling.stop()
        self.engine.close()
        for thread in self.background.fetching.values():
            thread.join(FETCH_END_SECONDS)
        mine = ("train-", "fetch-", "warm")
        return not any(thread.name.startswith(mine) for thread in threading.enumerate())

    def rows(self, dataset_id: str) -> Sequence[Example]:
        """The rows of a data set; the last ones asked for stay in memory, which is safe since a data set never changes."""
        return self.tokens.rows(dataset_id)

    def splits(self, dataset_id: str) -> list[str]:
        """The side of each row of a data set."""
        return self.tokens.splits(dataset_id)

    # ---- after the first paint

    def warm(self) -> None:
        """Load the large libraries in the background, so that the first click that needs them does not wait. Safe to repeat."""
        with self.background.lock:
            if self.background.warming:
                return
            self.background.warming = threading.Thread(target=self._import_all, name="warm", daemon=True)
            self.background.warming.start()

    def warmed(self) -> bool:
        """Whether the large libraries are loaded."""
        return bool(self.background.warming) and not self.background.warming.is_alive()

    def _import_all(self) -> None:
        if self.background.leaving.wait(WARM_AFTER_SECONDS):
            return
        for name in HEAVY:
            if self.background.leaving.wait(0.2):  # leaves the page a moment between two long imports
                return
            try:
                importlib.import_module(name)
            except ImportError:
                log.exception("%s cannot be loaded", name)
                return
        compute_dtype()
        threading.Thread(target=self._calibrate, name="calibrate", daemon=True).start()

    def _calibrate(self) -> None:
        """Measure this computer as soon as nothing else uses it: people begin to train at once, and the page itself loads."""
        while not self.background.leaving.wait(CALIBRATE_AGAIN_SECONDS):
            if calibrate_when_free(self.workspace):
                self.background.calibrated.set()
                return

    def calibrated(self) -> bool:
        """Whether this computer was measured, now or earlier, as far as this process knows."""
        return self.background.calibrated.is_set()

    # ---- fetching a model

    def prefetch(self, model_id: str) -> None:
        """Fetch a model in the background unless it is here or on its way. A failure is kept for `fetch_trouble()`."""
        if self.catalog.get(model_id).ready:
            return
        with self.background.lock:
            thread = self.background.fetching.get(model_id)
            if thread and thread.is_alive():
                return
            self.background.failed.pop(model_id, None)
            stop = self.background.stops[model_id] = threading.Event()
            thread = threading.Thread(target=self._fetch, args=(model_id, stop), name=f"fetch-{model_id}", daemon=True)
            self.background.fetching[model_id] = thread
            thread.start()

    def _fetch(self, model_id: str, stop: threading.Event) -> None:
        def ends() -> bool:
            return stop.is_set() or self.background.leaving.is_set()

        try:
            ensure(self.workspace, model_id, progress=lambda _: None, stop=ends, token=self.token.value())
        except Stopped:
            return
        except StudioError as error:
            self.background.failed[model_id] = error
        except Exception as error:
            log.exception("fetching %s failed", model_id)
            self.background.failed[model_id] = StudioError(
                "The model was not fetched.", f"{type(error).__name__}; the details are in studio.log.", "Try again."
            )

    def fetching(self, model_id: str) -> bool:
        """Whether this process is fetching the model now."""
        thread = self.background.fetching.get(model_id)
        return bool(thread and thread.is_alive())

    def stop_fetching(self, model_id: str) -> None:
        """End this process's fetch of a model; what is here already is kept for the next one."""
        if stop := self.background.stops.get(model_id):
            stop.set()

    def remove_model(self, model_id: str) -> None:
        """Delete a fetched model, or take a registered folder off the list. Raises StudioError while it is in use."""
        entry = self.catalog.get(model_id)
        if entry.origin == "local":
            self.catalog.forget(model_id)
            return

        live = self.runs.config(run_id) if (run_id := self.jobs.running()) else None
        user = live.name if live and live.model.base_model == model_id else ""
        if not user:
            self.engine.close()  # the chat may hold its files
        remove(self.workspace, model_id, lambda _: user)

    def fetch_progress(self, model_id: str) -> Progress | None:
        """How far a fetch is, whichever process does it."""
        return fetch_progress(self.workspace, model_id)

    def fetch_trouble(self, model_id: str) -> StudioError | None:
        """Why the last fetch failed, if it did."""
        return self.background.failed.get(model_id)

    # ---- what the page shows

    def spectrum(self, run_id: str) -> Spectrum:
        """How much of a run's adapter is in use; kept until the adapter changes. Raises StudioError when it cannot be read."""
        folder = self.runs.adapter(run_id)
        if folder is None:
            raise NotFound("There is no adapter.", "The run has kept none yet.", "Train first.")
        key = (run_id, (folder / "adapter_model.safetensors").stat().st_mtime_ns)
        with self.background.lock:
            if key not in self.background.spectra:
                self.background.spectra[key] = spectrum(folder)
            while len(self.background.spectra) > KEPT_SPECTRA:
                self.background.spectra.pop(next(iter(self.background.spectra)))
            return self.background.spectra[key]

    def live(self) -> str | None:
        """The live run, as of half a second ago at most: many pages ask every second, and asking reads every run folder."""
        seen = self.background
        if time.monotonic() - seen.live_at > LIVE_SECONDS:
            seen.live_run, seen.live_at = self.jobs.running(), time.monotonic()
        return seen.live_run

    def current_run(self) -> str | None:
        """The live run, else the newest one that does not wait in the queue, else the newest."""
        statuses = self.runs.statuses()
        order = sorted(statuses, key=lambda run_id: (not statuses[run_id].live, statuses[run_id].waiting))
        return next(iter(order), None)

    def current_dataset(self, run_id: str | None) -> str | None:
        """The data set of a run, else the newest one."""
        ids = self.datasets.ids()
        if run_id and (of_run := self.dataset_of(run_id)) in ids:
            return of_run
        return ids[0] if ids else None

    def dataset_of(self, run_id: str) -> str:
        """The data set a run learns from; empty when its settings cannot be read."""
        try:
            return self.runs.config(run_id).data.dataset_id
        except StudioError:
            return ""
