"""What the rows say about the learning ahead."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.data.learning import NEEDED, Lengths, amount, label_counts, length_histogram, variety
from tests.data.checks.rows import fine, labelled, pair, prose


@given(st.lists(st.integers(0, 5000), min_size=1, max_size=200), st.integers(0, 3000))
def test_every_row_is_in_one_bin(lengths: list[int], most: int) -> None:
    found = length_histogram(lengths, most)
    assert sum(found.counts) == len(lengths)
    assert len(found.edges) == len(found.counts) + 1
    assert found.edges[0] == 0 and found.edges[-1] > max(lengths)
    over = [tokens - most for tokens in lengths if most and tokens > most]
    assert (found.cut, found.rows_cut, found.tokens_cut) == (most, len(over), sum(over))
    assert 0 <= found.share_of_rows <= 1 and 0 <= found.share_of_tokens <= 1
    assert Lengths.from_json(found.to_json()) == found


def test_the_share_that_is_cut() -> None:
    found = length_histogram([10, 20, 30, 40], 25, bins=4)
    assert found.counts == (1, 1, 1, 1)
    assert (found.rows_cut, found.tokens_cut, found.share_of_rows, found.share_of_tokens) == (2, 20, 0.5, 0.2)
    assert length_histogram([], 25) == Lengths(cut=25)


def test_labels_are_counted() -> None:
    rows = [labelled("a", "x"), labelled("b", "y"), labelled("c", "y"), labelled("d", "w"), pair("?", "!")]
    assert label_counts(rows) == (("y", 2), ("w", 1), ("x", 1))


def test_facts_or_style() -> None:
    facts = [pair(f"Wording {at}", f"Answer {at % 4}") for at in range(40)]
    assert (variety(facts).kind, variety(facts).share) == ("facts", 0.1)
    assert variety(fine(40)).kind == "style"
    assert variety([*facts[:10], *fine(10)]).kind == "both"
    assert "40 rows hold 4 different answers." in variety(facts).text
    for few in ([], fine(9), [prose("Text")] * 20, [labelled("a", "b")] * 20):
        assert (variety(few).kind, variety(few).share, variety(few).text) == ("unknown", None, "")


@pytest.mark.parametrize("goal", NEEDED)
def test_every_goal_has_numbers_with_a_source(goal: str) -> None:
    needed = NEEDED[goal]
    assert 0 < needed.fewest < needed.good and needed.source.endswith(".")
    few, many = fine(needed.fewest - 1), fine(60)
    assert not amount(few, goal).enough
    assert amount(many, goal).enough
    assert f"{needed.good:,}" in amount(many, goal).text


def test_copies_and_rows_kept_aside_do_not_count() -> None:
    rows = fine(60)
    assert amount(rows + rows, "questions").rows == 60
    assert amount(rows, "questions", ["train"] * 49 + ["test"] * 11).enough is False
    assert amount([labelled(f"t{at}", "ab"[at > 7]) for at in range(20)], "sorting").rows == 8
