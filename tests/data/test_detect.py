"""What the columns mean, from their names and from what is in them."""

from __future__ import annotations

from typing import Any

import pytest

from studio.data.convert import convert
from studio.data.detect import FORMATS, detect
from studio.data.read import read_pasted
from studio.data.readers.reading import Reading
from studio.errors import StudioError

QUESTIONS = [f"When do you open on day {index}?" for index in range(12)]
ANSWERS = [f"On day {index} we open early in the morning, at six, and close late in the evening." for index in range(12)]
LABELS = [("Delivery", "Returns", "Praise")[index % 3] for index in range(12)]
NUMBERS = [str(index) for index in range(12)]
LINKS = [f"https://example.org/{index}" for index in range(12)]


def table(**columns: list[Any]) -> Reading:
    rows = [dict(zip(columns, cells, strict=True)) for cells in zip(*columns.values(), strict=True)]
    return Reading("csv", tuple(columns), rows, list(range(2, len(rows) + 2)))


@pytest.mark.parametrize(
    ("names", "sure"),
    [
        (("question", "answer"), "certain"),
        (("Question", "Answer"), "certain"),
        (("customer_question", "our_reply"), "likely"),
        (("Customer question", "Agent answer"), "likely"),
        (("customerQuestion", "ourReply"), "likely"),
        (("q", "a"), "certain"),
        (("ask", "reply"), "certain"),
        (("prompt", "response"), "certain"),
        (("user", "assistant"), "certain"),
        (("input", "output"), "certain"),
        (("pregunta", "respuesta"), "certain"),
        (("Frage", "Antwort"), "certain"),
        (("質問", "回答"), "certain"),
        (("question:", "answer:"), "certain"),
    ],
)
@pytest.mark.parametrize("swapped", [False, True])
def test_pairs_by_name_in_any_order(names: tuple[str, str], sure: str, swapped: bool) -> None:
    columns = {names[0]: QUESTIONS, names[1]: ANSWERS}
    found = detect(table(id=NUMBERS, **(dict(reversed(columns.items())) if swapped else columns), link=LINKS))
    assert (found.format, found.columns, found.sure) == ("pairs", {"question": names[0], "answer": names[1]}, sure)
    assert names[0] in found.reason and found.reason.endswith(".")


def test_an_exact_name_beats_a_longer_one() -> None:
    found = detect(table(answer_html=ANSWERS, question=QUESTIONS, answer=ANSWERS, category=LABELS))
    assert found.columns == {"question": "question", "answer": "answer"}


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        (
            {"instruction": QUESTIONS, "input": NUMBERS, "output": ANSWERS},
            ("instruction", {"instruction": "instruction", "output": "output"}),
        ),
        (
            {"instruction": QUESTIONS, "input": ANSWERS, "output": ANSWERS},
            ("instruction", {"instruction": "instruction", "input": "input", "output": "output"}),
        ),
        (
            {"instruction": QUESTIONS, "input": [""] * 12, "response": ANSWERS},
            ("instruction", {"instruction": "instruction", "input": "input", "output": "response"}),
        ),
        (
            {"instruction": QUESTIONS, "context": ANSWERS, "response": ANSWERS, "category": LABELS},
            ("instruction", {"instruction": "instruction", "input": "context", "output": "response"}),
        ),
        (
            {"title": LABELS, "context": ANSWERS, "question": QUESTIONS, "answer": NUMBERS},
            ("instruction", {"instruction": "question", "input": "context", "output": "answer"}),
        ),
        ({"prompt": QUESTIONS, "completion": ANSWERS}, ("prompt", {"prompt": "prompt", "completion": "completion"})),
        ({"message": QUESTIONS, "category": LABELS}, ("labels", {"text": "message", "label": "category"})),
        ({"text": QUESTIONS, "label": [index % 2 for index in range(12)]}, ("labels", {"text": "text", "label": "label"})),
        (
            {"system": ["Be brief."] * 12, "question": QUESTIONS, "answer": ANSWERS},
            ("pairs", {"question": "question", "answer": "answer", "system": "system"}),
        ),
    ],
)
def test_other_formats_by_name(columns: dict[str, list[Any]], expected: tuple[str, dict[str, str]]) -> None:
    found = detect(table(**columns))
    assert (found.format, found.columns, found.sure) == (*expected, "certain")


def preference(answers: list[Any], **before: list[Any]) -> Reading:
    return table(**before, chosen=answers, rejected=answers[::-1])


TALK = [[{"role": "user", "content": text}] for text in QUESTIONS]
REPLIES = [[{"role": "assistant", "content": text}] for text in ANSWERS]
WHOLE = [[*asked, *answered] for asked, answered in zip(TALK, REPLIES, strict=True)]
SHARED = [[{"from": "human", "value": text}] for text in QUESTIONS]


