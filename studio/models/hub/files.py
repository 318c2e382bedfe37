"""The files of a model on the Hub: which are fetched, what shows that one is whole, and what of them is here already."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

PLAIN = frozenset(
    {"config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json", "tokenizer.model"}
    | {"special_tokens_map.json", "added_tokens.json", "vocab.json", "merges.txt", "chat_template.jinja", "chat_template.json"}
)
WHOLE, INDEX = "model.safetensors", "model.safetensors.index.json"
SHARD = re.compile(r"model-\d{5}-of-\d{5}\.safetensors")  # as transformers names them
PIECE = 2**20


@dataclass(frozen=True)
class RemoteFile:
    """A file as the Hub lists it: bytes, and what they are checked with: SHA-256 of large ones, git's own id of others."""

    name: str
    size: int
    sha256: str
    git_id: str

    @property
    def key(self) -> str:
        """What names the content."""
        return self.sha256 or self.git_id

    @property
    def weights(self) -> bool:
        """Whether it holds weights."""
        return self.name.endswith(".safetensors")


def wanted(names: Iterable[str]) -> set[str]:
    """Those of a repository's files that are fetched: settings, tokenizer, chat template, and weights as safetensors."""
    names = set(names)
    weights = {WHOLE} if WHOLE in names else {INDEX, *filter(SHARD.fullmatch, names)}
    return names & (PLAIN | weights)


def intact(path: Path, item: RemoteFile, told: Callable[[], None] = lambda: None) -> bool:
    """Whether a file holds what the Hub says it holds; read as a whole. `told` is called after each piece."""
    if not path.is_file() or path.stat().st_size != item.size:
        return False
    # git's id of a file is the SHA-1 of a short head and its bytes (Pro Git, 10.2)
    digest = hashlib.sha256() if item.sha256 else hashlib.sha1(b"blob %d\0" % item.size, usedforsecurity=False)
    with open(path, "rb") as handle:
        while piece := handle.read(PIECE):
            digest.update(piece)
            told()
    return digest.hexdigest() == item.key


def part_of(folder: Path, item: RemoteFile) -> Path:
    """Where a file is collected until it is whole. Named by its content, so that two versions are never mixed."""
    return folder / f"{item.name}.{item.key[:12]}.part"


def in_cache(cache: Path, repo: str, revision: str, item: RemoteFile) -> Path | None:
    """The file in the cache of huggingface_hub, by name or by content, if one of that size is there."""
    base = cache / f"models--{repo.replace('/', '--')}"
    for path in (base / "snapshots" / revision / item.name, base / "blobs" / item.key):
        if path.is_file() and path.stat().st_size == item.size:
            return path.resolve()
    return None


def take_over(source: Path, target: Path) -> None:
    """Give a file of the cache a second name here; what could not be the same file, or not be synced, is copied in pieces."""
    target.unlink(missing_ok=True)
    try:
        if not os.access(source, os.W_OK):
            raise PermissionError
        os.link(source, target)
    except OSError:
        with open(source, "rb") as reading, open(target, "wb") as writing:
            while piece := reading.read(PIECE):
                writing.write(piece)


def here(folder: Path, item: RemoteFile) -> int:
    """Bytes of a file that are in the folder, whole or in part."""
    for path in (folder / item.name, part_of(folder, item)):
        if path.is_file():
            return min(path.stat().st_size, item.size)
    return 0


def missing(folder: Path, files: Iterable[RemoteFile], cache: Path, repo: str, revision: str) -> int:
    """Bytes the disk must still take: not those here, nor those of a cache on the same disk."""
    total = 0
    for item in files:
        found = in_cache(cache, repo, revision, item)
        if not (found and found.stat().st_dev == folder.stat().st_dev):
            total += item.size - here(folder, item)
    return total
