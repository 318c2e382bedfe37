"""Passages: cut at headings and paragraphs, never longer than asked, nothing lost, nothing reordered."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from studio.data.passages import Block, Passage, split
from studio.errors import StudioError

WORDS = st.text("ab。. \n?é界", max_size=300)
TEXTS = st.builds(Block, WORDS, st.just(0), st.integers(1, 9))
HEADINGS = st.builds(Block, st.text("H", max_size=9), st.integers(1, 3), st.integers(1, 9))
BLOCKS = st.lists(TEXTS | HEADINGS, max_size=12)


def squeezed(texts: list[str]) -> str:
    return "".join("".join(texts).split())


@pytest.mark.long
@settings(deadline=None, max_examples=300)
@given(BLOCKS, st.integers(50, 120), st.integers(0, 25))
def test_no_word_is_lost_and_no_passage_is_too_long(blocks: list[Block], longest: int, overlap: int) -> None:
    found = split(blocks, longest, overlap)
    assert all(0 < len(passage.text) <= longest and passage.text.strip() for passage in found)
    assert all(passage.repeated <= overlap and passage.repeated < len(passage.text) for passage in found)
    new = squeezed([passage.text[passage.repeated :] for passage in found])
    assert new.replace("H", "") == squeezed([block.text for block in blocks if not block.level])


def test_headings_make_a_path_and_an_empty_one_ends_it() -> None:
    blocks = [
        Block("Top", 1, 1),
        Block("a", 0, 2),
        Block("Deep", 3, 3),
        Block("b", 0, 4),
        Block("Middle", 2, 5),
        Block("c", 0, 6),
        Block("", 2, 7),
        Block("d", 0, 8),
        Block("Other", 1, 9),
    ]
    assert split(blocks) == [
        Passage("Top", "a", 2),
        Passage("Top > Deep", "b", 4),
        Passage("Top > Middle", "c", 6),
        Passage("Top", "d", 8),
        Passage("", "Other", 9),
    ]


def test_a_heading_with_nothing_below_it_stays_as_text() -> None:
    blocks = [Block("A", 1, 1), Block("B", 2, 2), Block("C", 2, 3), Block("D", 1, 4)]
    assert [(passage.heading, passage.text) for passage in split(blocks)] == [("A", "B"), ("A", "C"), ("", "D")]


def test_paragraphs_are_kept_whole_where_they_fit_and_cut_at_sentences_where_not() -> None:
    assert [passage.text for passage in split("one\n\ntwo\n\nthree", 50)] == ["one\n\ntwo\n\nthree"]
    long = "The first sentence is here. The second one follows it! And a third one?"
    assert [passage.text for passage in split(f"short\n\n{long}", 60)] == [
        "short",
        "The first sentence is here. The second one follows it!",
        "And a third one?",
    ]
    assert [len(passage.text) for passage in split("x" * 120, 50)] == [50, 50, 20]


def test_an_overlap_repeats_whole_words_inside_a_section_only() -> None:
    blocks = [
        Block("alpha beta gamma delta epsilon zeta eta theta iota kappa lambda", 0, 3),
        Block("New", 1, 4),
        Block("mu", 0, 5),
    ]
    first, second, third = split(blocks, 50, 12)
    assert first.text == "alpha beta gamma delta epsilon zeta" and first.repeated == 0
    assert second.text == "epsilon zeta eta theta iota kappa lambda"
    assert second.repeated == len("epsilon zeta") and (third.text, third.repeated) == ("mu", 0)


@pytest.mark.parametrize(("longest", "overlap"), [(49, 0), (0, 0), (100, 51), (100, -1)])
def test_lengths_that_cannot_be_are_refused(longest: int, overlap: int) -> None:
    with pytest.raises(StudioError, match="at most half"):
        split("text", longest, overlap)


def test_a_long_book_takes_no_time() -> None:
    blocks = [Block("word " * 300, 0, number) for number in range(3000)]
    assert len(split([*blocks, Block("y" * 2_000_000)], overlap=100)) > 3000
