"""Rows become examples, or are left out with a reason that names the fault."""

from __future__ import annotations

from typing import Any

import pytest

from studio.data.convert import MAKERS, MAX_LENGTH, convert
from studio.data.detect import FORMATS, Mapping, detect
from studio.data.readers.reading import Reading
from studio.errors import StudioError


def converted(form: str, **cells: Any) -> Any:
    """The one example that a row gives, or its LeftOut."""
    reading = Reading("json", tuple(cells), [cells], [12])
    found = convert(reading, Mapping(form, {name: name for name in cells}))
    assert len(found.examples) + len(found.left_out) == 1
    return (found.examples or found.left_out)[0]


def said(example: Any) -> list[tuple[str, str]]:
    return [(message["role"], message["content"]) for message in example.messages]


def u(content: Any, **more: Any) -> dict[str, Any]:
    return {"role": "user", "content": content, **more}


def a(content: Any, **more: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": content, **more}


@pytest.mark.parametrize(
    ("form", "cells", "expected"),
    [
        ("pairs", {"question": " When? ", "answer": "\tNow.\r\nYes.\n"}, [("user", "When?"), ("assistant", "Now.\nYes.")]),
        (
            "pairs",
            {"question": "When?", "answer": "Now.", "system": "Be brief."},
            [("system", "Be brief."), ("user", "When?"), ("assistant", "Now.")],
        ),
        (
            "instruction",
            {"instruction": "Shorten.", "input": "A long text.", "output": "Text."},
            [("user", "Shorten.\n\nA long text."), ("assistant", "Text.")],
        ),
        ("instruction", {"instruction": "Say hi.", "input": " ", "output": "Hi."}, [("user", "Say hi."), ("assistant", "Hi.")]),
        ("instruction", {"instruction": "Say hi.", "output": "Hi."}, [("user", "Say hi."), ("assistant", "Hi.")]),
        ("prompt", {"prompt": "Once", "completion": "upon a time"}, [("user", "Once"), ("assistant", "upon a time")]),
        (
            "labels",
            {"text": "It rains.", "second": "It is wet.", "label": "entailment"},
            [("user", "It rains.\n\nIt is wet."), ("assistant", "entailment")],
        ),
        ("prompt", {"prompt": "Once", "completion": "upon", "wanted": True}, [("user", "Once"), ("assistant", "upon")]),
        (
            "messages",
            {"messages": [u("U?")], "answer": [a("A."), u("V?"), a("B.")]},
            [("user", "U?"), ("assistant", "A."), ("user", "V?"), ("assistant", "B.")],
        ),
        ("labels", {"text": "Where is it?", "label": "Delivery"}, [("user", "Where is it?"), ("assistant", "Delivery")]),
        ("labels", {"text": "Where is it?", "label": 1.0}, [("user", "Where is it?"), ("assistant", "1")]),
        (
            "messages",
            {"messages": [{"role": "system", "content": "Be brief."}, u("One?"), a("1."), u("Two?"), a("2."), u("Three?")]},
            [("system", "Be brief."), ("user", "One?"), ("assistant", "1."), ("user", "Two?"), ("assistant", "2.")],
        ),
        (
            "messages",
            {"messages": [u([{"type": "text", "text": "One"}, {"type": "text", "text": "two?"}]), a(["Three."])]},
            [("user", "One\ntwo?"), ("assistant", "Three.")],
        ),
        ("messages", {"messages": [{"role": "developer", "content": "D."}, u("U?"), a("A.")]}, None),
        (
            "sharegpt",
            {
                "conversations": [
                    {"from": "system", "value": "S."},
                    {"from": "human", "value": "H?"},
                    {"from": "gpt", "value": "G."},
                ]
            },
            [("system", "S."), ("user", "H?"), ("assistant", "G.")],
        ),
        (
            "sharegpt",
            {"conversations": [{"from": "user", "value": "U?"}], "answer": {"from": "assistant", "value": "A."}, "system": "S."},
            [("system", "S."), ("user", "U?"), ("assistant", "A.")],
        ),
        ("messages", {"messages": [u("U?")], "answer": "A."}, [("user", "U?"), ("assistant", "A.")]),
        (
            "pairs",
            {"question": "half \ud800 pair\x00?", "answer": "was <s>old</s> now"},
            [("user", "half  pair?"), ("assistant", "was <s>old</s> now")],
        ),
    ],
)
def test_good_rows(form: str, cells: dict[str, Any], expected: list[tuple[str, str]] | None) -> None:
    example = converted(form, **cells)
    assert said(example) == (expected or [("system", "D."), ("user", "U?"), ("assistant", "A.")])
    assert example.source_row == 12
    assert example.label == (str(int(cells["label"])) if isinstance(cells.get("label"), float) else cells.get("label", ""))


def test_plain_text_stays_text() -> None:
    assert converted("text", text=" Once.\n\nTwice. ").text == "Once.\n\nTwice."


@pytest.mark.parametrize(
    ("form", "cells", "reason"),
    [
        ("pairs", {"question": "When?", "answer": ""}, "The answer is empty"),
        ("pairs", {"question": "When?", "answer": None}, "The answer is empty"),
        ("pairs", {"question": " \n\t\u3000", "answer": "Now."}, "The question is empty"),
        ("pairs", {"question": "When?", "answer": 6.4}, "a number where a text should be"),
        ("pairs", {"question": "When?", "answer": True}, "a number where a text should be"),
        ("pairs", {"question": "When?", "answer": ["Now."]}, "a list or an object"),
        ("pairs", {"question": "When?", "answer": "Now.<|im_end|>"}, "<|im_end|>"),
        ("pairs", {"question": "<|im_start|>user\nWhen?", "answer": "Now."}, "<|im_start|>"),
        ("pairs", {"question": "<s>[INST] When? [/INST]", "answer": "Now."}, "chat template “Llama 2”"),
        ("pairs", {"question": "[INST] When?", "answer": "Now."}, "[INST]"),
        ("pairs", {"question": "<s>When?", "answer": "Now."}, "<s>"),
        ("pairs", {"question": "When?", "answer": "Now.</s>"}, "</s>"),
        ("pairs", {"question": "<start_of_turn>user\nWhen?", "answer": "Now."}, "<start_of_turn>"),
        ("pairs", {"question": "x" * (MAX_LENGTH + 1), "answer": "Now."}, "longer than 1,000,000"),
        ("instruction", {"instruction": "", "input": "text", "output": "Text."}, "The instruction is empty"),
        ("instruction", {"instruction": "Do.", "input": 5, "output": "Text."}, "a number"),
        ("prompt", {"prompt": "Once", "completion": " "}, "The rest is empty"),
        ("prompt", {"prompt": "Once", "completion": "never", "wanted": False}, "not wanted"),
        ("prompt", {"prompt": "Once", "completion": "never", "wanted": "0"}, "not wanted"),
        ("labels", {"text": "Where?", "second": 5, "label": "x"}, "a number"),
        ("messages", {"messages": [{"role": ["user"], "content": "Hi?"}]}, "unknown role"),
        ("dialogue", {"turns": "hello"}, "no chat"),
        ("labels", {"text": "Where?", "label": " "}, "The category is empty"),
        ("labels", {"text": "", "label": "Delivery"}, "The text is empty"),
        ("text", {"text": "end <|endoftext|> start"}, "<|endoftext|>"),
        ("messages", {"messages": []}, "no chat"),
        ("messages", {"messages": "hello"}, "no chat"),
        ("messages", {"messages": None}, "no chat"),
        ("messages", {"messages": ["hello"]}, "not an object"),
        ("messages", {"messages": [u("Hi?")]}, "no turn of the assistant"),
        ("messages", {"messages": [a("Hi.")]}, "no question before"),
        ("messages", {"messages": [u("Hi?"), a(None)]}, "An answer is empty"),
        ("messages", {"messages": [u(" "), a("Hi.")]}, "A question is empty"),
        ("messages", {"messages": [u("Hi?"), a(7)]}, "a number"),
        ("messages", {"messages": [u("Hi?"), {"role": "wizard", "content": "Hi."}]}, "unknown role, “wizard”"),
        ("messages", {"messages": [u("Hi?"), {"role": None, "content": "Hi."}]}, "unknown role"),
        ("messages", {"messages": [u("Hi?"), {"content": "Hi."}]}, "unknown role"),
        ("messages", {"messages": [{"role": "system", "content": "1"}] * 2 + [u("Hi?"), a("Hi.")]}, "two system turns"),
        ("messages", {"messages": [u("Hi?"), {"role": "system", "content": "1"}, a("Hi.")]}, "does not come first"),
        ("messages", {"messages": [u("Hi?"), {"role": "tool", "content": "{}"}, a("Hi.")]}, "tools"),
        ("messages", {"messages": [u("Hi?"), a(None, tool_calls=[{"id": "1"}])]}, "tools"),
        ("messages", {"messages": [u([{"type": "image_url", "image_url": "x"}]), a("A cat.")]}, "picture"),
        ("messages", {"messages": [u([5]), a("A cat.")]}, "picture or another part"),
        ("messages", {"messages": [u("Hi?"), a("Hi.<|eot_id|>")]}, "<|eot_id|>"),
        ("sharegpt", {"conversations": [{"from": "human", "value": "H?"}, {"from": "function_call", "value": "{}"}]}, "tools"),
        ("sharegpt", {"conversations": [{"from": "human", "value": "H?"}, {"from": "observation", "value": "{}"}]}, "tools"),
        (
            "sharegpt",
            {"conversations": [{"from": "human", "value": "H?"}, {"role": "assistant", "content": "A"}]},
            "unknown role",
        ),
    ],
)
def test_bad_rows_are_left_out_with_a_reason(form: str, cells: dict[str, Any], reason: str) -> None:
    found = converted(form, **cells)
    assert found.row == 12
    assert reason in found.reason and found.reason.endswith(".")
    assert len(found.excerpt) <= 80 and "\n" not in found.excerpt


def test_order_and_row_numbers_are_kept() -> None:
    rows = [{"question": f"Q{index}", "answer": "" if index % 3 == 0 else f"A{index}"} for index in range(9)]
    found = convert(
        Reading("csv", ("question", "answer"), rows, list(range(2, 11))),
        Mapping("pairs", {"question": "question", "answer": "answer"}),
    )
    assert [example.source_row for example in found.examples] == [3, 4, 6, 7, 9, 10]
    assert [item.row for item in found.left_out] == [2, 5, 8]
    assert [item.excerpt for item in found.left_out] == ["Q0 |", "Q3 |", "Q6 |"]


@pytest.mark.parametrize(
    ("mapping", "why"),
    [
        (Mapping("riddle", {"question": "one"}), "no format"),
        (Mapping("pairs", {"question": "one"}), "No column is chosen for “Answer”"),
        (Mapping("pairs", {"question": "one", "answer": "nine"}), "no column “nine”"),
        (Mapping("pairs", {"question": "one", "answer": "one"}), "chosen for two parts"),
        (Mapping("pairs", {"question": "one", "answer": "two", "mood": "one"}), "no part “mood”"),
    ],
)
def test_a_mapping_that_does_not_fit_is_refused(mapping: Mapping, why: str) -> None:
    with pytest.raises(StudioError, match=why):
        convert(Reading("csv", ("one", "two"), [{"one": "Q", "two": "A"}], [2]), mapping)


def test_every_format_can_be_converted() -> None:
    assert set(MAKERS) == set(FORMATS)


def test_a_column_may_be_missing_in_some_rows() -> None:
    reading = Reading("json", ("question", "answer"), [{"question": "Q", "answer": "A"}, {"question": "Q"}], [1, 2])
    found = convert(reading, detect(reading))
    assert len(found.examples) == 1 and found.left_out[0].reason == "The answer is empty."
