"""Files that the page uploaded, on their way into a draft."""

from __future__ import annotations

import contextlib
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from studio.errors import NotFound, StudioError
from studio.workspace import Workspace, display_name

MOST_FILES = 200  # at once; the reader of archives takes as many


@contextlib.contextmanager
def taken(workspace: Workspace, uploads: Sequence[Path | str]) -> Iterator[tuple[Path, str]]:
    """The uploaded file and its name; of several, one archive that holds them all. The uploaded copies are gone afterwards.

    Raises NotFound for a file that does not come from the upload folder, StudioError for none or too many.
    """
    paths = list(dict.fromkeys(Path(upload).resolve() for upload in uploads))
    if len(paths) > MOST_FILES:
        raise StudioError("Nothing was read.", f"{len(paths):,} files were added at once.", f"Add at most {MOST_FILES}.")
    if not paths or not all(workspace.root / "uploads" in path.parents and path.is_file() for path in paths):
        raise NotFound("This file cannot be opened.", "It was not added through this page.", "Add it again.")
    try:
        if len(paths) == 1:
            yield paths[0], display_name(paths[0].name)
            return
        with tempfile.TemporaryDirectory(dir=workspace.root / "cache", prefix="several-") as folder:
            yield bundled(paths, Path(folder) / "several.zip"), f"{display_name(paths[0].name)} and {len(paths) - 1:,} more"
    finally:
        for path in paths:
            path.unlink(missing_ok=True)
            with contextlib.suppress(OSError):
                path.parent.rmdir()


def bundled(paths: Sequence[Path], archive: Path) -> Path:
    """The files in one archive, as they are; equal names get a number."""
    used: set[str] = set()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as bundle:
        for path in paths:
            name = path.name
            number = 1
            while name in used:
                number += 1
                name = f"{path.stem} ({number}){path.suffix}"
            used.add(name)
            bundle.write(path, name)
    return archive
