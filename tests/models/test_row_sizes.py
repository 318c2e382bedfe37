"""Sizes of rows: percentiles, cuts, and how many tokens come together in the fullest of many draws."""

from __future__ import annotations

import random

import pytest

from studio.models.row_sizes import RowSizes

LENGTHS = tuple(random.Random(1).choices(range(30, 80), k=190)) + (400,) * 10
SIZES = RowSizes(1000, 50, sum(LENGTHS) / len(LENGTHS), 400, 24, LENGTHS)


def test_percentiles_and_cuts_come_from_the_lengths() -> None:
    assert SIZES.percentile_tokens(0.95) < 80 and SIZES.percentile_tokens(1) == 400
    assert SIZES.cut_rows(100) == 50  # 10 of 200, of a thousand rows
    assert SIZES.cut_rows(400) == 0
    cut = SIZES.cut(100)
    assert cut.longest_tokens == 100 and cut.mean_tokens == pytest.approx(sum(min(100, n) for n in LENGTHS) / 200)
    assert SIZES.cut(400) is SIZES


def test_without_lengths_the_longest_row_stands_for_all() -> None:
    bare = RowSizes(10, 0, 60.0, 100)
    assert bare.percentile_tokens(0.5) == 100 and bare.cut_rows(90) == 10 and bare.cut_rows(100) == 0
    assert bare.tokens_together(4, 20) == 400


def test_the_fullest_draw_is_foreseen() -> None:
    source, fullest = random.Random(3), []
    for _ in range(40):
        draws = [sum(length - 24 for length in source.sample(LENGTHS, 8)) + 24 for _ in range(100)]
        fullest.append(max(draws))
    usual = sorted(fullest)[20]
    assert SIZES.tokens_together(8, 100) == pytest.approx(usual, rel=0.25)
    same = RowSizes(100, 0, 64.0, 64, 24, (64,) * 20)
    assert same.tokens_together(8, 100) == 24 + 8 * 40
    assert same.tokens_together(1, 100) == 64
