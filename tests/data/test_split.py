"""Rows kept aside: how many, which, and always the same ones."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from studio.data.split import MOST_KEPT_ASIDE, assign
from studio.records import Example


def pair(question: str, answer: str, label: str = "") -> Example:
    messages = ({"role": "user", "content": question}, {"role": "assistant", "content": answer})
    return Example(messages=messages, label=label)


def rows(count: int) -> list[Example]:
    return [pair(f"Question {index}", f"Answer {index}") for index in range(count)]


@pytest.mark.parametrize(
    ("count", "validation"), [(0, 0), (1, 0), (4, 0), (5, 1), (9, 1), (14, 1), (16, 2), (150, 15), (1999, 200), (5000, 200)]
)
def test_a_tenth_is_kept_aside(count: int, validation: int) -> None:
    sides = assign(rows(count))
    assert Counter(sides) == {
        side: number for side, number in (("train", count - validation), ("validation", validation)) if number
    }


def test_the_same_seed_gives_the_same_sides_and_another_seed_others() -> None:
    examples = rows(200)
    assert assign(examples) == assign(examples)
    assert assign(examples, seed=1) != assign(examples, seed=2)


def test_test_rows_are_apart_from_validation_rows() -> None:
    assert Counter(assign(rows(100), validation=0.1, test=0.2)) == {"train": 70, "validation": 10, "test": 20}
    assert Counter(assign(rows(5000), validation=0.1, test=0.2))["test"] == MOST_KEPT_ASIDE
    assert Counter(assign(rows(100), validation=0.0)) == {"train": 100}


def test_rows_that_say_the_same_stay_on_one_side() -> None:
    examples = [pair(f"Question {index // 3}" + " " * (index % 2), f"ANSWER {index // 3}".lower()) for index in range(90)]
    sides = assign(examples, test=0.1)
    for start in range(0, 90, 3):
        assert len(set(sides[start : start + 3])) == 1
    assert Counter(sides) == {"train": 72, "validation": 9, "test": 9}


def test_the_same_question_with_another_answer_may_be_on_both_sides() -> None:
    assert "validation" in assign([pair("Same?", f"Answer {index}") for index in range(20)])


def test_the_system_turn_does_not_tell_rows_apart() -> None:
    twins = [
        Example(messages=({"role": "system", "content": told}, *pair(f"Q{index}", "A").messages))
        for index in range(20)
        for told in ("One.", "Two.")
    ]
    sides = assign(twins)
    assert sides[::2] == sides[1::2] and "validation" in sides


def test_labels_keep_their_shares() -> None:
    examples = [pair(f"Text {index}", "x", "often" if index % 5 else "rare") for index in range(200)]
    kept = Counter(example.label for example, side in zip(examples, assign(examples), strict=True) if side == "validation")
    assert kept["rare"] in (3, 4, 5) and kept.total() == 20


def test_all_rows_equal_are_all_learned_from() -> None:
    assert set(assign([pair("Same?", "Same.")] * 30)) == {"train"}


def test_plain_texts_are_split_too() -> None:
    assert Counter(assign([Example(text=f"Passage {index}") for index in range(20)])) == {"train": 18, "validation": 2}


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.integers(0, 12), max_size=60),
    st.integers(0, 5),
    st.sampled_from([0.0, 0.1, 0.5, 0.9]),
    st.sampled_from([0.0, 0.3, 0.9]),
)
def test_something_is_always_left_to_learn_from(kinds: list[int], seed: int, validation: float, test: float) -> None:
    examples = [pair(f"Q{kind}", f"A{kind}", str(kind % 2)) for kind in kinds]
    sides = assign(examples, seed=seed, validation=validation, test=test)
    assert len(sides) == len(examples)
    assert not examples or "train" in sides
    by_kind: dict[int, set[str]] = {}
    for kind, side in zip(kinds, sides, strict=True):
        by_kind.setdefault(kind, set()).add(side)
    assert all(len(found) == 1 for found in by_kind.values())
    if len(examples) >= 5 and len(by_kind) > 2 and validation and not test:
        assert "validation" in sides
