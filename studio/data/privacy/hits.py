"""What a finder is told and what it gives.

A finder is a module of this folder with `find(text, clues) -> Iterator[Hit]`. It looks at `clues` first, because most texts
hold nothing of its kind and this is what makes a scan fast. Its patterns have bounds and possessive quantifiers, so that no
text makes them slow.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

KINDS = (
    "secret",
    "password",
    "card",
    "iban",
    "national_id",
    "email",
    "phone",
    "address",
    "name",
    "first_name",
    "birth_date",
    "ip",
    "url",
)
"""Every kind of hit, the gravest first. `name` is a full name or one said to be a name, `first_name` stands alone."""

UPPER = "A-ZÀ-ÖØ-ÞĄĆČĎĐĘĚĞİŁŃŇŐŘŚŞŠŤŮŰŹŻŽΑ-ΫА-Я"
"""Capital letters, for use between the brackets of a pattern."""

WORD = re.compile(r"[^\W\d_]+")
DIGIT = re.compile(r"\d")
LONG_NUMBER = re.compile(r"\d(?:[ .()/\-\u00a0]{0,3}\d){6}")


@dataclass(frozen=True, slots=True)
class Hit:
    """Characters `start` to `end` of a text hold personal data. `sure` is from 0 to 1 and only orders hits."""

    kind: str
    start: int
    end: int
    text: str
    sure: float


class Clues:
    """What is cheap to know about a text."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.cased = frozenset(WORD.findall(text))

    @cached_property
    def words(self) -> frozenset[str]:
        """Its words, lower case."""
        return frozenset(map(str.lower, self.cased))

    @cached_property
    def digit(self) -> bool:
        """Whether it holds a digit."""
        return DIGIT.search(self.text) is not None

    @cached_property
    def long_number(self) -> bool:
        """Whether it holds seven digits or more that are written together."""
        return self.digit and LONG_NUMBER.search(self.text) is not None


def hit(kind: str, found: re.Match[str], sure: float, group: int | str = 0) -> Hit:
    """A hit where a pattern matched."""
    return Hit(kind, found.start(group), found.end(group), found.group(group), sure)


def nearest(text: str, start: int, cues: re.Pattern[str], reach: int = 40) -> int:
    """How many characters before `start` the last of the cue words ends; -1 when none lies within `reach`."""
    window = text[max(0, start - reach) : start]
    return min((len(window) - cue.end() for cue in cues.finditer(window)), default=-1)


def any_word(words: str) -> re.Pattern[str]:
    """A pattern for any of the words that the bars separate, in either case, from the beginning of a word on."""
    return re.compile(rf"(?<![^\W_])(?:{words})", re.IGNORECASE)
