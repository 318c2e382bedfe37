"""One way to get a model's folder: the starter is made, a model of the Hub is fetched, a registered folder is where it is.

Once a model is here nothing asks the network again. Two callers at once (threads or processes) do the work once: one has the
lock, the others watch its progress.
"""

from __future__ import annotations

from pathlib import Path

from studio.errors import NotFound, StudioError
from studio.models import hub
from studio.models.progress import READY, FetchState, Progress, Report, Stop
from studio.models.starter import STARTER_ID
from studio.models.starter_fetch import StarterFetch
from studio.workspace import Workspace, read_json


def ensure(
    workspace: Workspace, model_id: str, progress: Report | None = None, stop: Stop | None = None, token: str = ""
) -> Path:
    """The folder of a model that is ready to load; the starter or a model of the Hub is fetched first if need be.

    Safe to call from several threads and processes at once. Returns within milliseconds when the model is ready.

    Args:
        progress: Called with each new state, from the calling thread.
        stop: Asked a few times a second; True ends the work. What of a Hub model is here by then is kept.
        token: The person's token for the Hub; only the Hub gets it.
    Raises:
        NotFound: No such model.
        StudioError: Offline, no room, refused by the Hub, or the file stayed damaged; a plain sentence says which.
        Stopped: `stop` said so.
    """
    progress, stop = progress or (lambda _: None), stop or (lambda: False)
    if model_id == STARTER_ID:
        state = FetchState(workspace, model_id)
        state.once(lambda: is_ready(workspace), lambda told: StarterFetch(workspace, told, stop).run(), progress, stop)
        folder = workspace.folder("models", STARTER_ID)
    else:
        repo, revision = hub.source_of(workspace, model_id)
        if not repo:
            return registered_folder(workspace, model_id)
        folder = hub.bring(workspace, model_id, repo, revision=revision, token=token, progress=progress, stop=stop)
    progress(READY)
    return folder


def is_ready(workspace: Workspace, model_id: str = STARTER_ID) -> bool:
    """Whether the starter or a model of the Hub is here and every file has the size that was noted when it came."""
    if model_id != STARTER_ID:
        return hub.is_here(workspace, model_id)
    folder = workspace.folder("models", STARTER_ID)
    try:
        files = read_json(folder / "studio.json")["files"]
        return bool(files) and all((folder / name).stat().st_size == about["size"] for name, about in files.items())
    except (StudioError, OSError, KeyError, TypeError, AttributeError):
        return False


def fetch_progress(workspace: Workspace, model_id: str) -> Progress | None:
    """Where the fetching stands, whoever does it; None when nobody fetches and the model is not here."""
    return READY if is_ready(workspace, model_id) else FetchState(workspace, model_id).read()


def registered_folder(workspace: Workspace, model_id: str) -> Path:
    """The folder of a model that is here: fetched from the Hub or registered. Raises NotFound when it or its folder is gone."""
    home = workspace.folder("models", model_id)
    note = read_json(home / "model.json")
    folder = home / hub.FILES if note.get("origin") == "hub" else Path(str(note.get("path", "")))
    if not (folder / "config.json").is_file():
        raise NotFound(
            "This model is not there any more.",
            f"Its folder {folder} is missing.",
            "Put the folder back, or pick another model.",
        )
    return folder
