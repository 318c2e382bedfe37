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
    of_row = array("q", (names.setdefault(label_of(row, about.goal), len(names)) for row in rows))
    spelled = list(names)
    counts = Counter({spelled[number]: count for number, count in Counter(of_row).items() if spelled[number]})
    if not counts:
        return []
    usual = usual_spellings(counts)
    unified: Counter[str] = Counter()
    for label, count in counts.items():
        unified[usual[plain(label)]] += count
    as_written = [spelled[number] for number in of_row]  # the same few texts again and again
    meant = {label: usual[plain(label)] if label else "" for label in spelled}
    as_meant = [meant[label] for label in as_written]
    found = [unlike_spellings(as_written, as_meant), rare(as_meant, unified), uneven(as_meant, unified)]
    return [finding for finding in found if finding]


def mend(rows: Sequence[Example], finding: Finding, remedy: str) -> Changes:
    """Take rows of rare labels out, or write each label as it is written most often."""
    if known(finding, remedy) == "take_out":
        return dict.fromkeys(finding.rows)
    goal = "" if all(rows[at].label for at in finding.rows) else "sorting"  # where an answer was taken for a label
    right = usual_spellings(Counter(label for row in rows if (label := label_of(row, goal))))
    return {at: spell(rows[at], right[plain(label_of(rows[at], goal))]) for at in finding.rows}


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


def unlike_spellings(as_written: Sequence[str], as_meant: Sequence[str]) -> Finding | None:
    """Labels that differ in case or white space only."""
    hit = [at for at, (label, usual) in enumerate(zip(as_written, as_meant, strict=True)) if label != usual]
    if not hit:
        return None
    changes = dict.fromkeys(f"“{as_written[at][:40]}” for “{as_meant[at][:40]}”" for at in hit)
    title = f"{rows_of(len(hit))} with a label spelled in another way"
    text = f"Only capitals or spaces differ: {', '.join(list(changes)[:3])}. The model would learn them as different labels."
    return Finding(KEY, title, text, tuple(hit), "warn", (UNIFY,))


def rare(labels: Sequence[str], counts: Counter[str]) -> Finding | None:
    """Labels with too few rows to be learned."""
    few = {label for label, count in counts.items() if count < FEWEST}
    if not few:
        return None
    hit = [at for at, label in enumerate(labels) if label in few]
    notes = Notes()
    for at in hit:
        notes[at] = f"“{labels[at][:40]}” has {rows_of(counts[labels[at]])}."
    title = f"{counted(len(few), 'label', 'labels')} with fewer than {FEWEST} rows"
    text = "A label needs several examples before it can be told from others. Add more, or take these out."
    return Finding(KEY, title, text, tuple(hit), "warn", (TAKE_OUT,), dict(notes))


def uneven(labels: Sequence[str], counts: Counter[str]) -> Finding | None:
    """One label that has many times the rows of another; rows of the rarer ones are listed."""
    most, top = counts.most_common(1)[0]
    scarce = {label for label, count in counts.items() if count * IMBALANCE < top and count >= FEWEST}
    if not scarce:
        return None
    hit = [at for at, label in enumerate(labels) if label in scarce]
    ratio = top / min(counts[label] for label in scarce)
    title = f"{counted(len(scarce), 'label', 'labels')} with far fewer rows than the largest"
    text = (
        f"“{most[:40]}” has {rows_of(top)}, {ratio:.0f} times as many as the rarest. "
        "The model will lean towards it. Add rows to the rarer ones."
    )
    return Finding(KEY, title, text, tuple(hit), "warn")
