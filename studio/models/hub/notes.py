"""What a workspace knows of a model of the Hub: the note models/<id>/model.json, and the files beside it.

models/<id>/model.json    what it is; "ready" is true once all of it is here
models/<id>/partial/      what is here so far
models/<id>/files/        the model, once it is whole and checked
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from studio.errors import Busy, NotFound, StudioError
from studio.models.folder import ModelFacts
from studio.models.hub.client import About
from studio.models.hub.files import part_of
from studio.models.progress import FetchState
from studio.models.published import hub_id, published
from studio.workspace import (
    Workspace,
    disk_used,
    display_name,
    read_json,
    sha256_file,
    sync_folder,
    sync_tree,
    write_json,
)

NOTE, FILES, PARTIAL = "model.json", "files", "partial"
BROKEN = (StudioError, OSError, KeyError, TypeError, AttributeError)  # what reading a damaged note raises


def remember(workspace: Workspace, about: About) -> str:
    """Note a model that was looked at, so that its id can be chosen and fetched later. Returns the id.

    One that is here already, or on its way, stays as it is. Raises StudioError when it cannot be used.
    """
    if about.trouble:
        raise StudioError("This model cannot be used.", about.trouble)
    if not is_here(workspace, about.id) and not FetchState(workspace, about.id).lock.held():
        _write(workspace, about.id, about, ready=False)
    return about.id


def source_of(workspace: Workspace, model_id: str) -> tuple[str, str]:
    """(repository, revision) of a model of the Hub that is here, was remembered or is published; ("", "") of any other."""
    try:
        note = read_json(workspace.folder("models", model_id) / NOTE)
        return (str(note["repo"]), str(note["revision"])) if note.get("origin") == "hub" else ("", "")
    except BROKEN:  # there is no note, or none that can be read: one of the list can be fetched (again)
        return next((item.repo for item in published() if hub_id(item.repo) == model_id), ""), ""


def is_here(workspace: Workspace, model_id: str) -> bool:
    """Whether a model of the Hub is here and every file has the size its note says. Its hashes were checked when it came."""
    try:
        folder = workspace.folder("models", model_id)
        note = read_json(folder / NOTE)
        files = note["files"] if note["origin"] == "hub" and note["ready"] is True else {}
        return bool(files) and all((folder / FILES / name).stat().st_size == item["size"] for name, item in files.items())
    except BROKEN:
        return False


def begin(workspace: Workspace, model_id: str, about: About) -> Path:
    """The folder to collect a model's files in, with what is here already; parts of other versions are dropped."""
    folder = workspace.folder("models", model_id)
    partial = folder / PARTIAL
    _write(workspace, model_id, about, ready=False)
    if not partial.exists() and (folder / FILES).is_dir():  # it was whole once: what is still right of it is kept
        os.replace(folder / FILES, partial)
    partial.mkdir(exist_ok=True)
    names = {name for item in about.files for name in (item.name, part_of(partial, item).name)}
    for path in partial.iterdir():
        if path.name not in names:
            path.unlink()
    return partial


def settle(workspace: Workspace, model_id: str, about: About, facts: ModelFacts) -> None:
    """Make a whole, checked download ready: its folder gets its place first, its note says so last."""
    folder = workspace.folder("models", model_id)
    place = folder / FILES
    sync_tree(folder / PARTIAL)
    shutil.rmtree(place, ignore_errors=True)
    os.replace(folder / PARTIAL, place)
    sync_folder(folder)
    files = {item.name: {"size": item.size, "sha256": item.sha256 or sha256_file(place / item.name)} for item in about.files}
    more = {**asdict(facts), "config_sha256": sha256_file(place / "config.json"), "files": files}
    _write(workspace, model_id, about, ready=True, **more)


def _write(workspace: Workspace, model_id: str, about: About, **more: Any) -> None:
    """The note; until the files are here the Hub's word counts for what is in them."""
    assert about.shape
    folder = workspace.folder("models", model_id)
    folder.mkdir(exist_ok=True)
    note = {
        "schema_version": 1,
        "id": model_id,
        "title": display_name(about.repo.rpartition("/")[2]),
        "path": "",
        "origin": "hub",
        "repo": about.repo,
        "revision": about.revision,
        "gated": about.gated,
        "licence": about.licence,
        "registered_at": time.time(),
        "download_bytes": about.download_bytes,
        "model_type": about.model_type,
        "parameters": about.parameters,
        "context": about.context,
        "has_chat_template": any(item.name.startswith("chat_template.") for item in about.files),
        "shape": asdict(about.shape),
    }
    write_json(folder / NOTE, {**note, **more})


def remove(workspace: Workspace, model_id: str, in_use: Callable[[str], str] = lambda _: "") -> int:
    """Delete a model that came from the Hub, or what is here of one. Returns the bytes that were freed.

    Args:
        in_use: Says who uses a model, in words; empty when nobody does.
    Raises:
        NotFound: It is not here, or did not come from the Hub.
        Busy: Somebody uses it, or it is being fetched.
    """
    folder = workspace.folder("models", model_id)
    what = "The model was not removed."
    if read_json(folder / NOTE).get("origin") != "hub":
        raise NotFound(what, "It did not come from the Hub.", "Take it off the list instead.")
    if user := in_use(model_id):
        raise Busy(what, f"{user} uses it.", "Wait until that is done, or stop it.", holder=user)
    state = FetchState(workspace, model_id)
    if not state.lock.acquire("remove", timeout=0):
        raise Busy(what, "It is being fetched.", "Stop that first.")
    try:
        size = disk_used(folder)
        (folder / NOTE).unlink(missing_ok=True)  # from here on it is no model, however far the rest gets
        shutil.rmtree(folder)
    except OSError as error:
        raise StudioError(what, str(error.strerror or error), "Close what uses its files, and try again.") from error
    finally:
        state.lock.release()
    return size
