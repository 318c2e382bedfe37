"""What the rows say about the learning ahead: their lengths, their labels, facts or style, and whether they suffice.

Plain records for the page; nothing here changes a row.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from studio.data.split import meaning, plain
from studio.records import Example, Record

BINS = 24
FEWEST_TO_JUDGE = 10  # rows; from fewer nothing can be said about variety
FACTS_BELOW, STYLE_ABOVE = 0.5, 0.9


@dataclass(frozen=True)
class Lengths(Record):
    """A histogram of tokens a row.

    `edges` (bins + 1 tokens, rising; a bin holds its left edge and not its right one), `counts` (rows in each bin), `cut` (the
    most tokens that are learned of a row, 0 where there is no limit), `rows_cut` and `tokens_cut` (what is beyond it), and both
    as shares from 0 to 1.
    """

    edges: tuple[float, ...] = ()
    counts: tuple[int, ...] = ()
    cut: int = 0
    rows_cut: int = 0
    tokens_cut: int = 0
    share_of_rows: float = 0.0
    share_of_tokens: float = 0.0


@dataclass(frozen=True)
class Variety(Record):
    """How varied the answers are. `share` is different answers a row, from 0 to 1; None when there are too few rows."""

    kind: Literal["facts", "style", "both", "unknown"] = "unknown"
    share: float | None = None
    text: str = ""


@dataclass(frozen=True)
class Needed(Record):
    """How many different rows a goal wants. With `per_label` the numbers are for each label. `source` says whose they are."""

    fewest: int
    good: int
    source: str
    per_label: bool = False


@dataclass(frozen=True)
class Amount(Record):
    """How many different training rows there are (of the rarest label where `of_label`), beside what is needed."""

    rows: int
    needed: Needed
    enough: bool
    text: str
    of_label: bool = False


GUIDE = "OpenAI's fine-tuning guide sees clear gains with 50 to 100 good examples."
NEEDED = {
    "questions": Needed(50, 100, f"{GUIDE} Our own trial learned 20 facts from 80 rows."),
    "voice": Needed(50, 1000, f"{GUIDE} LIMA (arXiv:2305.11206) taught a style with 1,000 varied rows."),
    "sorting": Needed(8, 64, "SetFit (arXiv:2209.11055) sorts well from 8 rows a label and better from 64.", per_label=True),
    "format": Needed(50, 100, GUIDE),
}
"""Goal -> how many rows it wants."""


def length_histogram(lengths: Sequence[int], max_length: int = 0, bins: int = BINS) -> Lengths:
    """Bins of equal width over tokens a row, from 0 to the longest row. Empty without rows.

    Args:
        lengths: Tokens of each row.
        max_length: The most that are learned of a row; 0 for no limit.
    """
    if not len(lengths):
        return Lengths(cut=max_length)
    tokens = np.asarray(lengths, np.int64)
    top = int(tokens.max()) + 1
    counts, edges = np.histogram(tokens, min(bins, top), (0, top))
    over = np.maximum(tokens - max_length, 0) if max_length else np.zeros_like(tokens)
    rows_cut, tokens_cut = int((over > 0).sum()), int(over.sum())
    return Lengths(
        edges=tuple(edges.tolist()),
        counts=tuple(counts.tolist()),
        cut=max_length,
        rows_cut=rows_cut,
        tokens_cut=tokens_cut,
        share_of_rows=rows_cut / len(tokens),
        share_of_tokens=tokens_cut / max(1, int(tokens.sum())),
    )


def label_counts(rows: Sequence[Example]) -> tuple[tuple[str, int], ...]:
    """Labels with their rows, most rows first and then by name; rows without a label are not counted."""
    counts = Counter(row.label for row in rows if row.label)
    return tuple(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def variety(rows: Sequence[Example]) -> Variety:
    """Whether the answers repeat, as facts in many wordings do, or vary, as a style needs.

    Facts that are told once are hardly learned, while many wordings make them known (Z. Allen-Zhu and Y. Li, Physics of Language
    Models 3.1, arXiv:2309.14316). For a style the variety of the rows counts for more than their number (LIMA, arXiv:2305.11206,
    section 5). The borders, 0.5 (each answer twice) and 0.9, are our own.
    """
    answers: set[int] = set()
    count = 0
    for row in rows:
        if row.messages and not row.label:
            count += 1
            answers.add(hash(plain("\n".join(turn["content"] for turn in row.messages if turn["role"] == "assistant"))))
    if count < FEWEST_TO_JUDGE:
        return Variety()
    share = len(answers) / count
    told = f"{count:,} rows hold {len(answers):,} different answers."
    if share <= FACTS_BELOW:
        return Variety("facts", share, f"{told} This suits facts: each is asked for in several wordings.")
    if share >= STYLE_ABOVE:
        text = f"{told} This suits a style. Facts should be asked for in several wordings, with the same answer."
        return Variety("style", share, text)
    return Variety("both", share, f"{told} Some answers come again. Facts want more wordings, a style more variety.")


def amount(rows: Sequence[Example], goal: str, splits: Sequence[str] = ()) -> Amount:
    """Whether the training rows suffice for the goal. Copies count once. Keeps a 64-bit hash a row.

    Args:
        splits: The split of each row; empty takes all rows for training rows.
    """
    needed = NEEDED.get(goal, NEEDED["questions"])
    seen: set[int] = set()
    of_label: Counter[str] = Counter()
    for at, row in enumerate(rows):
        if not splits or splits[at] == "train":
            key = hash(meaning(row))
            if key not in seen:
                seen.add(key)
                of_label[row.label] += 1
    labelled = needed.per_label and set(of_label) != {""}
    del of_label[""]
    have = min(of_label.values(), default=0) if labelled else len(seen)
    fewest = needed.fewest if labelled or not needed.per_label else 2 * needed.fewest  # two labels at the least
    noun = "different rows of the rarest label" if labelled else "different rows"
    text = f"{have:,} {noun} to learn from. {fewest:,} are the least, {needed.good:,} are good. {needed.source}"
    return Amount(have, needed, have >= fewest, text, labelled)
