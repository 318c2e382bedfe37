"""Letters damaged by a wrong encoding, such as “Ã¼” for “ü”. ftfy knows how such damage comes about and undoes it."""

from __future__ import annotations

from collections.abc import Sequence

from studio.data.checks.about import About, Changes
from studio.data.checks.common import TAKE_OUT, known, rewrite, rows_of, take_out, texts
from studio.data.checks.patterns import search
from studio.records import Example, Finding, Remedy

KEY = "letters"
REPAIR = Remedy("repair", "Repair the letters")
LOST = "\ufffd"
"""What decoders write for bytes they cannot read; the letter is gone for good."""


def find(rows: Sequence[Example], about: About) -> list[Finding]:
    """Rows with letters that can be repaired, and rows with letters that are lost."""
    found = []
    (hit, notes), (gone, places) = search(rows, damaged, lost)
    if hit:
        title = f"{rows_of(len(hit))} with damaged letters"
        text = f"For example {notes[hit[0]]}. The file was once read with the wrong encoding. The model would learn the damage."
        found.append(Finding(KEY, title, text, hit, "warn", (REPAIR, TAKE_OUT), notes))
    if gone:
        title = f"{rows_of(len(gone))} with lost letters"
        text = f"They hold “{LOST}”, which stands for letters that could not be read. Only the original file can help."
        found.append(Finding(KEY, title, text, gone, "warn", (TAKE_OUT,), places))
    return found


def mend(rows: Sequence[Example], finding: Finding, remedy: str) -> Changes:
    """Repair the texts, or take the rows out."""
    return take_out(rows, finding, remedy) if known(finding, remedy) == TAKE_OUT.key else rewrite(rows, finding, repaired)


def repaired(text: str) -> str:
    """A text with the damage undone; texts without damage stay as they are."""
    import ftfy  # noqa: PLC0415 - only for this check
    from ftfy.badness import is_bad  # noqa: PLC0415

    return ftfy.fix_encoding(text) if not text.isascii() and is_bad(text) else text


def damaged(row: Example) -> str:
    """Words around the first damage that can be undone; empty when there is none."""
    for text in texts(row):
        if not text.isascii() and (better := repaired(text)) != text:
            first = next((at for at, (old, new) in enumerate(zip(text, better, strict=False)) if old != new), 0)
            return text[max(0, first - 20) : first + 20]
    return ""


def lost(row: Example) -> str:
    """Words around the first lost letter; empty when there is none."""
    for text in texts(row):
        if (at := text.find(LOST)) >= 0:
            return text[max(0, at - 20) : at + 20]
    return ""
