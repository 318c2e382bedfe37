"""Labels: written in several ways, too rare to be learned, or far from evenly spread."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from studio.data.checks.about import About, Changes
from studio.data.checks.common import TAKE_OUT, Notes, counted, known, label_of, rows_of
from studio.data.split import plain
from studio.records import Example, Finding, Remedy

KEY = "labels"
UNIFY = Remedy("unify", "Use one spelling")
FEWEST = 5
"""Rows of a label; with fewer, none can be kept aside (`split.FEWEST_ROWS`) and little is learned."""

IMBALANCE = 9.0
"""Times the rarest label. The KEEL repository (J. Alcalá-Fdez et al., 2011) calls data with a higher ratio highly imbalanced."""


def find(rows: Sequence[Example], about: About) -> list[Finding]:
    """Findings about the labels; none where rows have no label. Keeps a number a row and the different labels."""
    names: dict[str, int] = {}
    of_row = array("q")
    for row in rows:
        label = label_of(row, about.goal)
        of_row.append(names.setdefault(label, len(names)) if label else -1)
    counts = Counter(of_row)
    del counts[-1]
    if not counts:
        return []
    spelled = list(names)
    found = [unlike_spellings(of_row, spelled, counts), rare(of_row, spelled, counts), uneven(of_row, spelled, counts)]
    return [finding for finding in found if finding]


def mend(rows: Sequence[Example], finding: Finding, remedy: str) -> Changes:
    """Take rows of rare labels out, or write each label as it is written most often."""
    if known(finding, remedy) == "take_out":
        return dict.fromkeys(finding.rows)
    right = usual_spellings(Counter(label_of(row, "sorting") for row in rows))
    return {at: spell(rows[at], right[plain(label_of(rows[at], "sorting"))]) for at in finding.rows}


def usual_spellings(counts: Counter[str]) -> dict[str, str]:
    """A label without regard to case and white space -> as it is written most often, the first one where that is a draw."""
    usual: dict[str, str] = {}
    for label, _ in counts.most_common():
        usual.setdefault(plain(label), label)
    return usual


def spell(row: Example, label: str) -> Example:
    """A row whose label, and the answer that is the label, are written in another way."""
    last = {**row.messages[-1], "content": label} if row.messages else None
    return replace(row, label=label if row.label else "", messages=(*row.messages[:-1], last) if last else ())


def unlike_spellings(of_row: Sequence[int], spelled: list[str], counts: Counter[int]) -> Finding | None:
    """Labels that differ in case or white space only."""
    usual = usual_spellings(Counter({spelled[number]: count for number, count in counts.items()}))
    odd = {number: usual[plain(spelled[number])] for number in counts if usual[plain(spelled[number])] != spelled[number]}
    if not odd:
        return None
    hit = [at for at, number in enumerate(of_row) if number in odd]
    shown = ", ".join(f"“{spelled[number][:40]}” for “{right[:40]}”" for number, right in list(odd.items())[:3])
    title = f"{rows_of(len(hit))} with a label spelled in another way"
    text = f"They differ only in capitals or spaces: {shown}. The model would learn them as different labels."
    return Finding(KEY, title, text, tuple(hit), "warn", (UNIFY,))


def rare(of_row: Sequence[int], spelled: list[str], counts: Counter[int]) -> Finding | None:
    """Labels with too few rows to be learned."""
    few = {number for number, count in counts.items() if count < FEWEST}
    if not few:
        return None
    hit = [at for at, number in enumerate(of_row) if number in few]
    notes = Notes()
    for at in hit:
        notes[at] = f"“{spelled[of_row[at]][:40]}” has {rows_of(counts[of_row[at]])}."
    title = f"{counted(len(few), 'label', 'labels')} with fewer than {FEWEST} rows"
    text = "A label needs several examples before it can be told from others. Add more, or take these out."
    return Finding(KEY, title, text, tuple(hit), "warn", (TAKE_OUT,), dict(notes))


def uneven(of_row: Sequence[int], spelled: list[str], counts: Counter[int]) -> Finding | None:
    """One label that has many times the rows of another; rows of the rarer ones are listed."""
    most, top = counts.most_common(1)[0]
    scarce = {number for number, count in counts.items() if count * IMBALANCE < top and count >= FEWEST}
    if not scarce:
        return None
    hit = [at for at, number in enumerate(of_row) if number in scarce]
    ratio = top / min(counts[number] for number in scarce)
    title = f"{counted(len(scarce), 'label', 'labels')} with far fewer rows than the largest"
    text = (
        f"“{spelled[most][:40]}” has {rows_of(top)}, {ratio:.0f} times as many as the rarest. "
        "The model will lean towards it. Add rows to the rarer ones."
    )
    return Finding(KEY, title, text, tuple(hit), "warn")
