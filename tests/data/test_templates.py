"""Chat templates that are written into the texts: known as a whole, taken apart only where that is allowed."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.data.convert import convert
from studio.data.detect import Choices, Mapping, detect
from studio.data.readers.reading import Reading
from studio.data.templates import TEMPLATES, find_template, take_apart, template_of

ONE = [("user", "When?"), ("assistant", "Now.")]
TOLD = [("system", "Be brief."), *ONE]
TWO = [*ONE, ("user", "And\nthen?"), ("assistant", "Later.")]

WRITTEN = [
    (
        "chatml",
        TOLD,
        "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nWhen?<|im_end|>\n<|im_start|>assistant\nNow.<|im_end|>\n",
    ),
    (
        "llama3",
        TOLD,
        "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\nBe brief.<|eot_id|><|start_header_id|>user"
        "<|end_header_id|>\n\nWhen?<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\nNow.<|eot_id|>",
    ),
    ("gemma", ONE, "<bos><start_of_turn>user\nWhen?<end_of_turn>\n<start_of_turn>model\nNow.<end_of_turn>\n"),
    ("zephyr", TOLD, "<|system|>\nBe brief.</s>\n<|user|>\nWhen?</s>\n<|assistant|>\nNow.</s>"),
    ("zephyr", ONE, "<|user|>\nWhen?<|end|>\n<|assistant|>\nNow.<|end|>\n<|endoftext|>"),
    ("llama2", ONE, "<s>[INST] When? [/INST] Now. </s>"),
    ("llama2", TOLD, "[INST] <<SYS>>\nBe brief.\n<</SYS>>\n\nWhen? [/INST] Now."),
    ("llama2", TWO, "<s>[INST] When? [/INST] Now. </s><s>[INST] And\nthen? [/INST] Later. </s>"),
    (
        "alpaca",
        ONE,
        "Below is an instruction that describes a task. Write a response that appropriately completes the request.\n\n"
        "### Instruction:\nWhen?\n\n### Response:\nNow.",
    ),
    (
        "alpaca",
        [("user", "Shorten.\n\nA long text."), ("assistant", "Text.")],
        "### Instruction:\nShorten.\n\n### Input:\nA long text.\n\n### Response:\nText.</s>",
    ),
    ("vicuna", TOLD, "Be brief.\n\nUSER: When? ASSISTANT: Now.</s>"),
    ("vicuna", TWO, "USER: When?\nASSISTANT: Now.</s>USER: And\nthen?\nASSISTANT: Later.</s>"),
    ("human", TWO, "\n\nHuman: When?\n\nAssistant: Now.\n\nHuman: And\nthen?\n\nAssistant: Later."),
    ("plain", TOLD, "### System:\nBe brief.\n\n### User:\nWhen?\n\n### Assistant:\nNow.</s>\n"),
]


def said(messages: Any) -> list[tuple[str, str]]:
    return [(message["role"], message["content"]) for message in messages]


@pytest.mark.parametrize(("key", "turns", "text"), WRITTEN)
def test_every_template_is_known_and_taken_apart(key: str, turns: list[tuple[str, str]], text: str) -> None:
    assert template_of(text) == key
    assert said(take_apart(text, key)) == turns


def test_every_template_has_a_case() -> None:
    assert {key for key, _, _ in WRITTEN} == set(TEMPLATES)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "The user said: ASSISTANT is a role.",
        "<|im_start|>user\nonly a question<|im_end|>",
        "<|im_start|>assistant\nonly an answer",
        "In HTML, <s>old</s> is struck.",
        "### Instruction:\nNo response here.",
        "Human: a word at the start\nand nothing else",
    ],
)
def test_other_texts_are_in_no_template(text: str) -> None:
    assert template_of(text) == ""


def test_templates_are_counted() -> None:
    chatml, llama2 = WRITTEN[0][2], WRITTEN[5][2]
    found = find_template([chatml, "plain text", chatml, llama2, chatml])
    assert (found.key, found.label, found.count, found.total) == ("chatml", "ChatML", 3, 5)
    assert find_template(["plain text", chatml]) is None
    assert find_template([]) is None


@pytest.mark.parametrize(("key", "turns", "text"), WRITTEN)
def test_without_consent_rows_are_left_out_and_with_it_they_are_turns(key: str, turns: Any, text: str) -> None:
    reading = Reading("json", ("text",), [{"text": text}], [3])
    mapping = detect(reading)
    assert (mapping.format, mapping.template) == ("text", key)
    assert f"“{TEMPLATES[key].label}” is already written into all 1 rows looked at." in mapping.reason
    refused = convert(reading, mapping).left_out
    assert f"already written in the chat template “{TEMPLATES[key].label}”" in refused[0].reason
    allowed = convert(reading, detect(reading, Choices(strip_template=True)))
    assert said(allowed.examples[0].messages) == turns and not allowed.examples[0].text


@pytest.mark.parametrize(
    ("form", "cells"),
    [
        ("prompt", {"prompt": "### Instruction:\nWhen?\n\n### Response:", "completion": "Now."}),
        ("prompt", {"prompt": "<|im_start|>user\nWhen?<|im_end|>\n<|im_start|>assistant\n", "completion": "Now.<|im_end|>"}),
        ("pairs", {"question": "<s>[INST] When? [/INST]", "answer": "Now.</s>"}),
        ("pairs", {"question": "USER: When?", "answer": "ASSISTANT: Now."}),
    ],
)
def test_a_template_over_two_columns(form: str, cells: dict[str, str]) -> None:
    reading = Reading("json", tuple(cells), [cells], [1])
    columns = {name: name for name in cells}
    assert len(convert(reading, Mapping(form, columns)).left_out) == 1
    done = convert(reading, Mapping(form, columns, choices=Choices(strip_template=True)))
    assert said(done.examples[0].messages) == ONE


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n<|im_end|>", "no turn of the assistant"),
        ("<|im_start|>user\n<|im_end|>\n<|im_start|>assistant\nHi<|im_end|>", "One of its turns is empty"),
        ("<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\nHi<|eot_id|>", "<|eot_id|>"),
        ("<|im_start|>user\n[INST] x<|im_end|>\n<|im_start|>assistant\nHi", "[INST]"),
        ("<|im_start|>assistant\nHi<|im_end|>\n<|im_start|>user\nHi", "no question before"),
        ("<|im_start|>user\nHi<|im_end|>\n<|im_start|>system\nS<|im_end|>\n<|im_start|>assistant\nA", "does not come first"),
    ],
)
def test_bad_rows_stay_out_with_consent(text: str, reason: str) -> None:
    reading = Reading("json", ("text",), [{"text": text}], [1])
    found = convert(reading, Mapping("text", {"text": "text"}, choices=Choices(strip_template=True)))
    assert not found.examples and reason in found.left_out[0].reason


@given(
    st.lists(
        st.sampled_from(["<|im_start|>", "user\n", "assistant\n", "<|im_end|>", "[INST]", "[/INST]", "</s>", "x", "### Input:\n"])
    )
)
def test_no_sign_of_a_template_gets_into_a_turn(pieces: list[str]) -> None:
    reading = Reading("json", ("text",), [{"text": "".join(pieces)}], [1])
    done = convert(reading, Mapping("text", {"text": "text"}, choices=Choices(strip_template=True)))
    for example in done.examples:
        whole = example.text + "".join(message["content"] for message in example.messages)
        assert "<|im_" not in whole and "[INST]" not in whole


@pytest.mark.parametrize(
    "piece", ["[INST] <<SYS>> [/INST] ", "USER: ASSISTANT: ", "### Input:\n### Response:\n### Instruction:\n"]
)
def test_a_long_text_takes_no_time(piece: str) -> None:
    text = piece * (300_000 // len(piece))
    start = time.perf_counter()
    take_apart(text, template_of(text))
    assert time.perf_counter() - start < 2
