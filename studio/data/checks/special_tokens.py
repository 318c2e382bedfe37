"""Signs of chat templates and tokenizers inside a text.

Rows with the marks of well-known chat templates are refused when a file is read (`convert`); this finds what remains: the signs
of other templates and tokenizers, and marks in data that was made elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from studio.data.checks.about import About, Changes
from studio.data.checks.common import TAKE_OUT, known, rewrite, rows_of, take_out, texts
from studio.data.checks.patterns import search
from studio.data.markers import KNOWN_MARKERS, TEXT_MARKERS, defuse
from studio.records import Example, Finding, Remedy

KEY = "special_tokens"
STRIP = Remedy("strip", "Remove the signs")
ROUNDS = 8

SIGNS = re.compile(
    KNOWN_MARKERS.pattern
    + "|"
    + "|".join(map(re.escape, TEXT_MARKERS))
    + r"|\[(?:BOS|EOS|PAD|CLS|SEP|MASK|UNK)\]|<(?:unk|mask|sep|cls)>"  # BERT, T5
    + r"|^### ?(?:Instruction|Input|Response|Human|System):?[ \t]{0,3}$",  # Alpaca, Vicuna
    re.MULTILINE,
)
STRUCK = re.compile(r"<s>[^<>]{1,300}</s>")
"""HTML for struck-out text, which uses the signs that Llama 2 begins and ends a text with."""


def find(rows: Sequence[Example], about: About) -> list[Finding]:
    """Rows that hold a sign with a meaning of its own for a model."""
    [(hit, notes)] = search(rows, sign, likely=r"<|\[|###")  # one of which is in every sign
    if not hit:
        return []
    title = f"{rows_of(len(hit))} with signs that models use themselves"
    text = f"For example {notes[hit[0]]}. Such signs begin or end a turn. Left in, they can cut an answer short."
    return [Finding(KEY, title, text, hit, "warn", (STRIP, TAKE_OUT), notes)]


def mend(rows: Sequence[Example], finding: Finding, remedy: str) -> Changes:
    """Remove the signs from the texts, or the rows from the data."""
    return take_out(rows, finding, remedy) if known(finding, remedy) == TAKE_OUT.key else rewrite(rows, finding, without)


def sign(row: Example) -> str:
    """The first sign in a row; empty when there is none."""
    return next((found.group() for text in texts(row) if (found := SIGNS.search(STRUCK.sub("", text)))), "")


def without(text: str) -> str:
    """A text without any sign. What is left may make a new sign; after some rounds of that a space breaks what there is."""
    for _ in range(ROUNDS):
        if not SIGNS.search(STRUCK.sub("", text)):
            return text
        text = SIGNS.sub("", text).strip()
    return defuse(text, SIGNS)
