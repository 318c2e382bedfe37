"""The training threads behind the page: start, stop, resume; one run at a time across all processes of a workspace."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace

from studio.config import RunConfig
from studio.datasets import DatasetStore
from studio.errors import Busy, NotFound, StudioError
from studio.models.catalog import ModelCatalog
from studio.runs import RunStore
from studio.training.job import train_run


class TrainingJobs:
    """Starts, stops and resumes runs in threads of this process.

    Args:
        make_room: Called before a run starts; whoever holds the device lightly (the chat) lets go of it.
    """

    def __init__(
        self, runs: RunStore, datasets: DatasetStore, catalog: ModelCatalog, make_room: Callable[[], None] = lambda: None
    ) -> None:
        self.runs, self.datasets, self.catalog, self.make_room = runs, datasets, catalog, make_room
        self._gate = threading.Lock()
        self._threads: dict[str, threading.Thread] = {}
        self._leaving = threading.Event()

    def running(self) -> str | None:
        """The id of the live run, whichever process trains it."""
        return self.runs.live()

    def start(self, config: RunConfig) -> str:
        """Create a run and train it. Pressing twice starts one run; another run that is live raises Busy."""
        with self._gate:
            config = self._checked(config)
            if live := self.running():
                if self.runs.config(live) == config:
                    return live
                raise self._busy(live)
            run_id = self.runs.create(config)
            self._launch(run_id)
            return run_id

    def resume(self, run_id: str) -> None:
        """Go on with a run that ended early. Nothing happens when it is live already."""
        with self._gate:
            live = self.running()
            if live == run_id:
                return
            if live:
                raise self._busy(live)
            if not self.runs.resumable(run_id):
                raise StudioError("There is nothing to go on with.", "This run is finished.", "Train again with new settings.")
            self._checked(self.runs.config(run_id))
            self.runs.clear_stop(run_id)
            self.runs.write_status(run_id, replace(self.runs.status(run_id), state="queued", error=None))
            self._launch(run_id)

    def stop(self, run_id: str) -> None:
        """Ask a live run to stop and keep what it learned."""
        self.runs.request_stop(run_id)

    def close(self, timeout: float = 30.0) -> None:
        """Stop what runs in this process, keep what was learned, and wait for it at most `timeout` seconds."""
        self._leaving.set()
        for thread in self._threads.values():
            thread.join(timeout)

    def _checked(self, config: RunConfig) -> RunConfig:
        config = config.validate()
        record = self.datasets.get(config.data.dataset_id)
        self.catalog.get(config.model.base_model)
        if not record.counts.get("train"):
            raise StudioError("Training did not start.", "The data set has no rows to learn from.", "Add examples first.")
        if config.data.dataset_sha256 and config.data.dataset_sha256 != record.sha256:
            raise NotFound("Training did not start.", "The examples changed since.", "Open the data again.")
        return replace(config, data=replace(config.data, dataset_sha256=record.sha256))

    def _busy(self, live: str) -> Busy:
        name = self.runs.config(live).name
        return Busy(
            "This run was not started.",
            f"“{name}” is training, and one run at a time uses the computer.",
            "Wait, or stop it.",
            name,
        )

    def _launch(self, run_id: str) -> None:
        self.make_room()
        folder = self.runs.folder(run_id)
        thread = threading.Thread(target=train_run, args=(folder, self._leaving.is_set), name=f"train-{run_id}", daemon=True)
        self._threads[run_id] = thread
        thread.start()
