"""Dates of birth: a whole date beside a word such as born, DOB, geboren, né, nacido."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from studio.data.privacy.hits import Hit, any_word, hit, holds

if TYPE_CHECKING:
    import pyarrow as pa

BEFORE, BEHIND = 32, 16  # characters between the word and its date
EARLIEST = 1910  # who was born before is no living person

WORDS = (
    r"born\b|birth|d\.?o\.?b\b|bday\b|geboren|geb\.|geburt|née?s?\b|naissance|nacid[oa]|nací\b|nació\b|nacimiento|cumpleaños"
    r"|nat[oa]\b|nascita|nascid[oa]|nasci\b|nasceu|nascimento|aniversário|geboorte|urodz|ur\.|родил|рожден"
)
CUES = any_word(WORDS)
AFTER = re.compile(r" ?[(,]? ?(?:dob\b|born|geboren|geb\.)", re.IGNORECASE)
MONTHS = (
    "jan|feb|fév|fev|febr|mar|mär|mrt|apr|avr|abr|kwi|mai|may|maj|mei|mag|maio|jun|juin|giu|jul|juil|lug|lip|aug|août|ago|sie|sep|"
    "set|wrz|oct|okt|ott|out|paź|nov|lis|dec|dez|déc|dic|gru|gen|ene|sty|lut|cze|янв|фев|март|апр|мая|июн|июл|авг|сен|окт|ноя|дек"
)
DATE = re.compile(
    r"(?<![\w/.-])(?:"
    r"(?P<a>\d{4})[-/.]\d{1,2}[-/.]\d{1,2}"
    r"|\d{1,2}[-/.] ?\d{1,2}[-/.] ?(?P<b>\d{4}|\d{2})"
    rf"|\d{{1,2}}(?:st|nd|rd|th|er|º|\.)? (?:of |de )?(?:{MONTHS})[^\W\d_]{{0,9}}\.?,?(?: de| del)? (?P<c>\d{{4}})"
    rf"|(?:{MONTHS})[^\W\d_]{{0,9}}\.? \d{{1,2}}(?:st|nd|rd|th)?,? (?P<d>\d{{4}})"
    r")(?![\w/-])",
    re.IGNORECASE,
)


def likely(texts: pa.StringArray) -> pa.BooleanArray:
    """Texts with such a word and a digit shortly behind or before it."""
    return holds(
        texts,
        rf"(?is)(?:{WORDS}).{{0,{BEFORE}}}\d",
        r"(?i)\d ?[(,]? ?(?:dob|born|geb)",
    )


def find(text: str) -> Iterator[Hit]:
    """Dates that stand shortly behind such a word, or with it in brackets right before it."""
    for found in DATE.finditer(text):
        year = next(int(value) for value in found.groupdict().values() if value)
        if 100 <= year < EARLIEST or year > 2100:
            continue
        before = text[max(0, found.start() - BEFORE) : found.start()]
        behind = text[found.end() : found.end() + BEHIND]
        if AFTER.match(behind) or any(not ends(before[cue.end() :]) for cue in CUES.finditer(before)):
            yield hit("birth_date", found, 0.9)


def ends(between: str) -> bool:
    """Whether a sentence ends between the word and the date."""
    return re.search(r"[!?\n]{2}|[?!] ", between) is not None
