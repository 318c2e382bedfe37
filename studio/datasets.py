"""Data set folders as a typed store. A data set never changes once it is made; saving edits makes a new one.

    datasets/<id>/ original/<file>  rows.parquet  dataset.json  left_out.jsonl  edits.jsonl

rows.parquet: row_id, messages (list of {role, content}), text, label, tools, source_file, source_row, split. A row keeps its
row_id from version to version as long as the file is read the same way. edits.jsonl: what was changed since the file was read.
"""

from __future__ import annotations

import json
import shutil
import time
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import accumulate, islice
from pathlib import Path
from typing import Any, overload

import pyarrow as pa
import pyarrow.parquet as pq

from studio.errors import NotFound, StudioError
from studio.records import Dataset, Example, LeftOut, Provenance
from studio.workspace import Workspace, disk_used, display_name, json_lines, read_json, sha256_file, write_json

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
EXAMPLE = ("messages", "text", "label", "source_row")  # the columns an example is made of
ROWS_AT_ONCE = 4096  # of rows.parquet, in memory
MOST_IN_MEMORY = 50_000  # rows; they take some 50 MB where each has 250 characters
GROUPS_IN_MEMORY = 4  # of `StoredRows`


class DatasetStore:
    """Creates, reads and deletes data sets of one workspace."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace

    def folder(self, dataset_id: str) -> Path:
        """The folder of a data set; it need not exist."""
        return self.workspace.folder("datasets", dataset_id)

    def create(  # noqa: PLR0913 - what is written beside the rows, by keyword
        self,
        name: str,
        examples: Sequence[Example],
        splits: Sequence[str],
        *,
        original: Path | None = None,
        left_out: Sequence[LeftOut] = (),
        row_ids: Sequence[int] | None = None,
        edits: Sequence[dict[str, Any]] = (),
        tell: Callable[[int], None] = lambda _: None,
        **about: Any,
    ) -> Dataset:
        """Write a new data set and return its record.

        Args:
            examples: The rows that are kept.
            splits: "train", "validation" or "test" for each example.
            original: The file the rows came from; it is copied beside them.
            row_ids: What each row is known by, ascending; its position when None.
            edits: What was changed since the file was read, as lines of edits.jsonl.
            tell: Is told how many rows are written; what it raises ends the work, and nothing is left of it.
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
            with pq.ParquetWriter(staging / "rows.parquet", SCHEMA) as writer:
                done = 0
                for table in tables(examples, splits, range(len(examples)) if row_ids is None else row_ids, source):
                    tell(done)
                    writer.write_table(table)
                    done += len(table)
            write_lines(staging / "left_out.jsonl", (item.to_json() for item in left_out))
            if edits:
                write_lines(staging / "edits.jsonl", edits)
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

    def stored(self, dataset_id: str) -> Sequence[Example]:
        """`rows`; those of a large data set are read from the disk when they are asked for."""
        return self.rows(dataset_id) if self.get(dataset_id).rows <= MOST_IN_MEMORY else StoredRows(self, dataset_id)

    def each(self, dataset_id: str, split: str | None = None) -> Iterator[Example]:
        """`rows`, of which a few thousand are in memory at a time."""
        for record in self.records(dataset_id, (*EXAMPLE, "split")):
            if split in (None, record["split"]):
                yield example_of(record)

    def records(self, dataset_id: str, columns: Sequence[str]) -> Iterator[dict[str, Any]]:
        """The rows of rows.parquet as they lie there, with some of its columns, a few thousand in memory at a time."""
        with self.open_rows(dataset_id) as file:
            for batch in file.iter_batches(ROWS_AT_ONCE, columns=list(columns)):
                yield from batch.to_pylist()

    def take(self, dataset_id: str, positions: Iterable[int]) -> dict[int, Example]:
        """Some rows by their positions; only the parts of the file that hold them are read."""
        wanted = sorted(set(positions))
        found: dict[int, Example] = {}
        with self.open_rows(dataset_id) as file:
            begin = 0
            for part in range(file.num_row_groups):
                end = begin + file.metadata.row_group(part).num_rows
                here = wanted[bisect_left(wanted, begin) : bisect_left(wanted, end)]
                if here:
                    table = file.read_row_group(part, columns=list(EXAMPLE))
                    found |= {at: example_of(table.slice(at - begin, 1).to_pylist()[0]) for at in here}
                begin = end
        return found

    def open_rows(self, dataset_id: str) -> pq.ParquetFile:
        """The file of the rows. Raises NotFound."""
        path = self.folder(dataset_id) / "rows.parquet"
        if not path.is_file():
            raise NotFound("This data set does not exist any more.", "Its rows are missing.", "Add the examples again.")
        return pq.ParquetFile(path)

    def left_out(self, dataset_id: str, most: int | None = None) -> list[LeftOut]:
        """The rows that were read but not used, each with its reason; the first `most` of them, or all."""
        return [LeftOut.from_json(line) for line in islice(json_lines(self.folder(dataset_id) / "left_out.jsonl"), most)]

    def set_provenance(self, dataset_id: str, provenance: Provenance) -> None:
        """Write down anew where the data set comes from; its rows stay as they are."""
        record = self.get(dataset_id)
        write_json(self.folder(dataset_id) / "dataset.json", {**record.to_json(), "provenance": provenance.to_json()})

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


