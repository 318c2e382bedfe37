"""Parses one file in a process of its own, with limits on memory and time, and prints what it holds as JSON lines.

Run as a script by `guarded.py`, never imported by the app; it uses nothing of the app, so that it starts quickly.
A small file can unfold to any size, and a parser that runs out of memory may take its process with it.

    worker/ KIND PATH MEMORY SECONDS MAX_ROWS MAX_COLUMNS MAX_VALUES MAX_UNPACKED [more of the kind]

Each module says what its lines are. The last is {"end": true}. Instead of the rest, {"error": kind, "found": number} may
come, where kind is damaged, password, rows, columns, values, memory, unpacked or parts.
"""

from __future__ import annotations

import sys

from limits import limit
from output import fail, say, say_many


def parse(kind: str, path: str, limits: list[int], more: list[str]) -> None:
    """Print what a file holds."""
    max_rows, max_columns, max_values, max_unpacked = limits
    if kind in ("xlsx", "parquet"):
        import grids  # noqa: PLC0415

        if kind == "xlsx":
            grids.read_workbook(path, max_rows, max_columns, max_values)
        else:
            grids.read_table(path, max_rows, max_columns, max_values, max_unpacked)
    elif kind == "zip":
        import archive  # noqa: PLC0415

        archive.unpack(path, *more)
    elif kind in ("markdown", "html"):
        import markup  # noqa: PLC0415

        with open(path, encoding=more[0], errors="replace") as handle:
            say_many({}, "blocks", markup.blocks(kind, handle.read()))
    else:
        import papers  # noqa: PLC0415

        papers.read_docx(path) if kind == "docx" else papers.read_pdf(path)


def main(arguments: list[str]) -> None:
    """Read the file named on the command line."""
    kind, path = arguments[:2]
    memory, seconds, *limits = map(int, arguments[2:8])
    limit(memory, seconds)
    try:
        parse(kind, path, limits, arguments[8:])
    except MemoryError:
        fail("memory")
    except Exception as error:  # noqa: BLE001 - parsers of untrusted files raise all kinds; the parent words it
        fail("memory" if "alloc" in str(error) or "memory" in str(error) else "damaged")
    say({"end": True})


if __name__ == "__main__":
    main(sys.argv[1:])
