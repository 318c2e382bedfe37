"""Versions of a data set: which came from which, what differs between two, and how to go back to an earlier one.

Every saved change is a data set of its own that names the one it was made from (`parent`). Nothing depends on the parent:
deleting it leaves the others whole.
"""

from __future__ import annotations

import json
import shutil
import time
from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Any

from studio.datasets import DatasetStore
from studio.records import Dataset, Example
from studio.workspace import write_json

KEPT_FILES = ("rows.parquet", "left_out.jsonl", "edits.jsonl")


@dataclass(frozen=True)
class Change:
    """One row that differs. `before` is None for an added row, `after` for one that was taken out."""

    row: int
    before: Example | None
    after: Example | None


@dataclass(frozen=True)
class Difference:
    """What differs between two versions, as positions of rows (8 bytes each); the texts are read when they are asked for.

    `added` and the second of `changed` are positions in `new`, `removed` and the first of `changed` in `old`.
    """

    store: DatasetStore
    old: Dataset
    new: Dataset
    added: Sequence[int]
    removed: Sequence[int]
    changed: tuple[Sequence[int], Sequence[int]]

    @property
    def counts(self) -> dict[str, int]:
        """Rows that were added, removed and changed."""
        return {"added": len(self.added), "removed": len(self.removed), "changed": len(self.changed[0])}

    def page(self, kind: str, start: int = 0, count: int = 20) -> list[Change]:
        """Some rows of one kind (a key of `counts`), with their texts before and after."""
        some = slice(max(0, start), max(0, start) + max(0, count))
        before = {"removed": self.removed, "changed": self.changed[0]}.get(kind, ())[some]
        after = {"added": self.added, "changed": self.changed[1]}.get(kind, ())[some]
        old, new = self.store.take(self.old.id, before), self.store.take(self.new.id, after)
        if kind == "changed":
            return [Change(there, old[here], new[there]) for here, there in zip(before, after, strict=True)]
        return [Change(at, old[at], None) for at in before] + [Change(at, None, new[at]) for at in after]


def lineage(store: DatasetStore, dataset_id: str) -> list[Dataset]:
    """All versions that are there, newest first: this one, what it was made from, and what was made from any of them.

    Raises NotFound. Versions made from the same deleted one still belong together.
    """
    wanted = store.get(dataset_id)
    records = [store.get(item) for item in store.ids()]
    family = {wanted.id, wanted.parent} - {""}
    size = 0
    while size < len(family):
        size = len(family)
        for record in records:
            if record.id in family or record.parent in family:
                family |= {record.id, record.parent} - {""}
    return [record for record in records if record.id in family]


def difference(store: DatasetStore, old_id: str, new_id: str) -> Difference:
    """What differs between two data sets. Each is read once; of the old one, numbers are kept meanwhile. Raises NotFound.

    A row is the same one when it stands at the same place of the same file. Versions whose file was read in the same way name
    their rows alike, and added rows have such names, too.
    """
    old, new = store.get(old_id), store.get(new_id)
    named = read_alike(old, new)
    there: dict[int, int] = {}
    was = array("Q")
    for at, (key, said) in enumerate(prints(store, old_id, named)):
        there[key] = at
        was.append(said)
    added, before, after = array("q"), array("q"), array("q")
    for at, (key, said) in enumerate(prints(store, new_id, named)):
        known = there.pop(key, None)
        if known is None:
            added.append(at)
        elif was[known] != said:
            before.append(known)
            after.append(at)
    removed = array("q", sorted(there.values()))
    return Difference(store, old, new, added, removed, (before, after))


def restore(store: DatasetStore, dataset_id: str) -> Dataset:
    """A new version that equals an old one; its parent is the newest version. Raises NotFound, and NoSpace."""
    newest, old = lineage(store, dataset_id)[0], store.get(dataset_id)
    folder = store.folder(dataset_id)
    store.workspace.require_space(store.disk(dataset_id), "for this version")
    item = store.workspace.new_folder("datasets", old.name).name
    record = replace(old, id=item, created_at=time.time(), parent=newest.id)
    with store.workspace.staged("datasets", item) as staging:
        for name in KEPT_FILES:
            if (folder / name).is_file():
                shutil.copyfile(folder / name, staging / name)
        if (folder / "original").is_dir():
            shutil.copytree(folder / "original", staging / "original")
        write_json(staging / "dataset.json", record.to_json())
    return record


def read_alike(old: Dataset, new: Dataset) -> bool:
    """Whether the rows of two data sets have the same ids: the same file, read in the same way, with the same columns."""
    files = [record.provenance.get("original_sha256") for record in (old, new)]
    return bool(files[0]) and files[0] == files[1] and (old.reading, old.mapping) == (new.reading, new.mapping)


def prints(store: DatasetStore, dataset_id: str, named: bool) -> Iterator[tuple[int, int]]:
    """For each row a number for which row it is, and one for what it says.

    `named`: row ids tell rows apart; else it is the place in the file, and which of the rows from that place it is.
    """
    seen: Counter[int] = Counter()
    place = ("row_id",) if named else ("source_file", "source_row")
    for record in store.records(dataset_id, (*place, "messages", "text", "label")):
        if named:
            key = record["row_id"]
        else:
            here = number([record["source_file"], record["source_row"]])
            key = number([here, seen[here]])
            seen[here] += 1
        yield key, number([record["messages"], record["text"], record["label"]])


def number(value: Any) -> int:
    """8 bytes that stand for JSON values."""
    return int.from_bytes(blake2b(json.dumps(value).encode(), digest_size=8).digest(), "little")