class StoredRows(Sequence[Example]):
    """The rows of a large data set, read a few thousand at a time. The ones read last stay in memory."""

    def __init__(self, store: DatasetStore, dataset_id: str) -> None:
        self._store, self._id = store, dataset_id
        with store.open_rows(dataset_id) as file:
            sizes = [file.metadata.row_group(part).num_rows for part in range(file.num_row_groups)]
        self._ends = list(accumulate(sizes))
        self._group = lru_cache(GROUPS_IN_MEMORY)(self._read)

    def _read(self, part: int) -> list[Example]:
        with self._store.open_rows(self._id) as file:
            return [example_of(record) for record in file.read_row_group(part, columns=list(EXAMPLE)).to_pylist()]

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    def __iter__(self) -> Iterator[Example]:
        return self._store.each(self._id)

    @overload
    def __getitem__(self, at: int) -> Example: ...

    @overload
    def __getitem__(self, at: slice) -> list[Example]: ...

    def __getitem__(self, at: int | slice) -> Example | list[Example]:
        places = range(len(self))[at]
        return self._at(places) if isinstance(places, int) else [self._at(place) for place in places]

    def _at(self, place: int) -> Example:
        part = bisect_right(self._ends, place)
        return self._group(part)[place - (self._ends[part - 1] if part else 0)]


def example_of(record: dict[str, Any]) -> Example:
    """The example in a row of rows.parquet."""
    return Example(
        messages=tuple(record["messages"] or ()),
        text=record["text"] or "",
        label=record["label"] or "",
        source_row=record["source_row"],
    )


def tables(examples: Iterable[Example], splits: Sequence[str], row_ids: Sequence[int], source_file: str) -> Iterator[pa.Table]:
    """The rows of rows.parquet, a few thousand at a time."""
    rows = zip(row_ids, examples, splits, strict=True)
    while some := list(islice(rows, ROWS_AT_ONCE)):
        records = [
            {
                "row_id": row_id,
                "messages": list(example.messages) or None,
                "text": example.text,
                "label": example.label,
                "tools": "",
                "source_file": example.source_file or (source_file if example.source_row else ""),
                "source_row": example.source_row,
                "split": split,
            }
            for row_id, example, split in some
        ]
        yield pa.Table.from_pylist(records, schema=SCHEMA)


def write_lines(path: Path, records: Iterable[dict[str, Any]]) -> None:
    """Write a JSON-lines file."""
    with open(path, "w", encoding="utf-8") as handle:
        handle.writelines(json.dumps(record, ensure_ascii=False) + "\n" for record in records)
