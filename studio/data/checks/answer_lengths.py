"""Answers far longer or shorter than the rest.

The logarithm of the length is compared with the median in units of the median absolute deviation (MAD); beyond 3.5 a value is an
outlier (B. Iglewicz and D. C. Hoaglin, How to Detect and Handle Outliers, 1993: the modified z-score and its border). Both
hardly move when some rows are odd, and the logarithm makes lengths, which have a long tail, nearly symmetric.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Sequence

import numpy as np

from studio.data.checks.about import About
from studio.data.checks.common import TAKE_OUT, Notes, answered, label_of, rows_of, take_out
from studio.records import Example, Finding

KEY = "answer_lengths"
FEWEST = 20  # answers; the median of fewer says little
BORDER = 3.5
TO_SIGMA = 1.4826  # the MAD of a normal distribution times this is its standard deviation
LEAST_FACTOR = 4.0
"""Answers within this factor of the median are never odd, however much alike the others are."""


def find(rows: Sequence[Example], about: About) -> list[Finding]:
    """Rows whose answer has an odd length. Labels and plain prose have no length to speak of."""
    at, lengths = array("q"), array("d")
    for index, row in enumerate(rows):
        if row.messages and not label_of(row, about.goal):
            size = len(answered(row).strip())
            if size:
                at.append(index)
                lengths.append(math.log(size))
    logs = np.frombuffer(lengths) if lengths else np.empty(0)
    odd, median = outliers(logs)
    if not odd.any():
        return []
    hit = np.frombuffer(at, np.int64)[odd].tolist()
    notes = Notes()
    for index, size in zip(hit, np.exp(logs[odd]).round().astype(int).tolist(), strict=True):
        notes[index] = f"{size:,} characters long."
    title = f"{rows_of(len(hit))} with an answer far longer or shorter than the rest"
    text = (
        f"Half of the answers have more than {round(math.exp(median)):,} characters. Odd lengths are often cut or pasted texts."
    )
    return [Finding(KEY, title, text, tuple(hit), "info", (TAKE_OUT,), dict(notes))]


mend = take_out


def outliers(logs: np.ndarray) -> tuple[np.ndarray, float]:
    """Which of the logarithms are odd, as bool, and the median. Looks again without them until no further one is odd."""
    odd = np.zeros(len(logs), bool)
    median = 0.0
    while (~odd).sum() >= FEWEST:
        rest = logs[~odd]
        median = float(np.median(rest))
        spread = TO_SIGMA * float(np.median(np.abs(rest - median)))
        new = ~odd & (np.abs(logs - median) > max(BORDER * spread, math.log(LEAST_FACTOR)))
        if not new.any():
            break
        odd |= new
    return odd, median
