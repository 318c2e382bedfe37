"""Asks the Hub about models and brings their files, in a process of its own; `client.py` says what it is to do.

Lines of output: {"found": [...]} for job "search"; {"about": {...}} for "look"; for "fetch" {"done": bytes here, "got": bytes
that came over the network, "check": bool} several times a second, then {"end": true}. Instead of the rest {"error": kind}.

`hf_hub_download` of huggingface_hub 2.4 deletes what it has of a file when it ends early, so the files are brought with the
function beneath it, `http_get`, which asks for the rest of a file (HTTP Range).
"""

from __future__ import annotations

import io
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import httpx2
from huggingface_hub import HfApi, constants, hf_hub_url
from huggingface_hub.file_download import http_get
from huggingface_hub.utils import build_hf_headers

from studio.hub.child import Refused, kind_of, say, serve
from studio.models.folder import MAX_JSON
from studio.models.hub import transport
from studio.models.hub.files import RemoteFile, in_cache, intact, part_of, take_over, wanted

MEMORY = 2 * 2**30  # bytes; the libraries and an answer of some MB take a fraction
SECONDS = 6 * 3600  # of computing: a hash takes a second for each GB
TIMEOUT = 20.0  # seconds for an answer about a model
TELL = 0.2  # seconds between two lines about how far a fetch is
CHUNK = 2**16  # bytes written at a time: the most that a cut can cost
TRIES = 3  # attempts in a row that bring nothing
PAUSE = 1.0  # seconds before the second attempt, twice that before the third
SHOWN = ("config", "safetensors", "downloads", "likes", "gated", "cardData", "lastModified", "tags", "private")


def search(request: dict[str, Any]) -> None:
    """Print the text models whose names hold a text, most downloads first."""
    found = HfApi(token=request["token"] or False).list_models(
        search=request["query"] or None,
        pipeline_tag="text-generation",
        filter="safetensors",
        sort="downloads",
        limit=request["limit"],
        expand=list(SHOWN),
    )
    say(found=[_told(item) for item in found])


def look(request: dict[str, Any]) -> None:
    """Print what the Hub says of a model: the version, its files with their checksums, and config.json."""
    token = request["token"] or False
    asked = {"revision": request["revision"] or None, "files_metadata": True, "timeout": TIMEOUT}
    info = HfApi(token=token).model_info(request["repo"], **asked)
    files = {item.rfilename: item for item in info.siblings or ()}
    chosen = [files[name] for name in sorted(wanted(files))]
    about = _told(info) | {
        "revision": info.sha,
        "files": [[item.rfilename, item.size, item.lfs.sha256 if item.lfs else "", item.blob_id or ""] for item in chosen],
        "names": sorted(name for name in files if "/" not in name)[:200],
        "closed": "",
    }
    if "config.json" in files and (files["config.json"].size or 0) <= MAX_JSON:
        try:
            about["config"] = _small_json(info.id, info.sha, token)
        except Exception as error:
            about["closed"] = kind_in(error, "look")
            if about["closed"] not in ("gated", "consent"):
                raise
    say(about=about)


def _told(info: Any) -> dict[str, Any]:
    """What search and look both tell."""
    card = info.card_data.to_dict() if info.card_data else {}
    licence = card.get("license")
    if licence == "other":
        licence = card.get("license_name") or licence
    return {
        "repo": info.id,
        "downloads": int(info.downloads or 0),
        "likes": int(info.likes or 0),
        "gated": bool(info.gated),
        "private": bool(info.private),
        "licence": ", ".join(map(str, licence)) if isinstance(licence, list) else str(licence or ""),
        "tagged": next((tag[8:] for tag in info.tags or () if tag.startswith("license:")), ""),
        "parameters": int(info.safetensors.total) if info.safetensors else None,
        "updated": info.last_modified.date().isoformat() if info.last_modified else "",
        "config": info.config or {},
    }


def _small_json(repo: str, revision: str, token: str | bool) -> Any:
    """config.json of a model; {} when it is not JSON."""
    buffer = io.BytesIO()
    http_get(hf_hub_url(repo, "config.json", revision=revision), _Bounded(buffer), headers=_headers(token))
    try:
        return json.loads(buffer.getvalue())
    except (ValueError, RecursionError):
        return {}


