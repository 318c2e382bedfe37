"""CSV and TSV, read with Python's csv module. Rows that do not fit the header are listed, never dropped silently."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from studio.data.formulas import unguard
from studio.data.readers.reading import (
    MAX_FILE,
    MAX_ROWS,
    MAX_VALUES,
    Cells,
    Reading,
    check_counts,
    column_names,
    looks_like_header,
    refusal,
    title_rows,
    without_footer,
)
from studio.records import LeftOut

DELIMITERS = (",", ";", "\t", "|")
NAMES = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}
SAMPLE = 2**16  # characters that the delimiter is guessed from
END = "\x00end of file\x00"  # comes as a row of its own unless an open quote mark swallowed it
PASSED_OVER = "What stands above row {row} was passed over."
UNGUARDED = "Apostrophes that keep spreadsheets from calculating were taken off: {count:,}."
SHORT = "{count} rows have fewer cells than there are columns; the missing cells are read as empty."
NEVER_CLOSED = "A quote mark is opened and never closed."
LONGEST_FIELD = MAX_FILE  # of the csv module, for all threads; over-long texts are left out later, with a reason
MOST_UNCLOSED = 20  # each one means reading the rest again


@dataclass
class Parsed:
    """Rows of cells with their numbers, and what was wrong on the way."""

    rows: list[tuple[int, Cells]] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)


def read_delimited(text: str, name: str, *, delimiter: str = "", header: bool | None = None, encoding: str = "") -> Reading:
    """A table with one row a record. Raises StudioError when there is no table in the text.

    Args:
        delimiter: What stands between cells; empty finds it.
        header: Whether the first row names the columns; None finds out.
    """
    check_delimiter(delimiter, name)
    delimiter = delimiter or find_delimiter(text) or ","
    if text.count(delimiter) + text.count("\n") > MAX_VALUES:
        raise refusal(name, f"It has more than {MAX_VALUES:,} cells.", "Split it into smaller files and use one of them.")
    parsed = parse(text, name, delimiter)
    if not parsed.rows:
        raise refusal(name, "It holds no rows.", "Add a file with at least one example.")
    notes: list[str] = []
    if header is not False and (titles := title_rows([cells for _, cells in parsed.rows[:300]])):
        del parsed.rows[:titles]
        notes.append(PASSED_OVER.format(row=parsed.rows[0][0]))
    first = parsed.rows[0][1]
    check_counts(name, len(parsed.rows) - 1, len(first))
    if header is None:
        header = looks_like_header(first, [cells for _, cells in parsed.rows[1:200]])
    width = len(first) if header else Counter(len(cells) for _, cells in parsed.rows[:1000]).most_common(1)[0][0]
    while header and width > 1 and not first[width - 1].strip() and all(len(row) < width for _, row in parsed.rows[1:]):
        width -= 1
    check_counts(name, 0, width)
    columns = column_names(first[:width] if header else [""] * width, notes)
    body = parsed.rows[1:] if header else parsed.rows
    if not body and not parsed.left_out:
        raise refusal(name, "It has a header but no rows below it.", "Add at least one example.")
    body, below = without_footer(body)
    rows, numbers, left_out = fit(body, columns, notes)
    if guarded := unguard(rows):
        notes.append(UNGUARDED.format(count=guarded))
    left_out = sorted([*parsed.left_out, *left_out, *below], key=lambda item: item.row)
    if not rows:
        raise refusal(name, f"No row could be used. Row {left_out[0].row}: {left_out[0].reason}", "Mend the file.")
    kind = "tsv" if delimiter == "\t" else "csv"
    return Reading(
        kind,
        columns,
        rows,
        numbers,
        encoding=encoding,
        delimiter=delimiter,
        header=header,
        left_out=tuple(left_out),
        notes=tuple(notes),
    )


def check_delimiter(delimiter: str, name: str) -> None:
    """Raise StudioError for a sign that cannot stand between cells; empty is none."""
    if delimiter and (len(delimiter) != 1 or delimiter in '"\r\n'):
        raise refusal(name, "The sign between cells must be one character.", "Choose comma, semicolon, tab or bar.")


def fit(
    body: list[tuple[int, Cells]], columns: tuple[str, ...], notes: list[str]
) -> tuple[list[dict[str, str]], list[int], list[LeftOut]]:
    """`fitted`, with a note on rows that were too short."""
    rows, numbers, left_out, short = fitted(body, columns)
    if short:
        notes.append(SHORT.format(count=short))
    return rows, numbers, left_out


def fitted(body: list[tuple[int, Cells]], columns: tuple[str, ...]) -> tuple[list[dict[str, str]], list[int], list[LeftOut], int]:
    """Rows as dicts, their numbers, the rows that have too many cells or signs that no text has, and how many were too short."""
    rows: list[dict[str, str]] = []
    numbers: list[int] = []
    left_out: list[LeftOut] = []
    short, width = 0, len(columns)
    for number, cells in body:
        while len(cells) > width and not cells[-1].strip():
            cells.pop()
        if len(cells) > width:
            reason = f"It has {len(cells)} cells, and there are {width} columns. Put quote marks around text with the separator."
            left_out.append(LeftOut(number, reason, excerpt(cells)))
            continue
        if any("\x00" in cell for cell in cells):
            left_out.append(LeftOut(number, "It holds a NUL sign, which no text has.", excerpt(cells)))
            continue
        short += len(cells) < width
        rows.append(dict(zip(columns, cells + [""] * (width - len(cells)), strict=True)))
        numbers.append(number)
    return rows, numbers, left_out, short


def parse(text: str, name: str, delimiter: str) -> Parsed:
    """All records. In tab-separated text a quote mark is plain text where that makes more rows fit."""
    quoted = parse_as(text, name, delimiter, csv.QUOTE_MINIMAL)
    if delimiter == "\t" and '"' in text:
        bare = parse_as(text, name, delimiter, csv.QUOTE_NONE)
        if misfits(bare) < misfits(quoted):
            return bare
    return quoted


def misfits(parsed: Parsed) -> int:
    """How many rows were left out or differ from the usual width."""
    widths = Counter(len(cells) for _, cells in parsed.rows)
    return len(parsed.left_out) + sum(widths.values()) - max(widths.values(), default=0)


def parse_as(text: str, name: str, delimiter: str, quoting: int) -> Parsed:
    """All records with one way of quoting. A quote mark that is never closed costs its own row, not the rest of the file."""
    csv.field_size_limit(LONGEST_FIELD)
    parsed = Parsed()
    start, number = 0, 0
    while True:
        unclosed = None
        for begin, cells in records(text, start, delimiter, quoting):
            if cells is None:
                unclosed = begin
                break
            number += 1
            if any(cell.strip() for cell in cells):
                parsed.rows.append((number, cells))
            if len(parsed.rows) > MAX_ROWS + 1:  # one more for the header
                check_counts(name, len(parsed.rows) - 1, 0)
        if unclosed is None:
            return parsed
        number += 1
        line_end = text.find("\n", unclosed)
        line = text[unclosed : line_end if line_end >= 0 else None]
        parsed.left_out.append(LeftOut(number, NEVER_CLOSED, excerpt([line])))
        if len(parsed.left_out) > MOST_UNCLOSED:
            raise refusal(
                name, f"Row {number}: {NEVER_CLOSED} Many rows have that fault.", "Save the table again as CSV or XLSX."
            )
        if line_end < 0:
            return parsed
        start = line_end + 1


def records(text: str, start: int, delimiter: str, quoting: int) -> Iterator[tuple[int, Cells | None]]:
    """Each record with the position it begins at; None for cells when a quote mark is still open at the end."""
    position = start

    def lines() -> Iterator[str]:
        nonlocal position
        stream = io.StringIO(text, newline="")
        stream.seek(start)
        for line in stream:
            position += len(line)
            yield line
        yield END

    begin = position
    reader = csv.reader(lines(), delimiter=delimiter, quoting=quoting, skipinitialspace=delimiter != "\t")
    for cells in reader:
        if cells and cells[-1].endswith(END):
            if cells != [END]:
                yield begin, None
            return
        yield begin, cells
        begin = position


def find_delimiter(text: str) -> str:
    """The sign that cuts most rows into the same number of cells, at least two; empty when none does."""
    cut = text[:SAMPLE]
    sample = cut if len(text) <= SAMPLE else cut[: cut.rfind("\n") + 1] or cut
    best, sign = (0.0, 0), ""
    for delimiter in DELIMITERS:
        widths = Counter(len(cells) for _, cells in records(sample, 0, delimiter, csv.QUOTE_MINIMAL) if cells)
        if not widths:
            continue
        width, rows = max(widths.items(), key=lambda item: (item[1], item[0]))
        score = (round(rows / sum(widths.values()), 1), width)
        if width > 1 and score > best:
            best, sign = score, delimiter
    return sign


def excerpt(cells: Cells) -> str:
    """The beginning of a row on one line."""
    line = " ".join(" | ".join(cells)[:400].replace(END, "").replace("\x00", "").split())
    return line if len(line) <= 80 else f"{line[:79]}…"
