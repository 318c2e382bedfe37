"""The difference of one row in words."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from studio.data.differ import Part, describe, spans
from studio.records import Example


def chat(*turns: tuple[str, str]) -> Example:
    return Example(messages=tuple({"role": role, "content": content} for role, content in turns))


def test_changed_words_are_named_in_reading_order() -> None:
    assert spans("We open at nine.", "We open at seven, daily.") == (
        ("kept", "We open at "),
        ("removed", "nine"),
        ("added", "seven, daily"),
        ("kept", "."),
    )


def test_languages_without_spaces_differ_by_letters() -> None:
    assert spans("営業時間は九時です", "営業時間は七時です") == (
        ("kept", "営業時間は"),
        ("removed", "九"),
        ("added", "七"),
        ("kept", "時です"),
    )


@settings(max_examples=200, deadline=None)
@given(st.text("ab c.\n営é1_\u0301", max_size=40), st.text("ab c.\n営é1_\u0301", max_size=40))
def test_the_spans_give_both_texts_back(before: str, after: str) -> None:
    found = spans(before, after)
    assert "".join(text for kind, text in found if kind != "added") == before
    assert "".join(text for kind, text in found if kind != "removed") == after
    assert all(text for _, text in found)
    if before == after:
        assert not Part("user", found).changed


def test_turns_that_come_and_go() -> None:
    old = chat(("user", "Hi"), ("assistant", "Hello"))
    new = chat(("system", "Be kind."), ("user", "Hi"), ("assistant", "Hello there"))
    assert describe(old, new) == (
        Part("system", (("added", "Be kind."),)),
        Part("user", (("kept", "Hi"),)),
        Part("assistant", (("kept", "Hello"), ("added", " there"))),
    )
    assert [(part.role, part.spans[0][0]) for part in describe(old, None)] == [("user", "removed"), ("assistant", "removed")]
    assert describe(None, Example(text="New")) == (Part("text", (("added", "New"),)),)
    assert describe(None, None) == ()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("a b " * 100_000, "b a " * 100_000),
        ("x " * 1499 + "y", "y " + "x " * 1499),
        ("".join(f"{number % 37} " for number in range(1499)), "".join(f"{number % 41} " for number in range(1499))),
        ("a", "<" * 1_000_000),
    ],
)
def test_no_pair_of_texts_takes_long(before: str, after: str) -> None:
    begin = time.perf_counter()
    found = spans(before, after)
    assert time.perf_counter() - begin < 3
    assert "".join(text for kind, text in found if kind != "added") == before


def test_a_long_chat_takes_no_time() -> None:
    old = chat(*[("user" if turn % 2 else "assistant", f"turn {turn}") for turn in range(4000)])
    begin = time.perf_counter()
    assert len(describe(old, chat(("system", "x"), *[(item["role"], item["content"]) for item in old.messages]))) >= 4001
    assert not any(part.changed for part in describe(old, old))
    assert time.perf_counter() - begin < 3
