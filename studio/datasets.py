"""Data set folders as a typed store. A data set never changes once it is made; saving edits makes a new one.

    datasets/<id>/ original/<file>  rows.parquet  dataset.json  left_out.jsonl

rows.parquet: row_id, messages (list of {role, content}), text, label, tools, source_file, source_row, split.
"""

from __future__ import annotations

import json
import shutil
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from studio.errors import NotFound, StudioError
from studio.records import Dataset, Example, LeftOut, Provenance
from studio.workspace import Workspace, disk_used, display_name, read_json, sha256_file, write_json

SCHEMA = pa.schema(
    [
        ("row_id", pa.int64()),
        ("messages", pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))),
        ("text", pa.string()),
        ("label", pa.string()),
        ("tools", pa.string()),
        ("source_file", pa.string()),
        ("source_row", pa.int64()),
        ("split", pa.string()),
    ]
)
ROWS_AT_ONCE = 4096  # of rows.parquet, in memory


class DatasetStore:
    """Creates, reads and deletes data sets of one workspace."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace

    def folder(self, dataset_id: str) -> Path:
        """The folder of a data set; it need not exist."""
        return self.workspace.folder("datasets", dataset_id)

    def create(
        self,
        name: str,
        examples: Sequence[Example],
        splits: Sequence[str],
        *,
        original: Path | None = None,
        left_out: Sequence[LeftOut] = (),
        **about: Any,
    ) -> Dataset:
        """Write a new data set and return its record.

        Args:
            examples: The rows that are kept.
            splits: "train", "validation" or "test" for each example.
            original: The file the rows came from; it is copied beside them.
            about: The other fields of `Dataset`: format, seed, reading, mapping, sample, goal, provenance (a Provenance).
        """
        if not examples:
            raise StudioError("There is nothing to learn from.", "No row could be used.", "See why rows were left out.")
        name = display_name(name, "My examples")
        size = original.stat().st_size if original else 0
        self.workspace.require_space(2 * size + 2**20, "for this data")
        item = self.workspace.new_folder("datasets", name).name
        provenance = about.pop("provenance", None) or Provenance()
        with self.workspace.staged("datasets", item) as staging:
            source = original.name if original else ""
            if original:
                (staging / "original").mkdir()
                shutil.copyfile(original, staging / "original" / f"source{original.suffix.lower()}")
            pq.write_table(as_table(examples, splits, source), staging / "rows.parquet", row_group_size=ROWS_AT_ONCE)
            with open(staging / "left_out.jsonl", "w", encoding="utf-8") as handle:
                handle.writelines(json.dumps(item.to_json(), ensure_ascii=False) + "\n" for item in left_out)
            record = Dataset(
                id=item,
                name=name,
                created_at=time.time(),
                rows=len(examples),
                counts=dict(Counter(splits)),
                sha256=sha256_file(staging / "rows.parquet"),
                left_out=len(left_out),
                provenance=provenance.to_json(),
                **about,
            )
            write_json(staging / "dataset.json", record.to_json())
        return record

    def ids(self) -> list[str]:
        """Ids of all data sets, newest first."""
        found = [item for item in self.workspace.items("datasets") if (self.folder(item) / "dataset.json").is_file()]
        return sorted(found, key=lambda item: self.get(item).created_at, reverse=True)

    def get(self, dataset_id: str) -> Dataset:
        """The record of a data set. Raises NotFound."""
        return Dataset.from_json(read_json(self.folder(dataset_id) / "dataset.json"))

    def rows(self, dataset_id: str, split: str | None = None) -> list[Example]:
        """The examples of one split, or all, in their order."""
        return list(self.each(dataset_id, split))

    def each(self, dataset_id: str, split: str | None = None) -> Iterator[Example]:
        """`rows`, of which a few thousand are in memory at a time."""
        path = self.folder(dataset_id) / "rows.parquet"
        if not path.is_file():
            raise NotFound("This data set does not exist any more.", "Its rows are missing.", "Add the examples again.")
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(ROWS_AT_ONCE, columns=["messages", "text", "label", "source_row", "split"]):
                for record in batch.to_pylist():
                    if split in (None, record["split"]):
                        yield Example(
                            messages=tuple(record["messages"] or ()),
                            text=record["text"] or "",
                            label=record["label"] or "",
                            source_row=record["source_row"],
                        )

    def left_out(self, dataset_id: str) -> list[LeftOut]:
        """The rows that were read but not used, each with its reason."""
        path = self.folder(dataset_id) / "left_out.jsonl"
        return (
            [LeftOut.from_json(json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()]
            if path.is_file()
            else []
        )

    def rename(self, dataset_id: str, name: str) -> None:
        """Give the data set another name to show."""
        record = self.get(dataset_id)
        write_json(self.folder(dataset_id) / "dataset.json", {**record.to_json(), "name": display_name(name, record.name)})

    def delete(self, dataset_id: str) -> None:
        """Delete a data set. Whether a live run needs it is for the caller to ask."""
        self.get(dataset_id)
        shutil.rmtree(self.folder(dataset_id))

    def disk(self, dataset_id: str) -> int:
        """Bytes the data set takes."""
        return disk_used(self.folder(dataset_id))


def as_table(examples: Sequence[Example], splits: Sequence[str], source_file: str) -> pa.Table:
    """The rows of rows.parquet."""
    rows = [
        {
            "row_id": index,
            "messages": list(example.messages) or None,
            "text": example.text,
            "label": example.label,
            "tools": "",
            "source_file": source_file,
            "source_row": example.source_row,
            "split": split,
        }
        for index, (example, split) in enumerate(zip(examples, splits, strict=True))
    ]
    return pa.Table.from_pylist(rows, schema=SCHEMA)
