"""The files a draft is made of, kept as they came: one by its name, or several, each in a numbered folder."""

from __future__ import annotations

import re
import shutil
import zipfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from studio.workspace import display_name


def keep(paths: Sequence[Path], folder: Path, name: str) -> str:
    """Copy files into a new folder; returns the name of the one in it, empty where there are several.

    Args:
        name: What a single file is called; several keep their own names.
    """
    folder.mkdir()
    if len(paths) == 1:
        file = safe_file_name(name, paths[0].suffix)
        shutil.copyfile(paths[0], folder / file)
        return file
    for number, path in enumerate(paths, start=1):
        (folder / f"{number:05}").mkdir()
        shutil.copyfile(path, folder / f"{number:05}" / safe_file_name(display_name(path.name), path.suffix))
    return ""


def files(folder: Path) -> list[Path]:
    """Several files in the order they were added."""
    return sorted(folder.glob("*/*"))


def as_one(source: Path) -> Path:
    """A file, or the archive beside the folder that several are packed into; it reads as they do."""
    if source.is_file():
        return source
    names = Counter(path.name for path in files(source))
    archive = source.with_suffix(".zip")
    with zipfile.ZipFile(archive, "w") as package:
        for path in files(source):
            package.write(path, path.name if names[path.name] == 1 else f"{path.parent.name}/{path.name}")
    return archive


def safe_file_name(name: str, suffix: str) -> str:
    """A name for the copy on disk that still reads like the person's own, so that messages about the file can name it."""
    stem = re.sub(r"[^\w ()-]+", "_", Path(name).stem).strip(" _")[:60] or "file"
    suffix = suffix.lower()
    return stem + (suffix if suffix[1:].isalnum() and len(suffix) <= 9 else "")
