"""Rows kept aside: how many, which, and always the same ones."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from studio.data.edits import Edit, apply
from studio.data.split import MOST_KEPT_ASIDE, assign, carry_over, digests
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


def sides_after(base: list[Example], *changes: dict[int, Example | None], validation: float = 0.1) -> dict[int, str]:
    """Side of each row by its id, after some edits."""
    edited = apply(base, [Edit("x", change) for change in changes])
    sides, said = assign(base, validation=validation), digests(base)
    found = carry_over(edited, sides, said, seed=42, validation=validation)
    return dict(zip(edited.ids, found, strict=True))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.dictionaries(st.integers(0, 45), st.sampled_from([None, *rows(3), *map(Example, [()] * 3, "ABC")]), max_size=5),
        max_size=5,
    )
)
def test_rows_that_were_not_changed_stay_on_their_side(changes: list[dict[int, Example | None]]) -> None:
    base = rows(40)
    before, after = sides_after(base), sides_after(base, *changes)
    touched = {row for change in changes for row in change}
    if "validation" in {before[row] for row in before.keys() - touched}:
        assert all(after[row] == before[row] for row in before.keys() - touched)
    edited = apply(base, [Edit("x", change) for change in changes])
    said: dict[int, set[str]] = {}
    for row, number in zip(edited.ids, digests(edited), strict=True):
        said.setdefault(number, set()).add(after[row])
    assert all(len(sides) == 1 for sides in said.values())


def test_a_row_that_now_says_the_same_as_another_goes_to_its_side() -> None:
    base = rows(40)
    before = sides_after(base)
    aside = next(row for row, side in before.items() if side == "validation")
    learned = next(row for row, side in before.items() if side == "train")
    assert sides_after(base, {learned: base[aside], 40: base[aside]})[learned] == "validation"
    assert sides_after(base, {learned: base[aside], 40: base[aside]})[40] == "validation"
    assert sides_after(base, {aside: base[learned]})[aside] == "train"
    assert sides_after(base, {aside: pair("New", "new")})[aside] == "validation"


def test_added_rows_keep_the_share_and_their_sides() -> None:
    base = rows(40)
    added = {40 + number: pair(f"New {number}", "x") for number in range(60)}
    after = sides_after(base, added)
    assert Counter(after.values()) == {"train": 90, "validation": 10}
    fewer = sides_after(base, added, {55: None, 3: None})
    assert all(after[row] == side for row, side in fewer.items())
    assert Counter(sides_after(rows(3), {3: pair("a", "b"), 4: pair("c", "d")}).values()) == {"train": 4, "validation": 1}
    assert set(sides_after(base, added, validation=0.0).values()) == {"train"}


def test_an_empty_side_is_filled_again() -> None:
    base = rows(20)
    aside = [row for row, side in sides_after(base).items() if side == "validation"]
    assert Counter(sides_after(base, dict.fromkeys(aside)).values()) == {"train": 16, "validation": 2}
    learned = [row for row, side in sides_after(base, validation=0.5).items() if side == "train"]
    assert "train" in sides_after(base, dict.fromkeys(learned), validation=0.5).values()
    assert sides_after(base, dict.fromkeys(range(20))) == {}
