"""Where the fetching of a model stands, for whoever watches: the caller, another thread, another process."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import asdict, dataclass

from studio.errors import Stopped, StudioError
from studio.workspace import Lock, Workspace, read_json, write_json

POLL = 0.2  # seconds between two looks at what another one fetches


@dataclass(frozen=True)
class Progress:
    """Where the fetching stands. `done` of `total`: bytes while downloading, parts otherwise. phase: download, check,
    convert or ready. `speed`: bytes a second over the last seconds; 0 when it is not known."""

    phase: str
    done: int
    total: int
    sentence: str
    speed: float = 0.0


Report = Callable[[Progress], None]
Stop = Callable[[], bool]
READY = Progress("ready", 1, 1, "The model is ready.")


class FetchState:
    """The lock of one model's fetching and the note about how far it is. Who holds the lock writes the note."""

    def __init__(self, workspace: Workspace, model_id: str) -> None:
        workspace.folder("models", model_id)  # refuses what is no id
        cache = workspace.root / "cache"
        self.lock = Lock(cache / f"{model_id}.lock")
        self._note = cache / f"{model_id}-progress.json"

    def once(self, ready: Callable[[], bool], work: Callable[[Report], None], progress: Report, stop: Stop) -> None:
        """Do `work` unless it is done, or watch whoever does it. Returns when `ready`. Raises Stopped, and what `work` raises."""
        shown = None
        while not ready():
            if stop():
                raise Stopped
            if self.lock.acquire("fetch", timeout=POLL):
                try:
                    if not ready():
                        work(self._telling(progress))
                finally:
                    self.clear()
                    self.lock.release()
            elif (now := self.read()) and now != shown:
                shown = now
                progress(now)

    def _telling(self, progress: Report) -> Report:
        def told(now: Progress) -> None:
            self.write(now)
            progress(now)

        return told

    def write(self, now: Progress) -> None:
        """Tell everybody."""
        write_json(self._note, asdict(now), durable=False)

    def read(self) -> Progress | None:
        """What was told last; None when nobody is fetching. A note left by a killed process does not count."""
        with contextlib.suppress(StudioError, TypeError):
            if self.lock.held():
                return Progress(**read_json(self._note))
        return None

    def clear(self) -> None:
        """Nothing is on its way any more."""
        self._note.unlink(missing_ok=True)
