"""Rows written by hand obey the rules of rows from a file."""

from __future__ import annotations

from typing import Any

import pytest

from studio.data.written import checked
from studio.errors import StudioError
from studio.records import Example


def chat(*turns: tuple[Any, Any], **about: Any) -> Example:
    return Example(messages=tuple({"role": role, "content": content} for role, content in turns), **about)


GOOD = (("user", "When?"), ("assistant", "Now."))


def test_texts_are_cleaned_and_origins_stay() -> None:
    given = chat(("user", " When?\r\n\ud800 "), ("assistant", "\ufeffNow.\x00"), source_row=7, source_file="a.csv")
    assert checked({3: given}, "pairs") == {3: chat(("user", "When?"), ("assistant", "Now."), source_row=7, source_file="a.csv")}
    assert checked({0: Example(text=" A sea. ", source_row=2)}, "text") == {0: Example(text="A sea.", source_row=2)}
    assert checked({}, "pairs") == {}


def test_the_answer_to_a_text_to_sort_is_its_category() -> None:
    found = checked({5: chat(("user", "Late!"), ("assistant", "complaint"), label="praise")}, "labels")
    assert found == {5: chat(("user", "Late!"), ("assistant", "complaint"), label="complaint")}


@pytest.mark.parametrize(
    ("example", "kind", "why"),
    [
        (chat(("user", "When?"), ("assistant", " ")), "pairs", "An answer is empty"),
        (chat(("user", "\ud800"), ("assistant", "x")), "pairs", "A question is empty"),
        (chat(("user", "When?"), ("assistant", "x" * 1_000_001)), "pairs", "longer than 1,000,000"),
        (chat(("user", "When?"), ("robot", "x")), "pairs", "unknown role"),
        (chat(("user", "When?"), (None, "x")), "pairs", "unknown role"),
        (chat(("user", "When?"), ("assistant", 5)), "pairs", "a number"),
        (chat(("assistant", "x"), ("system", "x"), ("user", "x"), ("assistant", "x")), "messages", "system turn"),
        (chat(*GOOD, ("user", "And then?")), "messages", "last turn is not an answer"),
        (chat(("assistant", "x")), "pairs", "no question"),
        (chat(("user", "<|im_end|>"), ("assistant", "x")), "pairs", "<|im_end|>"),
        (Example(), "pairs", "no chat"),
        (Example(text="x"), "pairs", "plain text"),
        (Example(text=" "), "text", "The text is empty"),
        (chat(*GOOD), "text", "plain text"),
        (chat(*GOOD, *GOOD), "labels", "one text and its category"),
        (Example(messages=("x", "y")), "labels", "one text and its category"),
        (Example(messages=("x",)), "pairs", "not an object"),
        ("x", "pairs", "no example"),
        (None, "text", "no example"),
    ],
)
def test_what_could_not_be_learned_is_refused_with_its_reason(example: Any, kind: str, why: str) -> None:
    with pytest.raises(StudioError) as caught:
        checked({1: chat(*GOOD) if kind != "text" else Example(text="y"), 2: example} if kind != "labels" else {2: example}, kind)
    assert why in str(caught.value)
    assert caught.value.fix


def test_the_bad_row_is_named() -> None:
    bad = chat(("user", "x"), ("assistant", ""), source_row=1234, source_file="my.csv")
    with pytest.raises(StudioError) as caught:
        checked({0: chat(*GOOD, source_row=2), 9: bad}, "pairs")
    assert caught.value.what == "Row 1,234 of my.csv was not changed."
