"""Documents as rows: a row a passage, or the rows of a table of questions and answers inside the document."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from studio.data.names import is_known
from studio.data.passages import Block, split
from studio.data.readers import guarded
from studio.data.readers.delimited import fit
from studio.data.readers.pages import blocks_of
from studio.data.readers.reading import DOCUMENT_COLUMNS, Reading, check_counts, column_names, refusal
from studio.data.readers.workbook import check_package
from studio.data.readers.worker import markup
from studio.data.readers.worker.markup import TABLE

Found = Sequence[Any]  # place, level and text of a block, or TABLE and its rows, as the worker prints them

MAX_MARKUP = 20_000_000  # characters of Markdown or HTML: some 10,000 printed pages, and half a minute to read
SHORT = 20_000  # characters; the worst that was found takes a quarter of a second


def read_markup(path: Path, text: str, name: str, kind: str, encoding: str) -> Reading:
    """Rows of a Markdown file by line, or of a web page by paragraph. Raises StudioError when there is no text.

    Short ones are parsed here, since starting a process takes longer. Long ones could hold everything up for minutes.
    """
    if len(text) > MAX_MARKUP:
        raise refusal(name, f"It has more than {MAX_MARKUP:,} characters.", "Split it into smaller files.")
    found = None
    if len(text) <= SHORT:
        with contextlib.suppress(IndexError, ValueError, RecursionError):  # the child says what is wrong
            found = list(markup.blocks(kind, text))
    if found is None:
        found = all_blocks(guarded.lines(kind, path, name, encoding))
    return from_blocks(kind, found, name, encoding=encoding)


def read_docx(path: Path, name: str) -> Reading:
    """Rows of a Word document, numbered by paragraph. Raises StudioError when there is no text."""
    check_package(path, name, "word/", "a Word document")
    return from_blocks("docx", all_blocks(guarded.lines("docx", path, name)), name)


def read_pdf(path: Path, name: str) -> Reading:
    """Rows of a PDF, numbered by page. Raises StudioError when its pages are pictures."""
    lines = guarded.lines("pdf", path, name)
    contents = next(lines)["toc"]
    pages = {line["page"]: line["lines"] for line in lines}
    bare = [page for page, found in pages.items() if not found]
    if len(bare) == len(pages):
        why = "Its pages are pictures without text, as scans are."
        raise refusal(name, why, "Have the text recognised (OCR) by a scanning program, or paste the text.")
    notes = []
    if bare:
        shown = ", ".join(map(str, bare[:10])) + (" …" if len(bare) > 10 else "")
        notes.append(f"{len(bare):,} of {len(pages):,} pages hold no text that can be read: {shown}.")
    return as_reading("pdf", blocks_of(pages, contents, notes), name, notes=notes)


def all_blocks(lines: Iterable[dict[str, Any]]) -> list[Found]:
    """The blocks in the worker's lines."""
    return [item for line in lines for item in line["blocks"]]


def from_blocks(kind: str, found: list[Found], name: str, *, encoding: str = "") -> Reading:
    """Rows of blocks as the worker prints them: tables of examples where there are any, else passages."""
    tables = [(place, rows) for place, level, rows in found if level == TABLE]
    examples = [(place, rows) for place, rows in tables if sum(map(is_known, filter(str.strip, rows[0]))) >= 2]
    if examples and len({tuple(rows[0]) for _, rows in examples}) == 1 and any(len(rows) > 1 for _, rows in examples):
        return from_tables(kind, examples, name, len(found) - len(examples), encoding)
    return as_reading(kind, as_blocks(found), name, encoding=encoding)


def from_tables(kind: str, tables: list[tuple[int, list[list[str]]]], name: str, others: int, encoding: str) -> Reading:
    """The rows of tables that have the same header, one below the other."""
    notes: list[str] = []
    if others:
        notes.append(f"Its table was read. The {others:,} other paragraphs were not.")
    columns = column_names(tables[0][1][0], notes)
    body = [cells for _, rows in tables for cells in rows[1:]]
    check_counts(name, len(body), len(columns))
    rows, numbers, left_out = fit(list(enumerate(body, start=1)), columns, notes)
    return Reading(kind, columns, rows, numbers, encoding=encoding, left_out=tuple(left_out), notes=tuple(notes))


def as_blocks(found: list[Found]) -> Iterator[Block]:
    """Blocks of what the worker prints; a table becomes lines with bars between the cells."""
    for place, level, text in found:
        if level == TABLE:
            text = "\n".join(" | ".join(cell.replace("\n", " ") for cell in row) for row in text)
        yield Block(text, max(level, 0), place)


def as_reading(kind: str, blocks: Iterable[Block], name: str, *, encoding: str = "", notes: Iterable[str] = ()) -> Reading:
    """One row a passage, with the headings it stands under. Raises StudioError when there is none."""
    passages = split(blocks)
    if not passages:
        raise refusal(name, "It holds no text.", "Add a file with some text.")
    check_counts(name, len(passages), len(DOCUMENT_COLUMNS))
    rows = [{"text": passage.text, "heading": passage.heading} for passage in passages]
    numbers = [passage.place for passage in passages]
    return Reading(kind, DOCUMENT_COLUMNS, rows, numbers, encoding=encoding, header=False, notes=tuple(notes))
