"""Taking apart what a model wrote, and whether a passage bears it out."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.inference.pairs import GROUNDED, SURE, grounded, pairs_of

TWO = [("When do you open?", "At 7."), ("Who bakes?", "Mara bakes.")]

FORMS = {
    "labels": "Q: When do you open?\nA: At 7.\n\nQ: Who bakes?\nA: Mara bakes.",
    "bold labels": "Here they are:\n**Q1:** When do you open?\n**A1:** At 7.\n"
    "**Question 2:** Who bakes?\n**Answer 2:** Mara bakes.",
    "numbered labels": "1. Question: When do you open?\n   Answer: At 7.\n2. Question: Who bakes?\n   Answer: Mara bakes.",
    "json": json.dumps([{"question": q, "answer": a} for q, a in TWO]),
    "json in a fence": "Here:\n```json\n" + json.dumps({"pairs": [{"Q": q, "A": a} for q, a in TWO]}, indent=1) + "\n```\nDone.",
    "json lines": "\n".join(json.dumps({"question": q, "answer": a}) for q, a in TWO),
    "numbered": "1. When do you open? At 7.\n2. Who bakes?\nMara bakes.",
    "dotted": "- When do you open? – At 7.\n- Who bakes? – Mara bakes.",
}


@pytest.mark.parametrize("form", FORMS)
def test_pairs_are_found_in_every_form(form: str) -> None:
    assert pairs_of(FORMS[form]) == TWO


def test_nothing_is_made_up() -> None:
    assert pairs_of("") == []
    assert pairs_of("I am happy to help with that.") == []
    assert pairs_of("Q: When do you open?\nQ: Who bakes?") == []  # no answers
    assert pairs_of("A: At 7.") == []
    assert pairs_of('[{"question": "When?"}, {"answer": "At 7."}, {"question": 3, "answer": "x"}]') == []
    assert pairs_of("1. When do you open?") == []


def test_the_same_question_comes_once() -> None:
    assert pairs_of("Q: Who bakes?\nA: Mara.\nQ: who  bakes\nA: Somebody else.") == [("Who bakes?", "Mara.")]


def test_an_answer_keeps_its_lines_and_a_cut_json_its_whole_objects() -> None:
    assert pairs_of("Q: How?\nA: So:\n- one\n- two") == [("How?", "So:\n- one\n- two")]
    assert pairs_of(json.dumps([{"question": q, "answer": a} for q, a in TWO])[:-5]) == TWO[:1]


@given(st.text(max_size=400))
def test_any_reply_is_taken_apart_into_what_it_holds(reply: str) -> None:
    for question, answer in pairs_of(reply):
        assert question
        assert answer
        assert set(question + answer) <= set(reply) | {" ", "\n"} | set(json.dumps(reply))


@pytest.mark.parametrize(
    "reply", ["[" * 50_000, '{"a":' * 20_000, "Q:" * 40_000, "1. " * 30_000, "*" * 90_000, "Q: a\n" * 20_000]
)
def test_a_hostile_reply_costs_little(reply: str) -> None:
    assert pairs_of(reply) == []


PASSAGE = "The bakery opens at 6:40 on weekdays. Rye bread takes 18 hours and costs 4.80 euros. Mara bakes it."


@pytest.mark.parametrize(
    ("answer", "low", "high"),
    [
        ("Rye bread takes 18 hours.", 1, 1),
        ("It opens at 6:40 on weekdays.", 1, 1),
        ("Baking rye bread takes about 18 hours", GROUNDED, SURE),
        ("Rye bread takes 24 hours.", 0, 0),  # a number that is not there
        ("The florist sells tulips every Sunday.", 0, GROUNDED - 0.1),
        ("6:40", 1, 1),
        ("7:40", 0, 0),
        ("it", 1, 1),
        ("no", 0, 0),
        ("", 0, 0),
        ("!!!", 0, 0),
    ],
)
def test_an_answer_is_measured_against_its_passage(answer: str, low: float, high: float) -> None:
    assert low <= grounded(answer, PASSAGE) <= high


def test_scripts_without_spaces_are_measured_too() -> None:
    passage = "オープンソースのライセンスは、誰でも自由に使えることを保証します。"
    assert grounded("誰でも自由に使えます。", passage) >= GROUNDED
    assert grounded("明日は雨が降るでしょう。", passage) < GROUNDED


@given(st.text(alphabet=st.characters(categories=["L", "N", "P", "Z"]), min_size=1, max_size=80))
def test_the_share_is_a_share_and_a_copy_is_grounded(text: str) -> None:
    assert 0 <= grounded(text, PASSAGE) <= 1
    if any(char.isalpha() for char in text):
        assert grounded(text, text) == 1
