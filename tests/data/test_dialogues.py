"""Chats between people: who speaks, who is learned, and which chats cannot be learned from."""

from __future__ import annotations

from typing import Any

import pytest

from studio.data.convert import convert
from studio.data.detect import Choices, Mapping, detect
from studio.data.dialogues import count_speakers, guess_me
from studio.data.formats import choices_of
from studio.data.readers.reading import Reading
from studio.errors import StudioError

TALK = [["customer", "Hi"], ["agent", "Hello."], ["customer", "Return?"], ["action", "Record pulled up."], ["agent", "Yes."]]


def reading_of(*chats: Any, **more: Any) -> Reading:
    rows = [{"id": number, "talk": chat, **more} for number, chat in enumerate(chats, start=1)]
    return Reading("json", tuple(rows[0]), rows, list(range(1, len(rows) + 1)))


def converted(*turns: Any, choices: Choices, **more: Any) -> Any:
    reading = reading_of(list(turns), **more)
    columns = {"turns": "talk"} | ({"system": "system"} if more else {})
    found = convert(reading, Mapping("dialogue", columns, choices=choices))
    return (found.examples or found.left_out)[0]


def said(example: Any) -> list[tuple[str, str]]:
    return [(message["role"], message["content"]) for message in example.messages]


@pytest.mark.parametrize(
    "talk",
    [
        TALK,
        [{"speaker": name, "text": text} for name, text in TALK],
        [{"author": name, "utterance": text, "turn": 1} for name, text in TALK],
    ],
)
def test_turns_of_several_forms_are_found(talk: Any) -> None:
    found = detect(reading_of(talk, talk))
    assert (found.format, found.columns, found.sure) == ("dialogue", {"turns": "talk"}, "likely")
    assert found.speakers == {"customer": 4, "agent": 4, "action": 2}
    assert (found.choices.me, found.choices.skip) == ("agent", ("action",))
    assert "learns to answer as “agent”. What “action” says is left out." in found.reason
    examples = convert(reading_of(talk), found).examples
    assert said(examples[0]) == [("user", "Hi"), ("assistant", "Hello."), ("user", "Return?"), ("assistant", "Yes.")]


def test_who_is_who_can_be_chosen() -> None:
    reading = reading_of(TALK)
    found = detect(reading, Choices(me="customer", skip=()))
    assert (found.choices.me, found.choices.skip) == ("customer", ())
    assert said(convert(reading, found).examples[0]) == [
        ("user", "agent: Hello."),
        ("assistant", "Return?"),
    ]
    assert detect(reading, Choices(me="nobody")).choices.me == "agent"
    assert detect(reading, Choices(me="customer")).choices.skip == ("action",)


@pytest.mark.parametrize(
    ("speakers", "me"),
    [
        ({"Anna": 3, "Ben": 9}, "Anna"),  # in order, most first
        ({"user": 9, "assistant": 8}, "assistant"),
        ({"Customer": 9, "Agent": 8}, "Agent"),
        ({"action": 9, "Anna": 8}, "Anna"),
        ({"action": 9}, "action"),
        ({}, ""),
    ],
)
def test_who_is_learned_unless_somebody_says(speakers: dict[str, int], me: str) -> None:
    assert guess_me(speakers) == me


def test_speakers_are_counted_most_first() -> None:
    assert list(count_speakers([TALK, [["agent", "x"]], None, 5]).items()) == [("agent", 3), ("customer", 2), ("action", 1)]


@pytest.mark.parametrize(
    ("turns", "expected"),
    [
        ([["me", "Hello?"], ["Anna", "Hi"], ["me", "Yes?"]], [("user", "Hi"), ("assistant", "Yes?")]),
        ([["Anna", "Hi"], ["me", "Yes?"], ["Anna", "Bye"]], [("user", "Hi"), ("assistant", "Yes?")]),
        ([["Anna", "Hi"], ["Anna", "You?"], ["me", "a"], ["me", "b"]], [("user", "Hi\nYou?"), ("assistant", "a\nb")]),
        ([["Anna", "Hi"], ["Ben", "Hey"], ["me", "Yes?"]], [("user", "Anna: Hi\nBen: Hey"), ("assistant", "Yes?")]),
        ([["Anna", "Hi"], ["me", " "], ["me", "Yes?"]], [("user", "Hi"), ("assistant", "Yes?")]),
    ],
)
def test_sides_are_joined_and_others_named_in_groups(turns: list[Any], expected: list[tuple[str, str]]) -> None:
    assert said(converted(*turns, choices=Choices(me="me"))) == expected


def test_what_it_is_told_first() -> None:
    found = converted(["Anna", "Hi"], ["me", "Yes?"], choices=Choices(me="me"), system="Be kind.")
    assert said(found)[0] == ("system", "Be kind.")


@pytest.mark.parametrize(
    ("turns", "reason"),
    [
        ([], "It holds no chat."),
        ([["Anna", " "], ["me", ""]], "It holds no chat."),
        ([5, "text", ["Anna"], {"text": "nobody"}], "It holds no chat."),
        ([["Anna", "Hi"], ["Ben", "Hey"]], "“me” says nothing in it."),
        ([["me", "Hi"], ["me", "Hey"]], "Nobody but “me” speaks in it."),
        ([["me", "Hi"], ["Anna", "Hey"]], "It has no turn of the assistant to learn from."),
        ([["Anna", 5], ["me", "Hey"]], "It holds a number where a text should be."),
        ([["Anna", "Hi<|im_end|>"], ["me", "Hey"]], "<|im_end|>"),
    ],
)
def test_chats_without_an_answer_are_left_out(turns: list[Any], reason: str) -> None:
    found = converted(*turns, choices=Choices(me="me"))
    assert reason in found.reason and found.row == 1


@pytest.mark.parametrize(
    "column",
    [
        [["When?", "Now."], ["Where?", "Here."], ["Who?", "Anna."]],
        [["a", 1], ["b", 2]],
        ["one", "two"],
        [{"role": "user", "content": "Hi"}],
        [{"x": 1}],
    ],
)
def test_other_lists_are_no_dialogues(column: Any) -> None:
    try:
        assert detect(reading_of(column)).format != "dialogue"
    except StudioError as error:
        assert "No column holds text" in error.what


def test_pairs_beside_a_question_and_an_answer_are_no_dialogue() -> None:
    rows = [{"tags": [["size", "L"], ["color", "red"]], "question": f"Which {n}?", "answer": f"This one {n}."} for n in range(9)]
    assert detect(Reading("json", ("tags", "question", "answer"), rows, list(range(9)))).format == "pairs"
    named = [{"dialogue": row["tags"], "question": "Which?", "answer": "This."} for row in rows]
    assert detect(Reading("json", ("dialogue", "question", "answer"), named, list(range(9)))).sure == "certain"


@pytest.mark.parametrize(
    "values", [{"me": 5}, {"skip": "agent"}, {"skip": [5]}, {"strip_template": "yes"}, {"other": 1}, {"tools_as_text": 1}]
)
def test_forged_choices_are_refused(values: dict[str, Any]) -> None:
    with pytest.raises(StudioError, match="cannot be"):
        choices_of(values)


def test_choices_are_written_and_read() -> None:
    mapping = Mapping("dialogue", {"turns": "talk"}, choices=Choices(me="Anna", skip=("action",), strip_template=True))
    kept = mapping.to_json()
    assert kept["choices"] == {"me": "Anna", "skip": ["action"], "strip_template": True}
    assert choices_of(kept["choices"]) == mapping.choices
    assert Mapping("text", {"text": "text"}).to_json() == {"format": "text", "columns": {"text": "text"}}
