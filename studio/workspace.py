"""The workspace on disk: the only builder of paths, with safe names, atomic writes, locks and limits.

Layout:
    datasets/<id>/  runs/<id>/  models/<id>/  presets/<id>/  cache/  uploads/  logs/  device.lock
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import re
import secrets
import shutil
import threading
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from studio.errors import NoSpace, NotFound, StudioError

SAFE_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
FREE_SPACE_FLOOR = 500 * 2**20  # bytes never used up, so that the rest of the computer keeps working
ROOMS = ("datasets", "runs", "models", "presets", "cache", "uploads", "logs")


def default_root() -> Path:
    """`STUDIO_WORKSPACE`, or a visible folder in the user's home."""
    named = os.environ.get("STUDIO_WORKSPACE")
    return Path(named).expanduser() if named else Path.home() / "Finetune Studio"


class Workspace:
    """Builds every path below one root. Ids that could leave it raise NotFound."""

    def __init__(self, root: Path | str) -> None:
        self.root = Path(root).expanduser().resolve()
        try:
            for room in ROOMS:
                (self.root / room).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StudioError(
                f"The folder {self.root} cannot be used.",
                str(error.strerror or error),
                "Name another with --workspace.",
            ) from error

    def folder(self, room: str, item: str) -> Path:
        """The folder of one data set, run or model. It need not exist."""
        if room not in ROOMS or not isinstance(item, str) or not SAFE_ID.fullmatch(item):
            raise NotFound("That does not exist.", "The name is not one this app gives.", "Pick from the Library.")
        path = self.root / room / item
        if path.is_symlink():
            raise NotFound("That cannot be opened.", "It is a link to another place.", "Remove the link.")
        return path

    def new_folder(self, room: str, name: str) -> Path:
        """Make and return a new folder whose id is readable and unique."""
        while True:
            path = self.folder(room, f"{slug(name)}-{secrets.token_hex(3)}")
            try:
                path.mkdir()
            except FileExistsError:
                continue
            return path

    def items(self, room: str) -> list[str]:
        """Ids in a room, newest first."""
        found = {}
        for path in (self.root / room).iterdir():
            if path.is_dir() and SAFE_ID.fullmatch(path.name):
                with contextlib.suppress(FileNotFoundError):  # it is deleted in this moment
                    found[path.name] = path.stat().st_mtime
        return sorted(found, key=found.__getitem__, reverse=True)

    @property
    def device_lock(self) -> Path:
        """The lock file behind the device lease."""
        return self.root / "device.lock"

    def sweep(self) -> None:
        """Remove staging folders that a crash left behind."""
        for room in ROOMS:
            for path in (self.root / room).glob(".staging-*"):
                shutil.rmtree(path, ignore_errors=True)

    @contextlib.contextmanager
    def staged(self, room: str, item: str) -> Iterator[Path]:
        """A folder to fill; it appears as `room/item` only when the block ends well, in the place of what is there."""
        target = self.folder(room, item)
        staging = target.with_name(f".staging-{item}-{secrets.token_hex(3)}")
        staging.mkdir()
        try:
            yield staging
            sync_tree(staging)
            if target.exists():
                shutil.rmtree(target)
            os.replace(staging, target)
            sync_folder(target.parent)
        except BaseException:
            with contextlib.suppress(OSError):  # not there, or not empty: only what `new_folder` set aside goes
                target.rmdir()
            raise
        finally:
            shutil.rmtree(staging, ignore_errors=True)

    def require_space(self, needed: int, purpose: str) -> None:
        """Raise NoSpace when fewer than `needed` bytes beyond the floor are free."""
        free = shutil.disk_usage(self.root).free
        if free - FREE_SPACE_FLOOR < needed:
            raise NoSpace(
                f"There is not enough room on the disk {purpose}.",
                f"It needs {gib(needed + FREE_SPACE_FLOOR)}, and {gib(free)} is free.",
                "Delete something in the Library, or free some room, and try again.",
            )


def gib(size: float) -> str:
    """Bytes as a person reads them, with a space before the unit."""
    if size >= 2**30:
        return f"{size / 2**30:.1f} GB"
    return f"{max(1, round(size / 2**20))} MB" if size >= 2**19 else f"{max(0, math.ceil(size / 1024))} kB"


def slug(name: str) -> str:
    """A readable, safe folder name made from what a person typed."""
    plain = unicodedata.normalize("NFKD", str(name)).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:40].strip("-") or "untitled"


def display_name(name: Any, fallback: str = "Untitled") -> str:
    """A name fit to show: one line, no control or direction-changing characters, at most 80 characters."""
    shown = "".join(" " if char.isspace() else char for char in str(name))
    shown = "".join(char for char in shown if unicodedata.category(char) not in UNSHOWN)
    return re.sub(r" +", " ", shown).strip()[:80] or fallback


UNSHOWN = {"Cc", "Cf", "Cs", "Co", "Cn"}