@pytest.mark.parametrize(
    ("reading", "form", "columns"),
    [
        (preference(ANSWERS, prompt=QUESTIONS), "pairs", {"question": "prompt", "answer": "chosen"}),
        (preference(ANSWERS, question=QUESTIONS), "pairs", {"question": "question", "answer": "chosen"}),
        (
            preference(ANSWERS, instruction=QUESTIONS, input=[""] * 12),
            "instruction",
            {"instruction": "instruction", "input": "input", "output": "chosen"},
        ),
        (preference(REPLIES, prompt=TALK), "messages", {"messages": "prompt", "answer": "chosen"}),
        (preference(WHOLE, prompt=QUESTIONS), "messages", {"messages": "chosen"}),
        (preference(WHOLE, prompt=QUESTIONS, messages=WHOLE), "messages", {"messages": "chosen"}),
        (preference(WHOLE), "messages", {"messages": "chosen"}),
        (
            preference([{"from": "gpt", "value": text} for text in ANSWERS], conversations=SHARED),
            "sharegpt",
            {"conversations": "conversations", "answer": "chosen"},
        ),
        (preference(ANSWERS), "text", {"text": "chosen"}),
    ],
)
def test_of_two_answers_the_chosen_one_is_learned(reading: Reading, form: str, columns: dict[str, str]) -> None:
    found = detect(reading)
    assert (found.format, found.columns) == (form, columns)
    assert "chosen are learned; the rejected ones are not used" in found.reason
    done = convert(reading, found)
    assert len(done.examples) == 12
    whole = done.examples[0].text or done.examples[0].messages[-1]["content"]
    assert whole == ANSWERS[0]


@pytest.mark.parametrize(
    "names",
    [
        ("sentence1", "sentence2"),
        ("premise", "hypothesis"),
        ("question1", "question2"),
        ("question", "sentence"),
        ("text_a", "text_b"),
    ],
)
@pytest.mark.parametrize("label", [[n % 3 for n in range(12)], ["yes", "no"] * 6])
def test_two_texts_that_are_sorted_together(names: tuple[str, str], label: list[Any]) -> None:
    reading = table(idx=NUMBERS, **{names[0]: QUESTIONS, f"original_{names[0]}": QUESTIONS, names[1]: ANSWERS}, label=label)
    found = detect(reading)
    assert (found.format, found.sure) == ("labels", "certain")
    assert found.columns == {"text": names[0], "second": names[1], "label": "label"}
    example = convert(reading, found).examples[1]
    assert example.label == str(label[1]) and example.messages[0]["content"] == f"{QUESTIONS[1]}\n\n{ANSWERS[1]}"


def test_answers_marked_as_not_wanted_are_not_learned() -> None:
    reading = table(prompt=QUESTIONS, completion=ANSWERS, label=[True, False] * 6)
    found = detect(reading)
    assert found.columns == {"prompt": "prompt", "completion": "completion", "wanted": "label"}
    assert len(convert(reading, found).examples) == 6


def test_a_chat_as_prompt_and_completion() -> None:
    found = detect(table(prompt=TALK, completion=REPLIES))
    assert (found.format, found.columns) == ("messages", {"messages": "prompt", "answer": "completion"})


@pytest.mark.parametrize("order", [("one", "two"), ("two", "one")])
def test_the_longer_of_two_nameless_texts_is_the_answer(order: tuple[str, str]) -> None:
    columns = {"one": QUESTIONS, "two": ANSWERS}
    found = detect(table(number=NUMBERS, **{name: columns[name] for name in order}, link=LINKS))
    assert (found.format, found.columns, found.sure) == ("pairs", {"question": "one", "answer": "two"}, "likely")
    assert "longer" in found.reason


def test_few_short_values_are_categories() -> None:
    found = detect(table(one=LABELS, two=QUESTIONS))
    assert (found.format, found.columns, found.sure) == ("labels", {"text": "two", "label": "one"}, "likely")
    assert "3 different" in found.reason


def test_more_than_two_nameless_texts_are_a_guess() -> None:
    found = detect(table(one=QUESTIONS, two=ANSWERS, three=[f"note {index} of mine" for index in range(12)]))
    assert (found.sure, found.columns) == ("guess", {"question": "one", "answer": "two"})


def test_one_text_column_is_plain_text() -> None:
    assert detect(table(number=NUMBERS, body=ANSWERS)).format == "text"
    assert detect(read_pasted("Once upon a time, there was a bakery.\n\nIt was small.")).sure == "certain"


@pytest.mark.parametrize(
    ("turns", "expected"),
    [
        ([{"role": "user", "content": "Hi"}], ("messages", "messages")),
        ([{"from": "human", "value": "Hi"}], ("sharegpt", "conversations")),
    ],
)
def test_chats(turns: list[dict[str, str]], expected: tuple[str, str]) -> None:
    named = detect(table(id=NUMBERS, **{expected[1]: [turns] * 12}))
    assert (named.format, named.columns, named.sure) == (expected[0], {expected[1]: expected[1]}, "certain")
    other = detect(table(talk=[turns] * 12, system=["Be brief."] * 12, chosen=[turns[0]] * 12))
    assert other.columns == {expected[1]: "talk", "system": "system", "answer": "chosen"} and other.sure == "likely"


@pytest.mark.parametrize(
    "columns",
    [
        {"a1": NUMBERS, "b1": NUMBERS},
        {"link": LINKS},
        {"data": [[1, 2]] * 12},
        {"data": [{"x": 1}] * 12},
        {"empty": [""] * 12, "none": [None] * 12},
        {"id": [f"56beb4343aea{index}" for index in range(12)], "state": ["ready"] * 12},
    ],
)
def test_tables_without_text_are_refused(columns: dict[str, list[Any]]) -> None:
    with pytest.raises(StudioError, match="No column holds text"):
        detect(table(**columns))


def test_every_format_names_its_roles() -> None:
    for key, kind in FORMATS.items():
        assert kind.key == key and kind.required and kind.label
        assert len({role.key for role in kind.roles}) == len(kind.roles)
        assert set(kind.required) | set(kind.optional) == {role.key for role in kind.roles}
