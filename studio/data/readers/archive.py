"""ZIP archives. Their files are unpacked in a child process, under names of our own, into a folder that is removed again."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from studio.data.readers import guarded
from studio.data.readers.reading import MAX_FILE
from studio.workspace import display_name

REASONS = {
    "nested": "It is an archive inside the archive. Take its files out and add them.",
    "password": "It is protected with a password. Save it without one and add it again.",
    "kind": "Files of this kind are not supported.",
    "method": "It is packed in a way that cannot be read. Take it out and add it.",
    "link": "It is a link to another place, and no file.",
    "damaged": "It is damaged. Take it out of the archive and add it.",
}


@contextlib.contextmanager
def unpacked(path: Path, name: str, suffixes: Iterable[str]) -> Iterator[tuple[list[tuple[str, Path]], list[tuple[str, str]]]]:
    """The files of an archive as (name to show, path), and those that cannot be used as (name, reason).

    The paths are gone when the block ends. Raises StudioError when the archive is damaged or unfolds to too much.
    """
    with tempfile.TemporaryDirectory(prefix="studio-zip-") as folder:
        files: list[tuple[str, Path]] = []
        unused: list[tuple[str, str]] = []
        for line in guarded.lines("zip", path, name, folder, ",".join(suffixes), str(guarded.MAX_FILES), str(MAX_FILE)):
            shown = display_name(line["name" if "file" in line else "unused"], "A file")
            if "file" in line:
                files.append((shown, Path(line["file"])))
            else:
                unused.append((shown, REASONS[line["why"]]))
        yield files, unused
