"""Plain text: paragraphs gathered into passages, so that some can be kept aside and each fits a usual example length."""

from __future__ import annotations

import re
from collections.abc import Iterator

from studio.data.readers.reading import Reading, check_counts, refusal

PASSAGE = 1500  # characters; about 400 tokens at 3 to 4 characters each, within the 512 of the default longest example


def read_prose(text: str, name: str, *, encoding: str = "") -> Reading:
    """One row a passage; its number is the line it begins at. Raises StudioError when there is no text."""
    passages: list[str] = []
    numbers: list[int] = []
    for number, part, joint in parts_of(text.replace("\r\n", "\n").replace("\r", "\n").replace("\x00", "")):
        if passages and len(passages[-1]) + len(part) <= PASSAGE:
            passages[-1] += joint + part
        else:
            passages.append(part)
            numbers.append(number)
    if not passages:
        raise refusal(name, "It is empty.", "Add a file with some text.")
    check_counts(name, len(passages), 1)
    rows = [{"text": passage} for passage in passages]
    return Reading("text", ("text",), rows, numbers, encoding=encoding, header=False)


def parts_of(text: str) -> Iterator[tuple[int, str, str]]:
    """Paragraphs, or the lines of one that is longer than a passage: line number, text, what joins it to the part before."""
    line = 1
    for piece in re.split(r"(\n(?:[^\S\n]*\n)+)", text):
        joint = "\n\n"
        for offset, part in enumerate(piece.split("\n") if len(piece) > PASSAGE else [piece]):
            if part.strip():
                yield line + offset + part[: len(part) - len(part.lstrip())].count("\n"), part.strip(), joint
                joint = "\n"
        line += piece.count("\n")
