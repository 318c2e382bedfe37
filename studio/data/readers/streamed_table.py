"""Large CSV and TSV: gone through once to learn their form, and once more to take their rows. See `streamed`."""

from __future__ import annotations

import csv
import os
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

from studio.data.formulas import is_bare, unguarded
from studio.data.readers import delimited
from studio.data.readers.delimited import END, LONGEST_FIELD, NEVER_CLOSED, SAMPLE, check_delimiter, find_delimiter, fitted
from studio.data.readers.encoding import survey
from studio.data.readers.reading import (
    FOOTER_SEARCH,
    MAX_FILE,
    Cells,
    Reading,
    check_counts,
    column_names,
    filled_cells,
    looks_like_header,
    refusal,
    title_rows,
    without_footer,
)
from studio.data.readers.streamed import LONGEST_LINE, Rows, collecting
from studio.data.spill import BATCH, Room
from studio.records import LeftOut

Numbered = tuple[int, Cells]
HEAD = 1000  # rows that are looked at before anything is decided
PIECE = 2**20  # bytes


class Unclosed(Exception):
    """A quote mark in the row with this number is opened and never closed, or the row is far too long."""


@dataclass(frozen=True)
class Source:
    """A table file, and how its text is cut into cells."""

    path: Path
    room: Room
    encoding: str
    delimiter: str
    quoting: int = csv.QUOTE_MINIMAL

    def rows(self) -> Iterator[Numbered]:
        """Every row that says anything, with its number. Raises Unclosed, and Stopped."""
        csv.field_size_limit(LONGEST_FIELD)  # whole rows are bounded below
        size, number, letters = os.path.getsize(self.path), 0, 0
        with open(self.path, encoding=self.encoding, errors="replace", newline="") as handle:

            def lines() -> Iterator[str]:
                nonlocal letters
                while line := handle.readline(LONGEST_LINE):
                    letters += len(line)
                    if letters >= LONGEST_LINE:  # a part of a line would pass for a row
                        raise Unclosed(number + 1)
                    yield line
                yield END

            for cells in csv.reader(
                lines(), delimiter=self.delimiter, quoting=self.quoting, skipinitialspace=self.delimiter != "\t"
            ):
                if cells and cells[-1].endswith(END):
                    if cells != [END]:
                        raise Unclosed(number + 1)
                    return
                number, letters = number + 1, 0
                if not number % BATCH:
                    self.room.telling.tell("read", handle.buffer.tell(), size, number)
                if any(cell.strip() for cell in cells):
                    yield number, cells


@dataclass
class Form:
    """What one pass over all rows says about a table: its first and last rows, and how wide the rows are."""

    count: int = 0
    head: list[Numbered] = field(default_factory=list)
    tail: deque[Numbered] = field(default_factory=lambda: deque(maxlen=FOOTER_SEARCH + 1))
    widths: Counter[int] = field(default_factory=Counter)
    filled: Counter[int] = field(default_factory=Counter)

    @property
    def misfits(self) -> int:
        """How many rows differ from the usual width."""
        return self.count - max(self.widths.values(), default=0)


def form_of(source: Source, name: str) -> Form:
    """Goes through all rows. Raises StudioError for too many of them, Unclosed, and Stopped."""
    form = Form()
    for row in source.rows():
        form.count += 1
        if form.count <= HEAD:
            form.head.append(row)
        form.tail.append(row)
        form.widths[len(row[1])] += 1
        form.filled[filled_cells(row[1])] += 1
        check_counts(name, form.count - 1, 0)  # one more for the header
    return form


def read_table(
    path: Path, name: str, room: Room, *, delimiter: str = "", header: bool | None = None, encoding: str = ""
) -> Reading | None:
    """The rows of a large table. None where it has to be read as a whole: it begins empty, or a quote mark is open to its end.

    Args:
        delimiter, header, encoding: As `read_delimited` takes them.

    Raises:
        StudioError: what `read_delimited` raises.
        Stopped: somebody wanted it to end.
    """
    check_delimiter(delimiter, name)
    found, told = survey(path, name, encoding)
    with open(path, encoding=found, errors="replace", newline="") as handle:
        head = handle.read(SAMPLE + 1)
    if not head.strip():
        return None
    delimiter = delimiter or find_delimiter(head) or ","
    try:
        source, form = best_form(Source(path, room, found, delimiter), name)
        return take(source, form, name, header, told)
    except Unclosed as error:
        if os.path.getsize(path) <= MAX_FILE:
            return None
        raise refusal(name, f"Row {error.args[0]:,}: {NEVER_CLOSED}", "Save the table again as CSV or Parquet.") from error


