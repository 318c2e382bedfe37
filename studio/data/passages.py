"""Documents cut into passages: at headings, then at paragraphs, so that each is short enough to learn from or to ask about."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from studio.errors import StudioError

LONGEST = 1500  # characters; about 400 tokens at 3 to 4 characters each, within the 512 of the default longest example
BETWEEN = " > "  # between the headings of a path
LONGEST_HEADING = 200  # characters; what is longer is a paragraph set in large letters
ENDS = (". ", "? ", "! ", "。", "？", "！", "\u06d4", "।", "؟ ")  # of sentences


@dataclass(frozen=True)
class Block:
    """A heading (`level` from 1, the highest) or a paragraph (0) of a document.

    `place` is where it stands, counted from 1: a page, a paragraph or a line. `joint` joins it to the paragraph before it.
    A heading without text ends the sections of its level and below.
    """

    text: str
    level: int = 0
    place: int = 0
    joint: str = "\n\n"


@dataclass(frozen=True)
class Passage:
    """A piece of a document below its heading path; `place` is that of its first block.

    The first `repeated` characters were taken over from the passage before, so that no thought is cut off from its beginning.
    """

    heading: str
    text: str
    place: int = 0
    repeated: int = 0


def split(blocks: Iterable[Block] | str, longest: int = LONGEST, overlap: int = 0) -> list[Passage]:
    """Passages of a document in its order. None reaches over a heading, and every word of the blocks is in one.

    Args:
        blocks: The document, or plain text whose paragraphs are separated by empty lines.
        longest: The most characters of a passage.
        overlap: The most characters that a passage repeats from the end of the one before it in its section.

    Raises:
        StudioError: `longest` is below 50, or `overlap` is not between 0 and half of it.
    """
    if longest < 50 or not 0 <= overlap <= longest // 2:
        raise StudioError(
            "The text was not cut into passages.",
            f"Passages of {longest:,} characters cannot repeat {overlap:,}.",
            "Choose at least 50 characters, and repeat at most half of them.",
        )
    return [passage for section in sections(blocks) for passage in packed(*section, longest, overlap)]


def sections(blocks: Iterable[Block] | str) -> Iterator[tuple[str, list[Block]]]:
    """Heading path and paragraphs of each section. A heading with nothing below it is the text of the section above it."""
    path: list[Block] = []
    body: list[Block] = []
    bare = False  # whether the last heading has had nothing below it so far
    for block in paragraphs(blocks) if isinstance(blocks, str) else blocks:
        if not block.level:
            body.append(block)
            bare = False
            continue
        if body:
            yield path_of(path), body
            body = []
        if bare and block.level <= path[-1].level:
            yield path_of(path[:-1]), [Block(path[-1].text, 0, path[-1].place)]
        bare = bool(block.text) or (bare and block.level > path[-1].level)
        while path and path[-1].level >= block.level:
            path.pop()
        if block.text:
            path.append(block)
    if body:
        yield path_of(path), body
    elif bare:
        yield path_of(path[:-1]), [Block(path[-1].text, 0, path[-1].place)]


def packed(heading: str, body: Iterable[Block], longest: int, overlap: int) -> Iterator[Passage]:
    """The paragraphs of one section in as few passages as their order allows."""
    text, place, repeated = "", 0, 0
    for block in body:
        joint = block.joint
        for piece in pieces(block.text, longest - overlap - len(joint) * bool(overlap)):
            if text and len(text) + len(joint) + len(piece) <= longest:
                text += joint + piece
            else:
                if text:
                    yield Passage(heading, text, place, repeated)
                kept = ending(text, overlap)
                text, repeated = kept + joint * bool(kept) + piece, len(kept)
                place = block.place
            joint = " "
    if text:
        yield Passage(heading, text, place, repeated)


def pieces(text: str, room: int) -> Iterator[str]:
    """A paragraph in pieces of at most `room` characters, cut between lines or sentences, else words, else anywhere."""
    start, text = 0, text.rstrip().lstrip("\n")  # a first line may be set in, as code is
    while len(text) - start > room:
        window = text[start : start + room + 1]
        cuts = (window.rfind("\n"), max(window.rfind(end, 0, room) + len(end.rstrip()) for end in ENDS), window.rfind(" "))
        cut = next((place for place in cuts if place >= room // 2), 0) or max(cuts[2], 0) or room
        if piece := text[start : start + cut].strip():
            yield piece
        start += cut
        while start < len(text) and text[start].isspace():
            start += 1
    if start < len(text):
        yield text[start:]


def ending(text: str, longest: int) -> str:
    """The last words of a text, at most `longest` characters."""
    if not longest or len(text) <= longest:
        return text if longest else ""
    tail = text[-longest - 1 :]
    spaces = [match.end() for match in re.finditer(r"\s", tail)]
    return tail[spaces[0] if spaces else 1 :].strip()


def path_of(headings: Iterable[Block]) -> str:
    """The headings above a passage, the highest first."""
    return BETWEEN.join(heading.text[:LONGEST_HEADING] for heading in headings)


def paragraphs(text: str, longest: int = LONGEST) -> Iterator[Block]:
    """The paragraphs of plain text by line number; one that is longer than `longest` line by line."""
    line = 1
    for piece in re.split(r"(\n(?:[^\S\n]*\n)+)", text):
        joint = "\n\n"
        for offset, part in enumerate(piece.split("\n") if len(piece) > longest else [piece]):
            if part.strip():
                yield Block(part.strip(), 0, line + offset + part[: len(part) - len(part.lstrip())].count("\n"), joint)
                joint = "\n"
        line += piece.count("\n")
