"""Rows as a file to download: CSV, JSON lines as OpenAI takes them, or Parquet. Reading the file back gives the same examples.

    format      CSV and Parquet                           JSON lines
    text        column text                               {"text": …}
    labels      columns text and label                    {"messages": …}: the category is the answer
    all others  CSV: question, answer and, where a row    {"messages": …}
                has one, system; Parquet: messages

In a CSV, a cell that a spreadsheet would run as a formula gets an apostrophe before it (`formulas.py`), which the app takes off
again when it reads the file. Other programs show it.
"""

from __future__ import annotations

import csv
import json
import os
import secrets
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from studio.data.formulas import guard
from studio.errors import StudioError
from studio.records import Example

KINDS = {"csv": "Table (CSV)", "jsonl": "Chats (JSON lines)", "parquet": "Parquet"}
"""Suffix of the file -> name to show."""

ROWS_AT_ONCE = 4096
TABLES = {("user", "assistant"), ("system", "user", "assistant")}


def write(rows: Sequence[Example], path: Path, kind: str, form: str) -> None:
    """Write all rows to a file, a few thousand in memory at a time. The file appears when it is whole.

    Args:
        kind: A key of KINDS.
        form: The format of the data set (a key of FORMATS).

    Raises:
        StudioError: an unknown kind; or chats of several turns, which no CSV holds.
    """
    if kind not in KINDS:
        raise StudioError("Nothing was written.", "This kind of file is not known.", "Pick one from the list.")
    staging = path.with_name(f".{path.name}.{secrets.token_hex(3)}.tmp")
    try:
        {"csv": write_csv, "jsonl": write_jsonl, "parquet": write_parquet}[kind](rows, staging, form)
        os.replace(staging, path)
    finally:
        staging.unlink(missing_ok=True)


def write_csv(rows: Sequence[Example], path: Path, form: str) -> None:
    """A table in UTF-8 with the mark that Excel knows it by, every cell in quote marks, formulas made harmless."""
    columns = columns_of(rows, form)
    with open(path, "w", encoding="utf-8-sig", newline="") as handle:
        writer = csv.writer(handle, quoting=csv.QUOTE_ALL)
        writer.writerow(columns)
        for example in rows:
            cells = cells_of(example, form)
            writer.writerow([guard(cells[name]) for name in columns])


def write_jsonl(rows: Iterable[Example], path: Path, form: str) -> None:
    """One JSON object a line."""
    with open(path, "w", encoding="utf-8") as handle:
        for example in rows:
            value = {"messages": list(example.messages)} if example.messages else {"text": example.text}
            handle.write(json.dumps(value, ensure_ascii=False) + "\n")


def write_parquet(rows: Iterable[Example], path: Path, form: str) -> None:
    """A Parquet table."""
    messages = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))
    names = {"text": ["text"], "labels": ["text", "label"]}.get(form)
    schema = pa.schema([(name, pa.string()) for name in names] if names else [("messages", messages)])
    with pq.ParquetWriter(path, schema) as writer:
        for some in batches(rows):
            records = [cells_of(item, form) if names else {"messages": list(item.messages)} for item in some]
            writer.write_table(pa.Table.from_pylist(records, schema=schema))


def columns_of(rows: Iterable[Example], form: str) -> list[str]:
    """The columns of a CSV. Raises StudioError at the first chat that does not fit into them."""
    if form in ("text", "labels"):
        return ["text"] if form == "text" else ["text", "label"]
    told = False
    for number, example in enumerate(rows, start=1):
        roles = tuple(item["role"] for item in example.messages)
        if roles not in TABLES:
            why = f"Row {number:,} is a chat of several turns, and a table has one question and one answer in a row."
            raise StudioError("No CSV was written.", why, "Take JSON lines or Parquet.")
        told = told or len(roles) == 3
    return ["question", "answer", "system"] if told else ["question", "answer"]


def cells_of(example: Example, form: str) -> dict[str, str]:
    """The cells of a row that is a text, a text with its category, or one question with its answer."""
    if form == "text":
        return {"text": example.text}
    said = {item["role"]: item["content"] for item in example.messages}
    if form == "labels":
        return {"text": said["user"], "label": example.label}
    return {"question": said["user"], "answer": said["assistant"], "system": said.get("system", "")}


def batches(rows: Iterable[Example]) -> Iterator[list[Any]]:
    """The rows, a few thousand at a time."""
    each = iter(rows)
    while some := list(islice(each, ROWS_AT_ONCE)):
        yield some
