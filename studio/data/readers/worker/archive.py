"""ZIP archives: their files are written, under names of our own, to a folder that the parent made.

Lines: {"file": path, "name": name in the archive} or {"unused": name, "why": reason}, where reason is nested, password,
kind, method, link or damaged. Names are shown and never used as paths.
"""

from __future__ import annotations

import stat
import zipfile
from pathlib import Path, PurePosixPath

from output import fail, say

PIECE = 2**20  # bytes read at once
ENCRYPTED = 1  # the bit of a member's flags
ARCHIVES = (".zip", ".7z", ".rar", ".gz", ".tgz", ".tar", ".bz2", ".xz")
JUNK = ("__MACOSX/", ".DS_Store", "Thumbs.db", "desktop.ini")  # what operating systems add on their own


def unpack(path: str, folder: str, known: str, most_files: str, most_bytes: str) -> None:
    """Unpack the files whose suffix is known.

    Args:
        known: The suffixes that can be read, separated by commas.
        most_files: How many files there may be.
        most_bytes: How many bytes they may have in all, as declared and as they turn out to be.
    """
    suffixes = known.split(",")
    with zipfile.ZipFile(path) as package:
        members = [item for item in package.infolist() if not item.is_dir() and not is_junk(item.filename)]
        if len(members) > int(most_files):
            fail("parts", len(members))
        declared = sum(item.file_size for item in members)
        if declared > int(most_bytes):
            fail("unpacked", declared)
        left = int(most_bytes)
        for index, item in enumerate(members):
            suffix = PurePosixPath(item.filename.replace("\\", "/")).suffix.lower()
            if why := unusable(item, suffix, suffixes):
                say({"unused": item.filename, "why": why})
                continue
            target = Path(folder) / f"{index}{suffix}"
            try:
                left -= copy(package, item, target, left)
            except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError, OSError, ValueError) as error:
                why = "method" if isinstance(error, NotImplementedError) else "damaged"
                say({"unused": item.filename, "why": why})
                continue
            say({"file": str(target), "name": item.filename})


def unusable(item: zipfile.ZipInfo, suffix: str, suffixes: list[str]) -> str:
    """Why a member is not unpacked; empty when it is."""
    if suffix in ARCHIVES:
        return "nested"
    if item.flag_bits & ENCRYPTED:
        return "password"
    if stat.S_ISLNK(item.external_attr >> 16):
        return "link"
    return "" if suffix in suffixes else "kind"


def is_junk(name: str) -> bool:
    """Whether a member was put there by an operating system rather than a person."""
    return name.startswith(JUNK[0]) or PurePosixPath(name).name in JUNK


def copy(package: zipfile.ZipFile, item: zipfile.ZipInfo, target: Path, left: int) -> int:
    """Write one member and return its real size; leaves when there is more than `left` bytes."""
    size = 0
    with package.open(item) as source, open(target, "xb") as out:
        while piece := source.read(PIECE):
            size += len(piece)
            if size > left:
                fail("unpacked", size)
            out.write(piece)
    return size
