"""The drafts that lie in a workspace: which was touched last, and which are too old to be kept."""

from __future__ import annotations

import contextlib
import shutil
import time

from studio.datasets import DatasetStore
from studio.workspace import Workspace

PREFIX = "draft-"
KEPT_DAYS = 30  # an untouched draft is removed after that


def newest(workspace: Workspace, datasets: DatasetStore) -> str | None:
    """The draft that was touched last, if it is newer than every data set."""
    found = [(path.stat().st_mtime, path.parent.name) for path in (workspace.root / "cache").glob(f"{PREFIX}*/draft.json")]
    if not found:
        return None
    touched, draft_id = max(found)
    saved = next(iter(datasets.ids()), None)
    return draft_id if saved is None or touched > datasets.get(saved).created_at else None


def sweep(workspace: Workspace) -> None:
    """Remove drafts that nobody touched for a month, and what is left of broken ones."""
    oldest = time.time() - KEPT_DAYS * 86400
    for path in (workspace.root / "cache").glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):
            if not (path / "draft.json").is_file() or (path / "draft.json").stat().st_mtime < oldest:
                shutil.rmtree(path, ignore_errors=True)
