"""MinHash sketches of questions and answers: how alike two rows are, without comparing every pair.

A sketch estimates the Jaccard similarity of two sets of shingles (A. Broder, On the resemblance and containment of documents,
1997). Shingles are runs of 5 characters, which suits short rows and languages without spaces. A row has three sides that must
each be alike: the first paragraph of what is asked, the rest of it (a text to work on would drown the question), and the answer.
Of each of the 48 minima a side 8 bits are kept (b-bit minwise hashing, P. Li and A. C. König, arXiv:0910.3349).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from studio.data.checks.common import answered, asked, bare
from studio.records import Example

SHINGLE = 5
SIDES = 3
MINIMA = 48  # of each side
BANDS = 16  # of 3 minima a side: rows alike by 0.9 on every side share one in 0.9996 of cases
SEED = 42  # the same rows give the same findings
ALIKE = 0.8
"""Least similarity of every side. K. Lee et al., Deduplicating Training Data Makes Language Models Better,
arXiv:2107.06499, take 0.8, too."""

MOST_LETTERS = 20_000
"""Letters of a text that are looked at; rows that are longer and begin alike are compared by their hash as well."""

LETTERS_AT_ONCE = 2**20
"""Letters that are worked on together; each takes some 50 bytes meanwhile."""

NUMBER = re.compile(r"\d+")
MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)  # 2^64 / the golden ratio (Knuth, The Art of Computer Programming 3, 6.4)
SHIFT = np.uint64(29)


@dataclass(frozen=True)
class Sketches:
    """Sketches of rows.

    Attributes:
        minima: uint8 (rows, SIDES * MINIMA), one side after the other.
        bands: uint32 (rows, BANDS); rows that share one may be alike.
        exact: int64 (rows,); a hash of what must be equal in both: numbers, label, and what lies beyond the looked at letters.
    """

    minima: np.ndarray
    bands: np.ndarray
    exact: np.ndarray

    @classmethod
    def empty(cls, rows: int) -> Sketches:
        """Room for so many rows: 216 bytes each."""
        return cls(np.empty((rows, SIDES * MINIMA), np.uint8), np.empty((rows, BANDS), np.uint32), np.empty(rows, np.int64))

    def put(self, start: int, part: Sketches) -> None:
        """Write the sketches of further rows into the room from `start` on."""
        here = slice(start, start + len(part.exact))
        self.minima[here], self.bands[here], self.exact[here] = part.minima, part.bands, part.exact

    def first(self, count: int) -> Sketches:
        """The first rows, without a copy."""
        return Sketches(self.minima[:count], self.bands[:count], self.exact[:count])

    def alike(self, one: np.ndarray, others: Sketches, two: np.ndarray) -> np.ndarray:
        """Whether rows `one` of these are near-identical to rows `two` of the others, as bool (pairs,)."""
        same = self.minima[one] == others.minima[two]
        # two different minima share their 8 bits once in 256 times
        agree = (same.reshape(len(one), SIDES, MINIMA).mean(axis=2) - 1 / 256) * 256 / 255
        return (agree.min(axis=1) >= ALIKE) & (self.exact[one] == others.exact[two])


def sketch(batch: list[Example]) -> Sketches:
    """Sketches of some rows. Facts often differ in a number only, so rows with different numbers are never alike."""
    full = np.concatenate([minima_of(list(side)) for side in zip(*map(sides_of, batch), strict=True)], axis=1)
    parts = full.reshape(len(batch), SIDES, BANDS, MINIMA // BANDS).transpose(0, 2, 1, 3).reshape(len(batch), BANDS, -1)
    bands = mix(parts.astype(np.uint64)) >> np.uint64(32)
    exact = np.array([exact_of(row) for row in batch], np.int64)
    return Sketches(full.astype(np.uint8), bands.astype(np.uint32), exact)


def sides_of(row: Example) -> tuple[str, str, str]:
    """The three sides of a row, without regard to case, white space, and punctuation at the ends."""
    head, _, rest = asked(row)[:MOST_LETTERS].partition("\n\n")
    return bare(head), bare(rest), bare(answered(row)[:MOST_LETTERS])


def exact_of(row: Example) -> int:
    """A hash of `must_agree`: rows in which it differs are never alike, which is known before they are sketched."""
    return hash(must_agree(row))


def must_agree(row: Example) -> tuple[str, ...]:
    """What makes two rows different however alike they look: numbers, the label, and anything after the looked at letters."""
    question, answer = asked(row), answered(row)
    return *NUMBER.findall(question), "|", *NUMBER.findall(answer), row.label, question[MOST_LETTERS:], answer[MOST_LETTERS:]


def minima_of(texts: list[str]) -> np.ndarray:
    """uint32 (texts, MINIMA): the smallest hash of each text's shingles under every permutation."""
    import rensa  # noqa: PLC0415 - only for this check

    padded = [text.ljust(SHINGLE) for text in texts]
    lengths = np.array([len(text) for text in padded])
    if len(texts) > 1 and lengths.sum() > LETTERS_AT_ONCE:
        half = len(texts) // 2
        return np.concatenate([minima_of(texts[:half]), minima_of(texts[half:])])
    letters = np.frombuffer("".join(padded).encode("utf-32-le", "surrogatepass"), np.uint32).astype(np.uint64)
    runs = np.lib.stride_tricks.sliding_window_view(letters, SHINGLE)
    inside = np.ones(len(runs), bool)
    borders = np.cumsum(lengths)[:-1]
    for back in range(1, SHINGLE):  # shingles that reach into the next text
        inside[borders - back] = False
    offsets = np.concatenate([[0], np.cumsum(lengths - SHINGLE + 1)]).astype(np.uint64)
    matrix = rensa.RMinHash.digest_matrix_from_flat_token_hashes(mix(runs)[inside], offsets, MINIMA, SEED)
    return np.array(matrix.to_rows(), np.uint32).reshape(len(texts), MINIMA)


def mix(values: np.ndarray) -> np.ndarray:
    """uint64 (..., n) to one hash for each row of n."""
    mixed = np.zeros(values.shape[:-1], np.uint64)
    for column in range(values.shape[-1]):
        mixed = (mixed ^ values[..., column]) * MULTIPLIER
        mixed ^= mixed >> SHIFT
    return mixed
