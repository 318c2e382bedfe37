"""Tokenised rows on the disk, beside the data set they come from, and deleted with it.

Rows are tokenised, written and read a few hundred at a time, so that their number does not matter to the memory.
A run that goes on, or the next run over the same rows, model, length and system prompt, reads them instead of tokenising
again. Which file is meant follows from everything that the tokens depend on, the code that makes them included, so a file is
never out of date; its pages carry checksums, and a damaged or strange one counts as missing.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import secrets
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any, overload

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from studio.data import encode, render
from studio.data.encode import Encoded, encode_each
from studio.records import Example, LeftOut
from studio.workspace import sha256_file

FOLDER = "tokens"
KEPT = 6  # newest files of a data set: three settings, two splits each
GROUP = 256  # rows written and read together
GROUPS_IN_MEMORY = 64  # of the rows read last; 20 MB of them at 100 tokens a row
SCHEMA = pa.schema(
    [
        ("input_ids", pa.list_(pa.int32())),
        ("labels", pa.list_(pa.int32())),
        ("source_row", pa.int64()),
        ("cut_turns", pa.int32()),
    ]
)
log = logging.getLogger("studio.data")


class TokenRows(Sequence[Encoded]):
    """Rows in a token file, read when they are asked for. `lengths` are the tokens of every row.

    Args:
        source: The file, or its bytes. Raises OSError, ValueError (pyarrow's errors among them) or KeyError where it is
            damaged: every page is looked at once.
    """

    def __init__(self, source: Path | pa.Buffer) -> None:
        self._file = pq.ParquetFile(source, page_checksum_verification=True)
        about = json.loads(self._file.metadata.metadata[b"about"])
        self.tokens: int = about["tokens"]
        self.longest: int = about["longest"]
        self.left_out = [LeftOut.from_json(item) for item in about["left_out"]]
        self._group = lru_cache(GROUPS_IN_MEMORY)(self._read)
        lengths = array("I")
        for index in range(self._file.num_row_groups):
            lengths.extend(pc.list_value_length(self._read(index)[0]).to_pylist())
        self.lengths: Sequence[int] = lengths

    def _read(self, index: int) -> list[pa.Array]:
        group = self._file.read_row_group(index, use_threads=False)
        return [group.column(name).combine_chunks() for name in SCHEMA.names]

    def __len__(self) -> int:
        return self._file.metadata.num_rows

    @overload
    def __getitem__(self, index: int) -> Encoded: ...

    @overload
    def __getitem__(self, index: slice) -> list[Encoded]: ...

    def __getitem__(self, index: int | slice) -> Encoded | list[Encoded]:
        if isinstance(index, slice):
            return [self[at] for at in range(*index.indices(len(self)))]
        if not 0 <= index < len(self):
            raise IndexError(index)
        group, place = divmod(index, GROUP)
        ids, labels, row, cut = (column[place].as_py() for column in self._group(group))
        return Encoded(tuple(ids), tuple(labels), row, cut)


def encode_cached(
    dataset: Path,
    tokenizer: Any,
    examples: Callable[[], Iterable[Example]],
    *,
    rows_sha256: str,
    split: str,
    max_length: int,
    system_prompt: str,
) -> TokenRows:
    """What `encode_all` gives for the examples, from the file of an earlier time where there is one.

    Args:
        dataset: The data set's folder.
        examples: Gives the rows of `split`, if they are needed.
        rows_sha256: That of the data set's rows.
    """

    def made() -> Iterator[Encoded | LeftOut]:
        return encode_each(tokenizer, examples(), max_length=max_length, system_prompt=system_prompt)

    if maker := fingerprint(tokenizer):
        key = json.dumps([rows_sha256, split, maker, max_length, system_prompt])
        path = dataset / FOLDER / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.parquet"
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            found = TokenRows(path)
            os.utime(path)  # the newest are kept
            return found
        try:
            _keep(path, made())
            return TokenRows(path)
        except OSError as error:  # nothing depends on it, where memory suffices
            log.warning("the tokens of %s were not kept: %s", dataset.name, error)
    memory = pa.BufferOutputStream()
    _write(memory, made())
    return TokenRows(memory.getvalue())


def fingerprint(tokenizer: Any) -> str:
    """A hash of the tokenizer, its template and the code that uses them; "" for a tokenizer that cannot be written down."""
    core = getattr(tokenizer, "backend_tokenizer", None)
    if core is None:
        return ""
    code = [sha256_file(Path(module.__file__)) for module in (encode, render)]
    special = {name: str(value) for name, value in sorted(tokenizer.special_tokens_map.items())}
    parts = json.dumps([core.to_str(), tokenizer.chat_template, special, type(tokenizer).__name__, code])
    return hashlib.sha256(parts.encode("utf-8", "surrogatepass")).hexdigest()


def _keep(path: Path, rows: Iterable[Encoded | LeftOut]) -> None:
    """Write the file as a whole, and drop the oldest ones beside it."""
    path.parent.mkdir(exist_ok=True)
    staging = path.with_name(f".staging-{path.stem}-{secrets.token_hex(3)}")
    try:
        _write(staging, rows)
        os.replace(staging, path)
    finally:
        staging.unlink(missing_ok=True)
    files = sorted(path.parent.glob("*.parquet"), key=lambda item: item.stat().st_mtime, reverse=True)
    for old in files[KEPT:]:
        with contextlib.suppress(OSError):  # Windows keeps what another run still reads
            old.unlink(missing_ok=True)


def _write(target: Path | pa.BufferOutputStream, rows: Iterable[Encoded | LeftOut]) -> None:
    about: dict[str, Any] = {"tokens": 0, "longest": 0, "left_out": []}

    def usable() -> Iterator[Encoded]:
        for row in rows:
            if isinstance(row, LeftOut):
                about["left_out"].append(row.to_json())
                continue
            about["tokens"] += len(row.input_ids)
            about["longest"] = max(about["longest"], len(row.input_ids))
            yield row

    with pq.ParquetWriter(target, SCHEMA, compression="zstd", write_page_checksum=True) as writer:
        kept = usable()
        while group := list(islice(kept, GROUP)):
            columns = [pa.array([getattr(row, name) for row in group], SCHEMA.field(name).type) for name in SCHEMA.names]
            writer.write_table(pa.Table.from_arrays(columns, schema=SCHEMA), row_group_size=GROUP)
        writer.add_key_value_metadata({"about": json.dumps(about)})
