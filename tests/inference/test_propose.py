"""Proposing pairs from a passage: what is asked, what is kept, what is dropped."""

from __future__ import annotations

from pathlib import Path

import pytest

from studio.errors import Busy, StudioError
from studio.inference.base import HOLDER, NOTE, BaseModel
from studio.inference.propose import GOALS, MOST, Proposed, propose, standing
from studio.models.catalog import ModelCatalog
from studio.models.lease import DeviceLease
from studio.workspace import Workspace
from tests.inference.documents import BREAD, Piece, Script

GOOD = "Q: How long does rye bread take?\nA: Rye bread takes 18 hours."
FALSE = "Q: What does the cake cost?\nA: The chocolate cake costs 12 francs."


def test_a_large_model_is_asked_once_and_what_the_passage_does_not_bear_out_is_dropped() -> None:
    source = Script([f"{GOOD}\n{FALSE}\nQ: Who bakes at night?\nA: Mara does all the baking, every night."])
    found = propose(source, BREAD, 5, "questions")
    assert [(item.question, item.grounded, item.sure) for item in found.proposals] == [
        ("How long does rye bread take?", 1.0, True),
        ("Who bakes at night?", 0.6, False),
    ]
    assert found.dropped == 1
    assert all(item.passage is BREAD for item in found.proposals)
    assert len(source.asked) == 1
    assert BREAD.text in source.asked[0][0]["content"]
    assert "5 questions" in source.asked[0][0]["content"]


def test_no_more_than_asked_for() -> None:
    reply = "\n".join(f"Q: Question {letter}?\nA: Rye bread takes 18 hours." for letter in "abcdef")
    assert len(propose(Script([reply]), BREAD, 2, "questions").proposals) == 2


def test_each_goal_asks_in_its_own_words() -> None:
    asked = set()
    for goal in GOALS:
        source = Script([GOOD])
        propose(source, BREAD, 1, goal)
        asked.add(source.asked[0][0]["content"])
    assert len(asked) == len(GOALS)


@pytest.mark.parametrize(("count", "goal"), [(1, "sorting"), (0, "questions"), (MOST + 1, "questions"), (True, "questions")])
def test_what_cannot_be_asked_for_is_refused(count: int, goal: str) -> None:
    with pytest.raises(StudioError, match="No examples were proposed"):
        propose(Script([GOOD]), BREAD, count, goal)


def test_signs_of_a_chat_template_reach_neither_model_nor_examples() -> None:
    source = Script([GOOD])
    assert propose(source, Piece("x", "Rye bread <|im_end|> takes 18 hours."), 1, "questions") == Proposed([])
    assert not source.asked
    assert propose(Script(["Q: How long?\nA: Rye bread takes 18 hours <|im_end|>"]), BREAD, 1, "questions") == Proposed([], 1)


def test_a_passage_without_words_is_not_asked_about() -> None:
    source = Script([GOOD])
    assert propose(source, Piece("", " \n -- 12 "), 3, "questions") == Proposed([])
    assert not source.asked


def test_sentences_that_lean_on_others_do_not_stand_alone() -> None:
    assert standing(BREAD.text) == [
        "Rye bread takes 18 hours and costs 4.80 euros.",
        "Mara bakes every night except on Sundays.",
        "Orders for large loaves must be placed two days before.",
    ]


def test_a_small_model_asks_and_the_sentence_answers_word_for_word() -> None:
    replies = [
        "How long does rye bread take? It takes",
        "What is the best way to pay?",  # says what is not there
        "When must orders for large loaves be placed",  # no question mark
    ]
    source = Script(replies, small=True)
    found = propose(source, BREAD, 3, "questions")
    assert [(item.question, item.answer) for item in found.proposals] == [
        ("How long does rye bread take?", "Rye bread takes 18 hours and costs 4.80 euros.")
    ]
    assert found.dropped == 2
    assert [messages[-1]["content"] for messages in source.asked] == [
        f"About: Our bread\nFact: {sentence}" for sentence in standing(BREAD.text)
    ]


def test_a_question_of_a_small_model_must_be_about_the_sentence() -> None:
    taken = {
        "Who bakes every night?": True,
        "What about Sundays?": False,  # mentioned in passing
        "Our bread?": False,  # the heading alone
        "Does Mara bake cakes?": False,
        "How?": False,
    }
    text = Piece("Our bread", "Mara bakes every night except on Sundays.")
    for question, expected in taken.items():
        assert bool(propose(Script([question], small=True), text, 1, "questions").proposals) is expected, question


def test_stop_ends_between_sentences() -> None:
    source = Script(["How long does rye bread take?"], small=True)
    propose(source, BREAD, 3, "questions", lambda: len(source.asked) == 1)
    assert len(source.asked) == 1


@pytest.mark.long
def test_the_base_model_holds_the_device_while_it_is_used(tiny_workspace: Workspace) -> None:
    lease, room = DeviceLease(tiny_workspace), []
    with BaseModel(ModelCatalog(tiny_workspace), lease, "tiny", lambda: room.append(1)) as source:
        assert (source.small, source.note, lease.holder(), room) == (True, NOTE, HOLDER, [1])
        assert isinstance(source.ask([{"role": "user", "content": "what is red"}], 4, lambda: False), str)
        propose(source, BREAD, 2, "questions")  # knows nothing; must not fail
        other = BaseModel(ModelCatalog(tiny_workspace), lease, "tiny")
        with pytest.raises(Busy), other:
            pass
    assert lease.holder() == ""


def test_the_device_is_free_after_a_model_that_cannot_be_loaded(tiny_workspace: Workspace, tmp_path: Path) -> None:
    lease = DeviceLease(tiny_workspace)
    source = BaseModel(ModelCatalog(tiny_workspace), lease, "starter")  # it is not here
    with pytest.raises(StudioError, match="not here yet"), source:
        pass
    assert lease.holder() == ""


@pytest.mark.slow
def test_the_starter_proposes_pairs_the_passage_bears_out(starter_workspace: Workspace) -> None:
    text = Piece(
        "Opening hours",
        "The bakery opens at 6:40 on weekdays and at 8:00 on Saturdays. A cover charge is a small sum that is added for the "
        "table. Vouchers can be used for a whole year after they were bought.",
    )
    with BaseModel(ModelCatalog(starter_workspace), DeviceLease(starter_workspace), "starter") as source:
        found = propose(source, text, 3, "questions")
    assert found.proposals
    for item in found.proposals:
        assert item.question.endswith("?")
        assert item.answer in text.text
        assert item.sure
