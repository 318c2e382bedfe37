"""How long the rows of a data set are, in tokens: what memory and time of a run follow from."""

from __future__ import annotations

import math
import statistics
from bisect import bisect_right
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

LEARNED_SHARE = 0.5  # of the tokens, where nobody counted: the answers; the rest is only read


@dataclass(frozen=True)
class RowSizes:
    """How many rows there are, and how many tokens they have: on average, at most, and shared by all at their start.

    `lengths`: tokens of all rows or of a fair sample of them, in any order; empty where only the mean is known.
    `learned_share`: of the tokens, those that are learned.
    """

    rows: int
    validation_rows: int
    mean_tokens: float
    longest_tokens: int
    shared_tokens: int = 0
    lengths: tuple[int, ...] = ()
    learned_share: float = LEARNED_SHARE

    @cached_property
    def ordered(self) -> list[int]:
        """`lengths`, shortest first."""
        return sorted(self.lengths)

    @cached_property
    def spread(self) -> float | None:
        """Standard deviation of the lengths; None where they are not known."""
        return statistics.pstdev(self.lengths) if self.lengths else None

    def percentile_tokens(self, share: float) -> int:
        """Tokens that at least `share` of the rows do not exceed; the longest row's where lengths are not known."""
        if not self.lengths:
            return self.longest_tokens
        return self.ordered[min(len(self.ordered) - 1, max(0, math.ceil(share * len(self.ordered)) - 1))]

    def cut_rows(self, tokens: int) -> int:
        """About how many training rows are longer than `tokens`."""
        if not self.lengths:
            return 0 if self.longest_tokens <= tokens else self.rows
        return round(self.rows * (1 - bisect_right(self.ordered, tokens) / len(self.ordered)))

    def cut(self, tokens: int) -> Self:
        """The sizes after every row is cut to at most `tokens`. Rows that no cut can make fit count as cut ones."""
        if self.longest_tokens <= tokens:
            return self
        lengths = tuple(min(length, tokens) for length in self.lengths)
        mean = sum(lengths) / len(lengths) if lengths else min(self.mean_tokens, tokens)
        return replace(
            self, mean_tokens=mean, longest_tokens=tokens, shared_tokens=min(self.shared_tokens, tokens), lengths=lengths
        )

    def tokens_together(self, rows: int, draws: int) -> int:
        """About the most tokens that `rows` rows have together in any of `draws` random draws, the shared ones counted once.

        The mean plus sqrt(2 ln draws) standard deviations of the sum, which is where the greatest of so many normal values
        lies (Cramer, Mathematical Methods of Statistics, 28.6); at least the longest row among average ones. Without lengths
        every row counts as the longest.
        """
        shared = min(self.shared_tokens, self.longest_tokens) if rows > 1 else 0
        longest, mean = self.longest_tokens - shared, max(0.0, self.mean_tokens - shared)
        if self.spread is None:
            return shared + rows * longest
        usual = rows * mean + self.spread * math.sqrt(rows * 2 * math.log(max(1, draws)))
        return shared + round(min(rows * longest, max(usual, longest + (rows - 1) * mean)))
