"""Rows in another language than most. CLD2, the detector that Chrome used, works offline and says when it is not sure.

Of the rows it was sure about it named the right language for all of 4,990 in Arabic and English, 99.8 % of 557 in Japanese, 98 %
of 527 in Spanish, and 44 of 48 in Hindi (development data). py3langid, which never abstains, was a tenth as fast.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Sequence

from studio.data.checks.about import About
from studio.data.checks.common import Notes, answered, asked, rows_of, take_out
from studio.records import Example, Finding, Remedy

KEY = "languages"
UNKNOWN = ""
MOST_LETTERS = 1000  # of a text; more make it slower and hardly surer
LONG_ENOUGH = 60  # bytes of an answer that is judged alone; shorter ones are often names
LEAST_ROWS, LEAST_SHARE, ALWAYS_ROWS = 3, 0.02, 50
"""A language counts from 3 rows and 2 % of the main one's, or 50 rows: fewer are mostly names, code, or mistakes."""

NAMES = {"ChineseT": "Traditional Chinese"}


def find(rows: Sequence[Example], about: About) -> list[Finding]:
    """Rows whose answer (or text to sort) is in another language than that of most rows. Keeps a number a row."""
    numbers: dict[str, int] = {UNKNOWN: 0}
    of_row = array("H", (numbers.setdefault(language_of(row), len(numbers)) for row in rows))
    counts = Counter(of_row)
    counts.pop(0, None)
    if len(counts) < 2:
        return []
    names = list(numbers)
    main, most = counts.most_common(1)[0]
    least = max(LEAST_ROWS, min(LEAST_SHARE * most, ALWAYS_ROWS))
    others = {number: count for number, count in counts.most_common() if number != main and count >= least}
    if not others:
        return []
    hit = [at for at, number in enumerate(of_row) if number in others]
    notes = Notes()
    for at in hit:
        notes[at] = f"{names[of_row[at]]}."
    listed = ", ".join(f"{names[number]} ({count:,})" for number, count in list(others.items())[:5])
    title = f"{rows_of(len(hit))} in another language than {names[main]}"
    text = f"They seem to be in {listed}. Mixed languages confuse a small model. Leave them if you want several."
    remedy = Remedy("keep_main", f"Keep only {names[main]}")
    return [Finding(KEY, title, text, tuple(hit), "warn", (remedy,), dict(notes))]


mend = take_out


def language_of(row: Example) -> str:
    """The language of what a row teaches, as an English name; of the whole row where the answer is too short to tell."""
    answer = "" if row.label else answered(row)
    alone = detected(answer) if len(answer[:MOST_LETTERS].encode("utf-8", "ignore")) >= LONG_ENOUGH else UNKNOWN
    return alone or detected(f"{asked(row)[:MOST_LETTERS]}\n{answer[:MOST_LETTERS]}")


def detected(text: str) -> str:
    """The English name of a text's language; empty when the detector is not sure."""
    import pycld2  # noqa: PLC0415 - only for this check

    clean = text[:MOST_LETTERS]
    if not clean.replace("\n", "").isprintable():
        clean = "".join(letter for letter in clean if letter.isprintable() or letter.isspace())
    try:
        sure, _, found = pycld2.detect(clean, isPlainText=True)
    except pycld2.error:  # letters that it does not take
        return UNKNOWN
    name, code = found[0][:2]
    if not sure or code == "un":
        return UNKNOWN
    return NAMES.get(name, name.replace("_", " ").title())
