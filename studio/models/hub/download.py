"""Fetching a model of the Hub: looked at, brought file by file, checked, and only then put where it can be used."""

from __future__ import annotations

import logging
import shutil
import time
from collections import deque
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from studio.errors import StudioError
from studio.hub import places
from studio.models import published
from studio.models.folder import ModelFacts, check_model_folder, check_small
from studio.models.hub import notes
from studio.models.hub.client import About, asked, look
from studio.models.hub.files import RemoteFile, missing
from studio.models.hub.words import FETCH, duration, failure
from studio.models.progress import FetchState, Progress, Report, Stop
from studio.workspace import Workspace, gib

log = logging.getLogger("studio.models")
WINDOW = 5.0  # seconds over which the speed is taken
ROOM = 2**20  # bytes for notes beside the files


def fetch(
    workspace: Workspace,
    repo: str,
    *,
    revision: str = "",
    token: str = "",
    progress: Report = lambda _: None,
    stop: Stop = lambda: False,
) -> Path:
    """The folder of a model of the Hub, brought here first unless it is here. What a stop or a cut leaves is gone on with.

    Args:
        repo: "owner/name".
        revision: A commit; empty takes the newest. A model that is here already stays as it is.
        token: Sent to the Hub alone.
        progress, stop: As for `studio.models.fetch.ensure`.
    Raises:
        NoSpace: The disk has no room for what is still to be fetched.
        StudioError: It cannot be fetched or used; a plain sentence says why.
        Stopped: `stop` said so.
    """
    return bring(workspace, published.hub_id(repo), repo, revision=revision, token=token, progress=progress, stop=stop)


def bring(workspace: Workspace, model_id: str, repo: str, *, revision: str, token: str, progress: Report, stop: Stop) -> Path:
    """`fetch` under an id that was given before: the Hub may have renamed the model since."""

    def work(told: Report) -> None:
        told(Progress("download", 0, 1, "Asking the Hub about the model."))
        about = look(repo, revision=revision, token=token, stop=stop)
        _Fetching(workspace, model_id, about, token, told, stop).run()

    FetchState(workspace, model_id).once(lambda: notes.is_here(workspace, model_id), work, progress, stop)
    return workspace.folder("models", model_id) / notes.FILES


class _Fetching:
    """One fetching, by whoever holds the model's lock."""

    def __init__(self, workspace: Workspace, model_id: str, about: About, token: str, progress: Report, stop: Stop) -> None:
        self.workspace, self.model_id, self.about = workspace, model_id, about
        self.token, self.progress, self.stop = token, progress, stop
        self._whole = 0  # bytes of the files of an earlier errand
        self._got = 0  # bytes that earlier errands brought over the network
        self._seen: deque[tuple[float, int]] = deque()  # when how many bytes had come

    def run(self) -> None:
        about, token = self.about, bool(self.token)
        if about.closed:
            raise failure(FETCH, {"error": about.closed}, about.repo, token)
        if about.trouble:
            raise StudioError("This model cannot be used.", about.trouble)
        partial = notes.begin(self.workspace, self.model_id, about)
        needed = missing(partial, about.files, places.cache(), about.repo, about.revision)
        self.workspace.require_space(needed + ROOM, "for this model")
        # what is small first: nobody waits for gigabytes to learn that the settings cannot be used
        self._bring(partial, [item for item in about.files if not item.weights])
        self._judge(check_small, partial)
        self._bring(partial, [item for item in about.files if item.weights])
        facts = self._judge(check_model_folder, partial)
        notes.settle(self.workspace, self.model_id, about, facts)
        log_differences(about.repo, facts)

    def _bring(self, partial: Path, files: list[RemoteFile]) -> None:
        """One errand: these files, whole and with the right checksums."""
        about = self.about
        request = {
            "job": "fetch",
            "repo": about.repo,
            "revision": about.revision,
            "folder": str(partial),
            "cache": str(places.cache().absolute()),
            "files": [list(asdict(item).values()) for item in files],
        }
        got = 0
        for line in asked(request, FETCH, about.repo, self.token, self.stop):
            if line.get("end"):
                self._whole += sum(item.size for item in files)
                self._got += got
                return
            if "got" in line:
                got = int(line["got"])
                self._tell(self._whole + int(line["done"]), self._got + got, bool(line["check"]))
        raise failure(FETCH, {}, about.repo, bool(self.token))

    def _judge(self, check: Callable[[Path], Any], partial: Path) -> Any:
        """What a check of the files says. One that cannot be used is not kept."""
        try:
            return check(partial)
        except StudioError:
            shutil.rmtree(partial.parent, ignore_errors=True)
            raise

    def _tell(self, done: int, got: int, check: bool) -> None:
        total, now = self.about.download_bytes, time.monotonic()
        self._seen.append((now, got))
        while now - self._seen[0][0] > WINDOW:
            self._seen.popleft()
        first, before = self._seen[0]
        speed = (got - before) / (now - first) if now > first else 0.0
        if check:
            self.progress(Progress("check", min(done, total), total, "Checking what arrived.", speed))
            return
        self.progress(Progress("download", min(done, total), total, sentence(done, total, speed), speed))


def sentence(done: int, total: int, speed: float) -> str:
    """How a download stands, for the person. `speed`: bytes a second."""
    text = f"Fetching the model: {gib(done)} of {gib(total)}"
    if speed < 1024:
        return f"{text}."
    return f"{text}, {gib(speed)} a second, about {duration((total - done) / speed)} left."


def log_differences(repo: str, facts: ModelFacts) -> None:
    """Note in the log what the list of published models says otherwise than the model's own files."""
    item = published.find(repo)
    for text in published.differences(item, facts) if item else ():
        log.warning("%s: %s", repo, text)
