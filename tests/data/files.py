"""Small files for the tests of the readers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import openpyxl

TABLE = "question,answer\nWhen?,Now.\nWhere?,Grüße – hier.\n"
PAIRS = [{"question": "When?", "answer": "Now."}, {"question": "Where?", "answer": "Grüße – hier."}]
LINES = "".join(json.dumps(pair) + "\n" for pair in PAIRS)
SECONDS = 10  # the longest that any bad file may take


def write(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def workbook(path: Path, **sheets: list[list[Any]]) -> Path:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    book.save(path)
    return path
