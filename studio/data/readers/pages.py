"""From the lines on the pages of a PDF to headings and paragraphs. A PDF knows neither, only letters and where they stand."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import NamedTuple

from studio.data.passages import Block

LARGER = 1.15  # times the usual height of letters, from which on a line is a heading
APART = 1.7  # times the height of a line, from one line to the next, from which on a new paragraph begins
FULL = 0.75  # of the width of its column, from which on a line goes on in the next
PROSE = 40  # characters; shorter lines belong to forms and lists and stay lines
COLUMN = 15  # points between the left ends of lines in one column
HEADING = 120  # characters; a longer line in large letters is text
LEVELS = 6
EDGE = 2  # lines at the top and bottom of a page that may come again on every page
AGAIN = 0.6  # of the pages


class Line(NamedTuple):
    """A line of a page, in points from the lower left corner."""

    text: str
    left: float
    right: float
    bottom: float
    top: float

    @property
    def height(self) -> float:
        """The height of its letters, to half a point, so that rounding makes no headings."""
        return round(2 * (self.top - self.bottom)) / 2


def blocks_of(pages: Mapping[int, Iterable[Iterable]], contents: Iterable[tuple[int, str, int]], notes: list[str]) -> list[Block]:
    """Headings and paragraphs by page number.

    Args:
        pages: Page number -> (text, left, right, bottom, top) of each line.
        contents: Level, title and page of what the document's own contents list names; where it names none, letters that are
            larger than usual are taken as headings.
        notes: What was passed over is said here.
    """
    lines = {page: [Line(*line) for line in found] for page, found in pages.items()}
    running = running_lines(lines)
    if running:
        notes.append(f"Lines that come again on most pages were passed over, such as “{min(running)[:60]}”.")
        lines = {page: [line for line in found if signature(line.text) not in running] for page, found in lines.items()}
    named: dict[int, dict[str, int]] = {}
    for level, title, page in contents:
        named.setdefault(page, {})[" ".join(title.split())] = level
    sizes = larger_heights(lines)
    blocks: list[Block] = []
    for page, found in lines.items():
        known = named.get(page, {})
        shown = {line.text for line in found}
        blocks += [Block(title, level, page) for title, level in known.items() if title and title not in shown]
        levels = [
            known.get(line.text, 0) if named else sizes.get(line.height, 0) if len(line.text) <= HEADING else 0 for line in found
        ]
        for block in page_blocks(page, found, levels):
            before = blocks[-1] if blocks else None
            if before and not before.level and not block.level and goes_on(before, block):
                blocks[-1] = replace(before, text=joined(before.text, block.text, whole=True))
            else:
                blocks.append(block)
    return blocks


def goes_on(before: Block, block: Block) -> bool:
    """Whether a paragraph was cut by the end of its page."""
    return before.place != block.place and before.text[-1] not in ".!?:;" and block.text[0].islower()


def larger_heights(pages: Mapping[int, list[Line]]) -> dict[float, int]:
    """The heights of letters that are larger than usual, each with its level as a heading."""
    letters: Counter[float] = Counter()
    for found in pages.values():
        for line in found:
            letters[line.height] += len(line.text)
    usual = max(letters, key=lambda height: letters[height], default=0.0)
    large = sorted((height for height in letters if height > LARGER * usual), reverse=True)
    return {height: min(level, LEVELS) for level, height in enumerate(large, start=1)}


def page_blocks(page: int, lines: list[Line], levels: list[int]) -> Iterator[Block]:
    """The lines of one page as headings and paragraphs."""
    edges: Counter[int] = Counter()  # column -> its right end
    for line in lines:
        edges[round(line.left / COLUMN)] = max(edges[round(line.left / COLUMN)], line.right)
    text, level, before = "", 0, None
    for line, own in zip(lines, levels, strict=True):
        if before is None or own != level or begins(line, before, own):
            if text:
                yield Block(text.replace("\xad", ""), level, page)
            text, level = line.text, own
        else:
            edge = edges[round(before.left / COLUMN)]
            full = len(before.text) >= PROSE and before.right - before.left >= FULL * (edge - before.left)
            text = joined(text, line.text, whole=bool(own) or full)
        before = line
    if text:
        yield Block(text.replace("\xad", ""), level, page)


def begins(line: Line, before: Line, level: int) -> bool:
    """Whether a line begins a new paragraph: far below the one before, or above it, as a new column is."""
    step = before.bottom - line.bottom
    return step > APART * max(line.height, before.height) or step < -line.height or (bool(level) and line.height != before.height)


def joined(text: str, more: str, *, whole: bool) -> str:
    """Two lines of a paragraph: a word that was cut is made whole, and short lines stay lines."""
    if text.endswith("\xad") or (text.endswith("-") and text[-2:-1].isalpha() and more[:1].islower()):
        return text[:-1] + more
    return f"{text} {more}" if whole else f"{text}\n{more}"


def running_lines(pages: Mapping[int, list[Line]]) -> set[str]:
    """Signatures of lines that stand at the top or bottom of most pages: titles and page numbers."""
    if len(pages) < 3:
        return set()
    counts: Counter[str] = Counter()
    for found in pages.values():
        ordered = sorted(found, key=lambda line: line.bottom)
        counts.update({signature(line.text) for line in (*ordered[:EDGE], *ordered[EDGE:][-EDGE:])})
    return {text for text, count in counts.items() if count >= max(3, AGAIN * len(pages))}


def signature(text: str) -> str:
    """A line with its numbers made alike."""
    return re.sub(r"\d+", "#", text)