def best_form(source: Source, name: str) -> tuple[Source, Form]:
    """The form of a table. In tab-separated text a quote mark is plain text where that makes more rows fit."""
    form = None
    try:
        form = form_of(source, name)
    except Unclosed:
        if source.delimiter != "\t":
            raise
    if source.delimiter == "\t" and has_quotes(source.path):
        bare = replace(source, quoting=csv.QUOTE_NONE)
        other = form_of(bare, name)
        if form is None or other.misfits < form.misfits:
            return bare, other
    return source, form or Form()


def has_quotes(path: Path) -> bool:
    """Whether a file has a quote mark anywhere."""
    with open(path, "rb") as handle:
        return any(b'"' in piece for piece in iter(lambda: handle.read(PIECE), b""))


def take(source: Source, form: Form, name: str, header: bool | None, told: list[str]) -> Reading:
    """The rows, once the form of the table is known."""
    if not form.count:
        raise refusal(name, "It holds no rows.", "Add a file with at least one example.")
    notes: list[str] = []
    head = form.head
    above = title_rows([cells for _, cells in head[:300]]) if header is not False else 0
    if above:
        notes.append(delimited.PASSED_OVER.format(row=head[above][0]))
    first = head[above][1]
    check_counts(name, form.count - above - 1, len(first))
    if header is None:
        header = looks_like_header(first, [cells for _, cells in head[above + 1 : above + 200]])
    width = len(first) if header else Counter(len(cells) for _, cells in head[above:]).most_common(1)[0][0]
    begin = above + bool(header)
    widest = max(form.widths - Counter(len(cells) for _, cells in head[:begin]), default=0)
    while header and width > 1 and not first[width - 1].strip() and widest < width:
        width -= 1
    check_counts(name, 0, width)
    columns = column_names(first[:width] if header else [""] * width, notes)
    if form.count == begin:
        raise refusal(name, "It has a header but no rows below it.", "Add at least one example.")
    filled = form.filled - Counter(filled_cells(cells) for _, cells in head[:begin])
    tail = list(form.tail)[-min(len(form.tail), form.count - begin) :]
    kept, below = without_footer(tail, filled.most_common(1)[0][0])
    body = islice(source.rows(), begin, form.count - (len(tail) - len(kept)))
    with collecting(source.room, name) as rows:
        guarded = fill(rows, body, columns, below, notes)
        if not len(rows.rows):
            first_out = rows.first_left_out
            why = f"No row could be used. Row {first_out.row}: {first_out.reason}" if first_out else "No row could be used."
            raise refusal(name, why, "Mend the file.")
        kind = "tsv" if source.delimiter == "\t" else "csv"
        about = {"encoding": source.encoding, "delimiter": source.delimiter, "header": header, "guarded": guarded}
        return rows.reading(kind, columns, notes=[*told, *notes], **about)


def fill(rows: Rows, body: Iterator[Numbered], columns: tuple[str, ...], below: list[LeftOut], notes: list[str]) -> bool:
    """Take the rows of the body, then what stands below it. Whether apostrophes before formulas are to be taken off."""
    short = guards = 0
    bare = False
    while some := list(islice(body, BATCH)):
        fitting, numbers, left_out, fewer = fitted(some, columns)
        short += fewer
        cells = [cell for row in fitting for cell in row.values()]
        bare = bare or any(map(is_bare, cells))
        guards += sum(unguarded(cell) is not cell for cell in cells)
        rows.add(fitting, numbers, left_out)
    rows.add([], [], list(below))
    if short:
        notes.append(delimited.SHORT.format(count=short))
    if guards and not bare:
        notes.append(delimited.UNGUARDED.format(count=guards))
    return bool(guards) and not bare
