"""The use of tools becomes text where the row says which tools there are; everything else is left out with the reason."""

from __future__ import annotations

import json
from typing import Any

import pytest

from studio.data.convert import convert
from studio.data.detect import Choices, Mapping, detect
from studio.data.readers.reading import Reading
from studio.data.tools import INTRODUCTION

CLOCK = {
    "name": "clock",
    "description": "The time.",
    "parameters": {"type": "object", "properties": {"zone": {"type": "string"}}},
}
OPENAI = {"type": "function", "function": CLOCK}


def call(name: str = "clock", arguments: Any = '{"zone": "Rome"}') -> dict[str, Any]:
    return {"id": "1", "type": "function", "function": {"name": name, "arguments": arguments}}


def u(text: Any) -> dict[str, Any]:
    return {"role": "user", "content": text}


def a(text: Any, *calls: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": text} | ({"tool_calls": list(calls)} if calls else {})


def t(text: Any) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": "1", "content": text}


def converted(turns: list[Any], *, form: str = "messages", choices: Choices | None = None, **cells: Any) -> Any:
    role = "messages" if form == "messages" else "conversations"
    cells = {role: turns} | cells
    reading = Reading("json", tuple(cells), [cells], [7])
    found = convert(reading, Mapping(form, {name: name for name in cells}, choices=choices or Choices()))
    return (found.examples or found.left_out)[0]


def said(example: Any) -> list[tuple[str, str]]:
    return [(message["role"], message["content"]) for message in example.messages]


TOLD = ("system", f"{INTRODUCTION}\n{json.dumps(CLOCK)}")
CALLED = ("assistant", '{"name": "clock", "arguments": {"zone": "Rome"}}')


@pytest.mark.parametrize("tools", [[OPENAI], json.dumps([OPENAI]), [CLOCK], json.dumps([CLOCK]), json.dumps(CLOCK)])
@pytest.mark.parametrize("arguments", ['{"zone": "Rome"}', {"zone": "Rome"}])
def test_openai_calls(tools: Any, arguments: Any) -> None:
    found = converted([u("Time?"), a(None, call(arguments=arguments)), t('{"time": "9:00"}'), a("Nine.")], tools=tools)
    assert said(found) == [TOLD, ("user", "Time?"), CALLED, ("user", 'Result: {"time": "9:00"}'), ("assistant", "Nine.")]


def test_sharegpt_calls() -> None:
    turns = [("human", "Time?"), ("function_call", CALLED[1]), ("observation", '{"time": "9:00"}'), ("gpt", "Nine.")]
    found = converted([{"from": who, "value": text} for who, text in turns], form="sharegpt", tools=json.dumps([CLOCK]))
    assert said(found) == [TOLD, ("user", "Time?"), CALLED, ("user", 'Result: {"time": "9:00"}'), ("assistant", "Nine.")]


def test_words_before_a_call_and_two_calls_at_once() -> None:
    found = converted([u("Time?"), a("Let me look.", call(), call()), t("9:00"), t("9:00"), a("Nine.")], tools=[CLOCK])
    assert said(found)[2:4] == [("assistant", f"Let me look.\n{CALLED[1]}\n{CALLED[1]}"), ("user", "Result: 9:00\nResult: 9:00")]


def test_definitions_stand_behind_what_it_is_told_first() -> None:
    found = converted([u("Hi"), a("Hi.")], tools=[CLOCK], system="Be brief.")
    assert said(found)[0] == ("system", f"Be brief.\n\n{TOLD[1]}")
    again = converted([{"role": "system", "content": "Be brief."}, u("Hi"), a("Hi.")], tools=[CLOCK])
    assert said(again) == said(found)


@pytest.mark.parametrize("none", ["[]", [], "", None])
def test_no_tools_say_nothing(none: Any) -> None:
    assert said(converted([u("Hi"), a("Hi.")], tools=none)) == [("user", "Hi"), ("assistant", "Hi.")]


def test_the_old_function_call() -> None:
    old = {"role": "assistant", "content": None, "function_call": {"name": "clock", "arguments": '{"zone": "Rome"}'}}
    result = {"role": "function", "name": "clock", "content": "9:00"}
    assert said(converted([u("Time?"), old, result, a("Nine.")], tools=[CLOCK]))[2:4] == [CALLED, ("user", "Result: 9:00")]


@pytest.mark.parametrize(
    ("turns", "tools", "reason"),
    [
        ([u("x"), a(None, call())], None, "does not define “clock”"),
        ([u("x"), a(None, call("weather"))], [CLOCK], "does not define “weather”"),
        ([u("x"), a(None, call(arguments="{zone:"))], [CLOCK], "not whole JSON"),
        ([u("x"), a(None, {"id": "1"})], [CLOCK], "names none"),
        ([u("x"), a(None, 5)], [CLOCK], "names none"),
        ([u("x"), t("9:00"), a("Nine.")], [CLOCK], "a result comes before its call"),
        ([u("x"), a(None, call()), t("1"), t("2"), a("Nine.")], [CLOCK], "a result comes before its call"),
        ([u("x"), a(None, call()), t(""), a("Nine.")], [CLOCK], "a result is empty"),
        ([u("x"), a(None, call()), t("<|im_end|>"), a("Nine.")], [CLOCK], "<|im_end|>"),
        ([u("x"), a("y")], "[{", "not whole JSON"),
        ([u("x"), a("y")], [{"type": "function"}], "has no name"),
        ([u("x"), a("y")], [5], "has no name"),
    ],
)
def test_what_cannot_be_learned_is_left_out(turns: list[Any], tools: Any, reason: str) -> None:
    found = converted(turns, tools=tools)
    assert reason in found.reason and found.row == 7


def test_tools_can_be_left_out_altogether() -> None:
    without = Choices(tools_as_text=False)
    turns = [u("Time?"), a(None, call()), t("9:00"), a("Nine.")]
    assert converted(turns, tools=[CLOCK], choices=without).reason == "It calls tools, and the use of tools is left out."
    assert said(converted([u("Hi"), a("Hi.")], tools=[CLOCK], choices=without)) == [("user", "Hi"), ("assistant", "Hi.")]


def test_the_column_of_tools_is_found_and_said() -> None:
    rows = [{"messages": [u("Hi"), a("Hi.")], "tools": [CLOCK]}]
    found = detect(Reading("json", ("messages", "tools"), rows, [1]))
    assert found.columns == {"messages": "messages", "tools": "tools"}
    assert "nothing in this app runs a tool" in found.reason
