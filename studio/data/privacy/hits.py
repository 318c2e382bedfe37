"""What a finder gives, and what finders share.

A finder is a module of this folder with

    likely   likely(texts) -> a boolean a text: whether it may hold something. All texts are looked at together, by Arrow's RE2,
             which is some twenty times faster than patterns in Python; most texts end here
    find     find(text) -> Iterator[Hit]; its patterns have bounds and possessive quantifiers, so that no text makes them slow
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

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


@dataclass(frozen=True, slots=True)
class Hit:
    """Characters `start` to `end` of a text hold personal data. `sure` is from 0 to 1 and only orders hits."""

    kind: str
    start: int
    end: int
    text: str
    sure: float


def holds(texts: pa.StringArray, *patterns: str) -> pa.BooleanArray:
    """Which texts match one of the patterns. They are in the syntax of RE2: no looking around, \\d and \\w are ASCII."""
    import pyarrow.compute as pc  # noqa: PLC0415 - 100 ms

    return pc.match_substring_regex(texts, "|".join(f"(?:{pattern})" for pattern in patterns))


def hit(kind: str, found: re.Match[str], sure: float, group: int | str = 0) -> Hit:
    """A hit where a pattern matched."""
    return Hit(kind, found.start(group), found.end(group), found.group(group), sure)


def nearest(text: str, start: int, cues: re.Pattern[str], reach: int = 40) -> int:
    """How many characters before `start` the last of the cue words ends; -1 when none lies within `reach`."""
    window = text[max(0, start - reach) : start]
    return min((len(window) - cue.end() for cue in cues.finditer(window)), default=-1)


def words(listed: str) -> frozenset[str]:
    """A list of words, as a set."""
    return frozenset(listed.split())


def any_word(listed: str) -> re.Pattern[str]:
    """A pattern for any of the words that the bars separate, in either case, from the beginning of a word on."""
    return re.compile(rf"(?<![^\W_])(?:{listed})", re.IGNORECASE)
