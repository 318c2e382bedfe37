"""Runs `worker/` on a file and gives its lines, within limits on time and size; failures become sentences."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from studio.data.readers.reading import MAX_COLUMNS, MAX_ROWS, MAX_UNPACKED, refusal
from studio.errors import StudioError
from studio.workspace import gib

WORKER = Path(__file__).with_name("worker")
MEMORY = 2 * 2**30  # bytes of the child; SAFETY.md, section 2, parser bombs
SECONDS = 60  # 200 MB of spreadsheet take about 20 s
MAX_CELLS = 10_000_000  # a million rows of ten columns; more take the worker longer than anybody waits
MAX_FILES = 2000  # of a ZIP archive; reading takes up to half a second for each
MAX_OUTPUT = 2**30  # bytes of JSON; what the rows need in this process is of the same order

REMEDIES = {
    "zip": "Take the files out of it and add them.",
    "docx": "Save its text as .txt and add that file.",
    "pdf": "Copy its text into a .txt file and add that.",
    "markdown": "Split it into smaller files.",
    "html": "Copy its text into a .txt file and add that.",
}


def lines(kind: str, path: Path, name: str, *more: str) -> Iterator[dict[str, Any]]:
    """The lines that the worker prints for a file, parsed. Raises StudioError when the file is beyond limits or damaged.

    Args:
        kind: xlsx, parquet, docx, pdf, markdown, html or zip.
        more: What the worker is told beyond its limits: the encoding of text, the folder and limits of a ZIP archive.
    """
    limits = (MEMORY, SECONDS, MAX_ROWS, MAX_COLUMNS, MAX_CELLS, MAX_UNPACKED)
    command = [sys.executable, "-I", str(WORKER), kind, str(path.resolve()), *map(str, limits), *more]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        timer = threading.Timer(SECONDS, process.kill)
        timer.start()
        try:
            yield from received(process, kind, name)
        finally:
            timer.cancel()
            process.kill()


def received(process: subprocess.Popen[bytes], kind: str, name: str) -> Iterator[dict[str, Any]]:
    """The worker's lines up to its end mark."""
    size = 0
    for line in process.stdout or ():
        size += len(line)
        if size > MAX_OUTPUT:
            raise failure("unpacked", size, name, kind)
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            raise failure("damaged", 0, name, kind) from None
        if "error" in value:
            raise failure(value["error"], value["found"], name, kind)
        if "end" in value:
            return
        yield value
    raise failure("memory", 0, name, kind)


def failure(fault: str, found: int, name: str, kind: str) -> StudioError:
    """The sentences for what the worker met in a file of a kind."""
    smaller = REMEDIES.get(kind, "Save the table you need as .csv and add that file.")
    reasons = {
        "password": ("It is protected with a password.", "Save it without a password and add it again."),
        "rows": (f"It has {found:,} rows, and {MAX_ROWS:,} is the most.", "Split it into smaller files."),
        "columns": (f"It has {found:,} columns, and {MAX_COLUMNS:,} is the most.", "Keep only the columns you need."),
        "values": (f"It has {found:,} cells, and {MAX_CELLS:,} is the most.", "Split it into smaller files."),
        "unpacked": (f"It unfolds to {gib(found)}, which is more than can be read.", smaller),
        "parts": (f"It holds {found:,} files, and {MAX_FILES:,} is the most.", "Split it into smaller archives."),
        "memory": ("It needs more memory or time than a file of this size should.", smaller),
        "damaged": ("It is damaged, protected with a password, or of another kind than its name says.", smaller),
    }
    return refusal(name, *reasons.get(fault, reasons["damaged"]))
