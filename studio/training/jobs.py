"""The training threads behind the page: start, stop, pause, resume, and the queue; one run at a time in a workspace.

A run waits in the queue when its status says so (`place`), so the queue can never disagree with the runs. When a run that
trains in this process ends, the next one starts by itself, unless it ended by being paused: then the person wants the computer.
Nothing starts by itself after the app was started; `start_next` sets the queue going again.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

from studio.config import RunConfig
from studio.datasets import DatasetStore
from studio.errors import Busy, NotFound, StudioError
from studio.models.catalog import ModelCatalog
from studio.models.chat_templates import no_template
from studio.models.token import HubToken
from studio.records import StopKind
from studio.runs import RunStore, Turns
from studio.training.job import train_run
from studio.workspace import Lock

log = logging.getLogger("studio.training")
WATCH_SECONDS = 1.0  # between two looks at a run that another process trains
TURN_SECONDS = 15.0  # for another window to finish what it does with the queue


class TrainingJobs:
    """Starts, stops and resumes runs in threads of this process, and keeps the queue of those that wait.

    Args:
        make_room: Called before a run starts; whoever holds the device lightly (the chat) lets go of it.
        token: For runs whose model has to be fetched from the Hub first.
    """

    def __init__(
        self,
        runs: RunStore,
        datasets: DatasetStore,
        catalog: ModelCatalog,
        make_room: Callable[[], None] = lambda: None,
        token: HubToken | None = None,
    ) -> None:
        self.runs, self.datasets, self.catalog, self.make_room, self.token = runs, datasets, catalog, make_room, token
        self._gate = threading.Lock()
        self._threads: dict[str, threading.Thread] = {}
        self._leaving = threading.Event()

    def running(self) -> str | None:
        """The id of the live run, whichever process trains it."""
        return self.runs.live()

    # ---- begin and go on

    def start(self, config: RunConfig, *, queue: bool = False) -> str:
        """Create a run and train it. Pressing twice makes one run.

        Args:
            queue: While another run is live or others wait, line up behind them; otherwise a live run raises Busy.
        """
        with self._turn() as now:
            config = self._going_on(self._checked(config))
            if config.model.chat_template == "own" and not self.catalog.get(config.model.base_model).has_chat_template:
                raise no_template()
            others = [*([now.live] if now.live else []), *(now.waiting if queue else ())]
            for same in others:
                if self.runs.config(same) == config:
                    return same
            if others and not queue:
                raise self._busy(others[0])
            run_id = self.runs.create(config, place=self._last(now) if others else None)
            if config.model.start_from:
                self._take_over(run_id, config.model.start_from)
            self._launch(run_id) if not others else self._watch(now.live)
            return run_id

    def resume(self, run_id: str) -> None:
        """Go on with a run that ended early; while another is live, it lines up. One that is live or waits stays as it is."""
        with self._turn() as now:
            if run_id == now.live or run_id in now.waiting:
                return
            if not self.runs.resumable(run_id):
                raise StudioError("There is nothing to go on with.", "This run is finished.", "Train again with new settings.")
            self._checked(self.runs.config(run_id))
            if not self.runs.let_go(run_id):
                raise Busy("This run was not started.", "It is still ending.", "Try again in a moment.")
            self.runs.clear_stop(run_id)
            place = self._last(now) if now.live else None
            self._write(run_id, state="queued", place=place, error=None)
            self._launch(run_id) if place is None else self._watch(now.live)

    # ---- end

    def stop(self, run_id: str, kind: StopKind = "keep") -> None:
        """Ask a live run to stop: "keep" what it learned, or "pause", which frees the computer and can be taken back any time."""
        with self._turn():
            self.runs.request_stop(run_id, kind)

    def discard(self, run_id: str) -> None:
        """Delete a run and all it learned, in whatever state. A live one stops first and is then deleted by its own thread."""
        with self._turn(), contextlib.suppress(NotFound):  # somebody else discarded it
            self.runs.request_stop(run_id, "discard")
            if not self.runs.status(run_id).live:  # it may have ended without seeing the request
                self.runs.delete(run_id)

    def delete(self, run_id: str) -> None:
        """Delete a run that is not live, also one that waits. Raises Busy while it is live."""
        with self._turn():
            self.runs.delete(run_id)

    # ---- the queue

    def move(self, run_id: str, by: int) -> None:
        """Move a waiting run up (`by` < 0) or down in the queue. Nothing happens when it does not wait any more."""
        with self._turn() as now:
            if run_id not in now.waiting:
                return
            order = [item for item in now.waiting if item != run_id]
            order.insert(max(0, now.waiting.index(run_id) + by), run_id)
            for place, item in enumerate(order):
                self._write(item, place=place)

    def cancel(self, run_id: str) -> None:
        """Take a run out of the queue: one that never began is deleted, one that learned something is stopped and kept."""
        with self._turn() as now:
            if run_id not in now.waiting:
                if run_id == now.live:
                    raise Busy("This run stays.", "It has begun by now.", "Stop it instead.")
                return
            if self.runs.status(run_id).started_at is None:
                self.runs.delete(run_id)
            else:
                self._write(run_id, state="stopped", place=None)

    def start_next(self) -> str | None:
        """Start the next waiting run, and with it the queue. The live run, if there is one; None when nothing waits."""
        with self._turn() as now:
            return now.live or self._advance(now)

    # ---- leaving

    def close(self, timeout: float = 30.0) -> None:
        """Stop what runs in this process, keep what was learned, and wait for it at most `timeout` seconds."""
        deadline = time.monotonic() + timeout
        with contextlib.suppress(StudioError), self._turn():  # whoever is starting a run is waited for
            self._leaving.set()
        self._leaving.set()
        for thread in list(self._threads.values()):
            thread.join(max(0.0, deadline - time.monotonic()))

    # ---- inside; all of it holds the turn

    @contextlib.contextmanager
    def _turn(self) -> Iterator[Turns]:
        """One change at a time, in this process and in others that have the workspace open."""
        with self._gate:
            lock = Lock(self.runs.workspace.root / "queue.lock")
            if not lock.acquire("the queue", timeout=TURN_SECONDS):
                raise Busy("Nothing was changed.", "Another window is changing the queue.", "Try again in a moment.")
            try:
                yield self.runs.turns()
            finally:
                lock.release()

    def _last(self, now: Turns) -> int:
        """The place behind all that wait."""
        places = [self.runs.status(run_id).place for run_id in now.waiting]
        return 1 + max((place for place in places if place is not None), default=-1)

    def _write(self, run_id: str, **changes: object) -> None:
        """Change the status of a run that no trainer has."""
        self.runs.write_status(run_id, replace(self.runs.status(run_id), **changes), durable=True)

    def _checked(self, config: RunConfig) -> RunConfig:
        config = config.validate()
        record = self.datasets.get(config.data.dataset_id)
        self.catalog.get(config.model.base_model)
        if not record.counts.get("train"):
            raise StudioError("Training did not start.", "The data set has no rows to learn from.", "Add examples first.")
        if config.data.dataset_sha256 and config.data.dataset_sha256 != record.sha256:
            raise NotFound("Training did not start.", "The examples changed since.", "Open the data again.")
        return replace(config, data=replace(config.data, dataset_sha256=record.sha256))

    def _going_on(self, config: RunConfig) -> RunConfig:
        """With the adapter's shape and the chat template taken from the run it goes on from, if it does."""
        earlier = config.model.start_from
        if not earlier:
            return config
        if earlier not in self.runs.ids():
            raise NotFound("Training did not start.", "The run to go on from is gone.", "Choose another one.")
        before = self.runs.config(earlier)
        if before.model.base_model != config.model.base_model:
            raise StudioError("Training did not start.", "That run was made with another model.", "Choose the same model.")
        return replace(
            config,
            model=replace(config.model, chat_template=before.model.chat_template),
            adapter=replace(before.adapter, lora_dropout=config.adapter.lora_dropout),
        )

    def _take_over(self, run_id: str, earlier: str) -> None:
        try:
            self.runs.take_over(run_id, earlier)
        except BaseException:
            self.runs.remove(run_id)  # nobody else knows of it yet
            raise

    def _busy(self, live: str) -> Busy:
        name = self.runs.config(live).name
        return Busy(
            "This run was not started.",
            f"“{name}” is training, and one run at a time uses the computer.",
            "Wait, or stop it.",
            name,
        )

    def _advance(self, now: Turns) -> str | None:
        """Start the first waiting run that can be started."""
        for run_id in now.waiting:
            try:
                self._write(run_id, place=None)
            except (StudioError, OSError):
                log.exception("%s could not be started", run_id)  # its folder is damaged; the Library shows it
                continue
            self._launch(run_id)
            return run_id
        return None

    def _launch(self, run_id: str) -> None:
        self.make_room()
        thread = threading.Thread(target=self._train, args=(run_id,), name=f"train-{run_id}", daemon=True)
        self._threads[run_id] = thread
        thread.start()

    def _train(self, run_id: str) -> None:
        """A training thread: the run, then the next one."""
        paused = False
        try:
            paused = train_run(self.runs.folder(run_id), self._leaving.is_set, self.token).state == "paused"
        except StudioError as error:
            log.warning("%s: %s", run_id, error)  # another process took it, or it was deleted before it began
        except Exception:
            log.exception("%s ended badly", run_id)
        if not paused:
            self._go_to_next()

    def _go_to_next(self) -> None:
        try:
            with self._turn() as now:
                if not now.live and not self._leaving.is_set():
                    self._advance(now)
        except Exception:
            log.exception("the next run could not be started")  # the page offers to start the queue

    def _watch(self, live: str | None) -> None:
        """See to it that the queue goes on when a run ends that another process trains."""
        key = f"watch-{live}"
        mine = (self._threads.get(live or ""), self._threads.get(key))
        if live and not any(thread and thread.is_alive() for thread in mine):
            self._threads[key] = threading.Thread(target=self._wait_for, args=(live,), name=key, daemon=True)
            self._threads[key].start()

    def _wait_for(self, run_id: str) -> None:
        while not self._leaving.wait(WATCH_SECONDS):
            try:
                status = self.runs.status(run_id)
            except StudioError:
                break  # it was discarded
            if not status.live:
                if status.state == "paused":
                    return
                break
        self._go_to_next()
