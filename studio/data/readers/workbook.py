"""Excel workbooks (.xlsx and the old .xls): the sheet with questions and answers is found, titles above it are passed over."""

from __future__ import annotations

import zipfile
from bisect import bisect_left, bisect_right
from pathlib import Path

from studio.data.names import is_known
from studio.data.readers import guarded
from studio.data.readers.delimited import fit
from studio.data.readers.reading import Cells, Reading, check_counts, column_names, find_header, refusal, without_footer

MAX_PARTS = 10_000  # files inside the workbook; real ones have some dozens
MAX_UNPACKED = 500 * 2**20  # bytes of XML; a million rows of short texts take about that
MAX_RATIO = 200  # unfolded to packed size; real sheets reach about 20, and bombs 500 and more
SMALL = 20 * 2**20  # bytes of XML that are harmless however well they were packed
OLD = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
PACKED = {"xl/": "xlsx", "word/": "docx"}

Sheet = list[tuple[int, Cells]]  # row numbers with the cells
Merged = tuple[int, int, int]  # first and last row number, and index of the cell in a row


def read_workbook(path: Path, name: str, *, sheet: str = "", header: bool | None = None) -> Reading:
    """One sheet of a workbook. Raises StudioError when there is none with rows, or no sheet of that name.

    Args:
        sheet: The sheet to read; empty finds the one that looks most like examples.
        header: Whether a row names the columns; None finds out.
    """
    check_package(path, name, "xl/", "an Excel workbook")
    names, sheets, merged, broken = load(path, name)
    if sheet and sheet not in names:
        raise refusal(name, f"It has no sheet named “{sheet[:60]}”.", f"Choose one of: {', '.join(names)[:200]}.")
    filled = [label for label in names if sheets[label]]
    if not filled:
        raise refusal(name, "All its sheets are empty.", "Add at least one example.")
    chosen = sheet or max(filled, key=lambda label: (promise(sheets[label]), -names.index(label)))
    rows = sheets[chosen]
    if not rows:
        raise refusal(name, f"The sheet “{chosen}” is empty.", f"Choose one of: {', '.join(filled)[:200]}.")
    notes: list[str] = [f"The sheet “{label}” holds no table or is damaged." for label in broken]
    if len(filled) > 1:
        notes.append(f"The sheet “{chosen}” was read. Others: {', '.join(label for label in filled if label != chosen)[:200]}.")
    place = -1 if header is False else find_header([cells for _, cells in rows[:300]])
    if header and place < 0:
        place = 0
    if place > 0:
        notes.append(f"What stands above row {rows[place][0]} was passed over.")
    named, body = (rows[place][1] if place >= 0 else []), rows[place + 1 :]
    body, below = without_footer(body)
    if filled_in := fill_merged(body, merged[chosen]):
        notes.append(f"{filled_in:,} empty cells of merged ones were given their value.")
    if not body:
        raise refusal(name, f"The sheet “{chosen}” has a header but no rows below it.", "Add at least one example.")
    used = [
        index
        for index in range(max(len(cells) for _, cells in rows))
        if any(index < len(cells) and cells[index].strip() for cells in (named, *(cells for _, cells in body)))
    ]
    check_counts(name, len(body), len(used))
    columns = column_names([named[index] if index < len(named) else "" for index in used], notes)
    kept = [(number, [cells[index] if index < len(cells) else "" for index in used]) for number, cells in body]
    values, numbers, left_out = fit(kept, columns, notes)
    left_out += below
    return Reading(
        "xlsx",
        columns,
        values,
        numbers,
        sheet=chosen,
        sheets=tuple(names),
        header=place >= 0,
        left_out=tuple(left_out),
        notes=tuple(notes),
    )


def check_package(path: Path, name: str, inside: str, kind: str) -> None:
    """Look at the declared sizes of an Office file before anything is unpacked. Raises StudioError.

    Args:
        inside: The folder that a file of this kind has.
        kind: What it is in words.
    """
    with open(path, "rb") as handle:
        if handle.read(len(OLD)) == OLD:
            return  # the old format is not compressed; its size is that of the file
    try:
        with zipfile.ZipFile(path) as package:
            parts = package.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise guarded.failure("damaged", 0, name, PACKED[inside]) from error
    if not any(part.filename.startswith(inside) for part in parts):
        raise refusal(name, f"It is a ZIP archive, not {kind}.", "Give it its own ending, .zip, and add it again.")
    size = sum(part.file_size for part in parts)
    bomb = size > max(SMALL, MAX_RATIO * path.stat().st_size)
    if bomb or len(parts) > MAX_PARTS or size > MAX_UNPACKED:
        raise guarded.failure("unpacked", size, name, PACKED[inside])


def load(path: Path, name: str) -> tuple[list[str], dict[str, Sheet], dict[str, list[Merged]], list[str]]:
    """All sheets by name, each with its filled rows and their numbers; their merged cells; the names of broken sheets."""
    lines = guarded.lines("xlsx", path, name)
    names = [str(label) for label in next(lines)["sheets"]]
    sheets: dict[str, Sheet] = {label: [] for label in names}
    merged: dict[str, list[Merged]] = {label: [] for label in names}
    broken = []
    for line in lines:
        if "broken" in line:
            broken.append(line["broken"])
        elif "merged" in line:
            merged[names[line["sheet"]]] += line["merged"]
        else:
            sheets[names[line["sheet"]]] += line["rows"]
    if broken and not any(sheets.values()):
        raise guarded.failure("damaged", 0, name, "xlsx")
    return names, sheets, merged, broken


def fill_merged(body: Sheet, merged: list[Merged]) -> int:
    """Give every row of the body that a merged cell reaches over its value; returns how many cells were filled.

    The work is bounded by one step a row and a range, and by as many cells as the limits allow.
    """
    numbers = [number for number, _ in body]
    filled = steps = 0
    for first, last, index in merged:
        start = bisect_left(numbers, first)
        if start == len(body) or numbers[start] != first or index >= len(body[start][1]):
            continue  # it begins in the header or above it, or is empty
        value = body[start][1][index]
        for _, cells in body[start + 1 : bisect_right(numbers, last)]:
            steps += 1
            if index < len(cells) and not cells[index].strip():
                cells[index] = value
                filled += bool(value.strip())
        if steps > guarded.MAX_CELLS:
            break
    return filled


def promise(rows: Sheet) -> tuple[bool, bool]:
    """How much a sheet looks like examples: known column names, and more than one row."""
    known = max(sum(is_known(cell) for cell in cells if cell.strip()) for _, cells in rows[:30])
    return known >= 2, len(rows) > 1