def sync_folder(path: Path) -> None:
    """Make a rename inside `path` survive a power cut (a no-op where folders cannot be opened)."""
    with contextlib.suppress(OSError, PermissionError):
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def sync_tree(path: Path) -> None:
    """fsync every file below `path`, then its folders."""
    for folder, _, files in os.walk(path):
        for name in files:
            with open(os.path.join(folder, name), "rb+") as handle:
                os.fsync(handle.fileno())
        sync_folder(Path(folder))


def write_text(path: Path, text: str, *, durable: bool = True) -> None:
    """Replace a file as a whole: a reader sees the old or the new text, never half of one."""
    staging = path.with_name(f".{path.name}.{secrets.token_hex(3)}.tmp")
    try:
        with open(staging, "w", encoding="utf-8") as handle:
            handle.write(text)
            handle.flush()
            if durable:
                os.fsync(handle.fileno())
        os.replace(staging, path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            staging.unlink()
    if durable:
        sync_folder(path.parent)


def write_json(path: Path, values: Any, *, durable: bool = True) -> None:
    """Replace a JSON file as a whole. Non-finite numbers raise ValueError: readers of other tools could not parse them."""
    write_text(path, json.dumps(values, ensure_ascii=False, indent=1, allow_nan=False), durable=durable)


def read_json(path: Path) -> Any:
    """The values of a JSON file. NotFound when it is missing, StudioError when it cannot be read."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise NotFound("That does not exist any more.", f"{path.name} is missing.", "Look in the Library.") from error
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise StudioError(f"{path.name} cannot be read.", "The file is damaged.", "Delete it in the Library.") from error


def append_json(path: Path, values: Any, *, durable: bool = False) -> None:
    """Append one JSON line. A line that a crash cut short before stays on a line of its own. Non-finite numbers: ValueError."""
    line = json.dumps(values, ensure_ascii=False, allow_nan=False).encode() + b"\n"
    with open(path, "a+b") as handle:
        if handle.tell():
            handle.seek(-1, os.SEEK_END)
            line = line if handle.read(1) == b"\n" else b"\n" + line
        handle.write(line)
        if durable:
            handle.flush()
            os.fsync(handle.fileno())


def json_lines(path: Path) -> Iterator[dict[str, Any]]:
    """Every whole record of a JSON-lines file, in order; a line that a crash cut short is passed over. None without a file."""
    with contextlib.suppress(FileNotFoundError), open(path, "rb") as handle:
        for line in handle:
            with contextlib.suppress(ValueError, RecursionError):  # cut inside a value, or inside a letter
                if isinstance(record := json.loads(line), dict):
                    yield record


def sha256_file(path: Path) -> str:
    """Hex SHA-256 of a file, read in pieces."""
    digest = hashlib.sha256()
    with open(path, "rb") as handle:
        while piece := handle.read(2**20):
            digest.update(piece)
    return digest.hexdigest()


def disk_used(path: Path) -> int:
    """Bytes of all files below a folder; files that vanish meanwhile count nothing."""
    total = 0
    for folder, _, files in os.walk(path):
        for name in files:
            with contextlib.suppress(OSError):
                total += os.lstat(os.path.join(folder, name)).st_size
    return total


PROBING = threading.Lock()  # two threads that look at once would each take the other for a holder


class Lock:
    """An operating-system lock on a file: released by the system itself when its holder dies.

    The holder's name is kept beside it so that who waits can be told.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = FileLock(str(path), thread_local=False, is_singleton=False)

    def acquire(self, holder: str = "", timeout: float = 2.0) -> bool:
        """Take the lock within `timeout` seconds; False when somebody else keeps it."""
        try:
            self._lock.acquire(timeout=timeout, poll_interval=0.02)
        except Timeout:
            return False
        write_json(self._note, {"holder": holder, "pid": os.getpid()}, durable=False)
        return True

    def release(self) -> None:
        """Give the lock back. Safe to call twice."""
        if self._lock.is_locked:
            with contextlib.suppress(OSError):
                self._note.unlink()
            self._lock.release()

    def held(self) -> bool:
        """Whether anybody (this process included) holds the lock now."""
        if self._lock.is_locked:
            return True
        if not self.path.exists():  # a probe would make the file, and the folder of what was just deleted with it
            return False
        probe = FileLock(str(self.path), thread_local=False, is_singleton=False)
        with PROBING:
            try:
                probe.acquire(timeout=0)
            except Timeout:
                return True
            except FileNotFoundError:  # its folder is deleted in this moment
                return False
            probe.release()
        return False

    def holder(self) -> str:
        """Who holds it, in words; empty when free or unknown."""
        if not self.held():
            return ""
        try:
            return str(read_json(self._note).get("holder", ""))
        except StudioError:
            return ""

    @property
    def _note(self) -> Path:
        return self.path.with_name(self.path.name + ".json")
