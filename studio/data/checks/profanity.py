"""Swear words and slurs, from the word lists of badwords-py in 23 languages (LDNOOBW and others; see its SOURCES.md).

A word means something else in another language ("con" is Spanish for "with"), so only the lists of the row's own language and
of English are asked. On clean development files in English, Spanish, Japanese, Hindi and Arabic 0 to 4 % of the rows are
flagged, and 25 % of the passages of Voltaire's Candide, rightly and wrongly.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from studio.data.checks.about import About
from studio.data.checks.common import TAKE_OUT, Notes, batches, rows_of, take_out, texts
from studio.data.checks.languages import language_of
from studio.records import Example, Finding

if TYPE_CHECKING:
    from badwords import ProfanityFilter

KEY = "profanity"
MOST_LETTERS = 20_000
APOSTROPHES = frozenset("'’")
LISTS = {
    "Czech": ("cs",),
    "Danish": ("da",),
    "German": ("de",),
    "Greek": ("el",),
    "Spanish": ("es", "es_419"),
    "Finnish": ("fi",),
    "French": ("fr",),
    "Hungarian": ("hu",),
    "Indonesian": ("id",),
    "Italian": ("it",),
    "Japanese": ("ja",),
    "Korean": ("ko",),
    "Dutch": ("nl",),
    "Norwegian": ("no",),
    "Polish": ("pl",),
    "Portuguese": ("pt", "pt_br"),
    "Romanian": ("ro",),
    "Russian": ("ru",),
    "Swedish": ("sv",),
    "Thai": ("th",),
    "Turkish": ("tr",),
    "Ukrainian": ("uk",),
}
"""Language -> its word lists beside the English one."""


def find(rows: Sequence[Example], about: About) -> list[Finding]:
    """Rows that hold a word of the lists."""
    filters: dict[str, ProfanityFilter] = {}
    hit: list[int] = []
    notes = Notes()
    for start, batch in batches(rows):
        by_language: dict[str, list[int]] = {}
        for at, row in enumerate(batch):
            by_language.setdefault(language_of(row), []).append(at)
        for language, places in by_language.items():
            if language not in filters:
                filters[language] = filter_of(language)
            found = filters[language].find_many([text_of(batch[at]) for at in places])
            for at, matches in zip(places, found, strict=True):
                # the lists drop apostrophes, which makes "he'll" a curse
                words = [match.matched_text for match in matches if not APOSTROPHES & set(match.matched_text)]
                if words:
                    hit.append(start + at)
                    notes[start + at] = f"“{words[0][:40]}”"
    if not hit:
        return []
    title = f"{rows_of(len(hit))} with a word from a list of swear words"
    text = "The model may learn to use it. A word list misses much and flags harmless uses. Look at the rows first."
    return [Finding(KEY, title, text, tuple(sorted(hit)), "info", (TAKE_OUT,), dict(notes))]


mend = take_out


def text_of(row: Example) -> str:
    """All texts of a row, without halves of surrogate pairs, which the filter does not take."""
    return "\n".join(texts(row))[:MOST_LETTERS].encode("utf-8", "ignore").decode("utf-8")


def filter_of(language: str) -> ProfanityFilter:
    """The word lists for one language."""
    from badwords import ProfanityFilter  # noqa: PLC0415 - only for this check

    made = ProfanityFilter()
    made.init(languages=["en", *LISTS.get(language, ())])
    return made
