"""Tokenised rows kept beside the data set they come from, and deleted with it.

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
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from studio.data import encode, render
from studio.data.encode import Encoded, encode_all
from studio.records import Example, LeftOut
from studio.workspace import sha256_file

FOLDER = "tokens"
KEPT = 6  # newest files of a data set: three settings, two splits each
SCHEMA = pa.schema(
    [
        ("input_ids", pa.list_(pa.int32())),
        ("labels", pa.list_(pa.int32())),
        ("source_row", pa.int64()),
        ("cut_turns", pa.int32()),
    ]
)
log = logging.getLogger("studio.data")


def encode_cached(
    dataset: Path,
    tokenizer: Any,
    examples: Sequence[Example],
    *,
    rows_sha256: str,
    split: str,
    max_length: int,
    system_prompt: str,
) -> tuple[list[Encoded], list[LeftOut]]:
    """What `encode_all` gives for the examples, from the file of an earlier time where there is one.

    Args:
        dataset: The data set's folder.
        examples: The rows of `split`.
        rows_sha256: That of the data set's rows.
    """
    about = {"max_length": max_length, "system_prompt": system_prompt}
    maker = fingerprint(tokenizer)
    if not maker:
        return encode_all(tokenizer, examples, **about)
    key = json.dumps([rows_sha256, split, maker, max_length, system_prompt])
    path = dataset / FOLDER / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.parquet"
    if found := _read(path):
        return found
    made = encode_all(tokenizer, examples, **about)
    try:
        _write(path, *made)
    except OSError as error:  # nothing depends on it
        log.warning("the tokens of %s were not kept: %s", dataset.name, error)
    return made


def fingerprint(tokenizer: Any) -> str:
    """A hash of the tokenizer, its template and the code that uses them; "" for a tokenizer that cannot be written down."""
    core = getattr(tokenizer, "backend_tokenizer", None)
    if core is None:
        return ""
    code = [sha256_file(Path(module.__file__)) for module in (encode, render)]
    special = {name: str(value) for name, value in sorted(tokenizer.special_tokens_map.items())}
    parts = json.dumps([core.to_str(), tokenizer.chat_template, special, type(tokenizer).__name__, code])
    return hashlib.sha256(parts.encode("utf-8", "surrogatepass")).hexdigest()


def _read(path: Path) -> tuple[list[Encoded], list[LeftOut]] | None:
    try:
        table = pq.read_table(path, page_checksum_verification=True)
        left_out = json.loads(table.schema.metadata[b"left_out"])
        columns = [table.column(name).to_pylist() for name in SCHEMA.names]
    except (OSError, pa.ArrowException, KeyError, TypeError, ValueError):
        return None
    with contextlib.suppress(OSError):
        os.utime(path)  # the newest are kept
    rows = [Encoded(tuple(ids), tuple(labels), row, cut) for ids, labels, row, cut in zip(*columns, strict=True)]
    return rows, [LeftOut.from_json(item) for item in left_out]


def _write(path: Path, rows: list[Encoded], left_out: list[LeftOut]) -> None:
    path.parent.mkdir(exist_ok=True)
    columns = [pa.array([getattr(row, name) for row in rows], SCHEMA.field(name).type) for name in SCHEMA.names]
    reasons = json.dumps([item.to_json() for item in left_out])
    table = pa.Table.from_arrays(columns, schema=SCHEMA.with_metadata({"left_out": reasons}))
    staging = path.with_name(f".staging-{path.stem}-{secrets.token_hex(3)}")
    try:
        pq.write_table(table, staging, compression="zstd", write_page_checksum=True)
        os.replace(staging, path)
    finally:
        staging.unlink(missing_ok=True)
    files = sorted(path.parent.glob("*.parquet"), key=lambda item: item.stat().st_mtime, reverse=True)
    for old in files[KEPT:]:
        old.unlink(missing_ok=True)