class _Bounded:
    """A file that takes no more than a settings file may hold."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def write(self, data: bytes) -> None:
        if self._file.tell() + len(data) > MAX_JSON:
            raise Refused("damaged", file="config.json")
        self._file.write(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


def _headers(token: str | bool) -> dict[str, str]:
    return {**build_hf_headers(token=token), "Accept-Encoding": "identity"}  # compressed, a file cannot be gone on with


class _Fetching:
    """Brings files into a folder, one after the other, and tells how far it is."""

    def __init__(self, request: dict[str, Any]) -> None:
        self.repo, self.revision, self.token = request["repo"], request["revision"], request["token"] or False
        self.folder, self.cache = Path(request["folder"]), Path(request["cache"])
        self.whole = self.got = 0  # bytes of the files that are done, and bytes that came over the network
        self._told = 0.0

    def bring(self, item: RemoteFile) -> None:
        """One file; whole and checked when this returns."""
        target, part = self.folder / item.name, part_of(self.folder, item)
        if not intact(target, item, self._checking):
            target.unlink(missing_ok=True)
            if not self._from_cache(item, part):
                self._from_hub(item, part)
            os.replace(part, target)
        self.whole += item.size
        self._tell(0, check=False, now=True)

    def _from_cache(self, item: RemoteFile, part: Path) -> bool:
        source = in_cache(self.cache, self.repo, self.revision, item)
        if not source or not intact(source, item, self._checking):
            return False
        take_over(source, part)
        return True

    def _from_hub(self, item: RemoteFile, part: Path) -> None:
        """Raises Refused when what arrived is wrong twice: a second time it is fetched from the start."""
        for _ in range(2):
            self._download(item, part)
            if intact(part, item, self._checking):
                return
            part.unlink()
        raise Refused("damaged", file=item.name)

    def _download(self, item: RemoteFile, part: Path) -> None:
        """Go on with a file until its size is right; a few attempts in a row may bring nothing."""
        url, idle = hf_hub_url(self.repo, item.name, revision=self.revision), 0
        while (before := _size(part)) != item.size:
            if before > item.size:
                part.unlink()
                continue
            try:
                with open(part, "ab") as handle:
                    counted = _Counted(handle, self._arrived)
                    http_get(url, counted, resume_size=before, headers=_headers(self.token), expected_size=item.size)
            except (httpx2.TransportError, Refused) as error:
                if isinstance(error, Refused) and str(error) not in ("offline", "silent", "server"):
                    raise
                idle = 0 if _size(part) > before else idle + 1
                if idle == TRIES:
                    raise Refused("cut") from error if isinstance(error, httpx2.TransportError) else error
                time.sleep(PAUSE * 2 ** max(0, idle - 1))
        if not item.size:
            part.touch()

    def _arrived(self, size: int, position: int) -> None:
        self.got += size
        self._tell(position, check=False)

    def _checking(self) -> None:
        self._tell(0, check=True)

    def _tell(self, position: int, *, check: bool, now: bool = False) -> None:
        if now or time.monotonic() - self._told > TELL:
            self._told = time.monotonic()
            say(done=self.whole + position, got=self.got, check=check)


class _Counted:
    """A file that tells of every write."""

    def __init__(self, file: BinaryIO, told: Callable[[int, int], None]) -> None:
        self._file, self._tell_of = file, told

    def write(self, data: bytes) -> None:
        self._file.write(data)
        self._file.flush()  # what is here survives this process
        self._tell_of(len(data), self._file.tell())

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def fetch(request: dict[str, Any]) -> None:
    """Bring files, the small ones first."""
    constants.DOWNLOAD_CHUNK_SIZE = CHUNK
    fetching = _Fetching(request)
    for item in sorted((RemoteFile(*values) for values in request["files"]), key=lambda item: item.size):
        fetching.bring(item)
    say(end=True)


def kind_in(error: BaseException, job: str) -> str:
    """What an error of a job means: 401 and 403 are told apart, and a version that is gone from a model that is."""
    names = {kind.__name__ for kind in type(error).__mro__}
    status = getattr(getattr(error, "response", None), "status_code", 0)
    if "RevisionNotFoundError" in names:
        return "revision"
    if "GatedRepoError" in names:
        return "consent" if status == 403 else "gated"
    return "private" if status == 403 else kind_of(error)


if __name__ == "__main__":
    transport.install()
    serve({"search": search, "look": look, "fetch": fetch}, kind_in, memory=MEMORY, seconds=SECONDS)
