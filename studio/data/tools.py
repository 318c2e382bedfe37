"""The use of tools, written as text: definitions for the system turn, calls as answers, results as what is said to them.

Chat templates write tools in ways of their own, and an example here holds turns of text only. So a call is learned as the
JSON that many models answer with: {"name": …, "arguments": …}. Nothing in this app runs a tool; the reason says so.
A call is only learned when its row defines the tool: otherwise the model would learn to make up names.
"""

from __future__ import annotations

import json
from typing import Any

from studio.data.cells import Unfit, plain_text, text_of

CALLERS = {"function_call", "tool_call"}
RESULTS = {"tool", "tools", "function", "function_response", "observation", "ipython"}
INTRODUCTION = "You can use the tools below. To use one, answer with JSON only: its name and its arguments."
NOT_WANTED = "It calls tools, and the use of tools is left out."


def definitions(value: Any) -> dict[str, dict[str, Any]]:
    """Name of each tool -> its definition, from a list or its JSON text; empty when there is none. Raises Unfit."""
    found = parsed(value)
    if not found:
        return {}
    tools = {}
    for item in found if isinstance(found, list) else [found]:
        inner = item.get("function") if isinstance(item, dict) and isinstance(item.get("function"), dict) else item
        name = inner.get("name") if isinstance(inner, dict) else None
        if not isinstance(name, str) or not name:
            raise Unfit("One of its tools has no name.")
        tools[name] = inner
    return tools


def introduction(tools: dict[str, dict[str, Any]]) -> str:
    """What the system turn says about the tools, one line of JSON for each."""
    return "\n".join([INTRODUCTION, *(text_of(json.dumps(tool, ensure_ascii=False)) for tool in tools.values())])


def calls_of(item: dict[str, Any], speaker: str, content: str) -> list[Any]:
    """The calls that a turn makes, in the wordings of OpenAI and ShareGPT; empty when it makes none."""
    if speaker in CALLERS:
        found = parsed(item.get(content))
        return found if isinstance(found, list) else [found]
    if calls := item.get("tool_calls"):
        return calls if isinstance(calls, list) else [calls]
    return [item["function_call"]] if item.get("function_call") else []


def call_text(call: Any, tools: dict[str, dict[str, Any]]) -> str:
    """A call as JSON on one line. Raises Unfit when its row defines no such tool, or it is no call."""
    if isinstance(call, dict) and isinstance(call.get("function"), dict):
        call = call["function"]
    name = call.get("name") if isinstance(call, dict) else None
    if not isinstance(name, str) or not name:
        raise Unfit("It calls tools, but one call names none.")
    if name not in tools:
        raise Unfit(f"It calls tools, but the row does not define “{name[:40]}”.")
    arguments = call.get("arguments", call.get("parameters"))
    return text_of(json.dumps({"name": name, "arguments": parsed(arguments) or {}}, ensure_ascii=False))


def result_text(value: Any) -> str:
    """What a tool gave back, as text. Raises Unfit when it gave nothing."""
    if value is not None and not isinstance(value, str):
        value = json.dumps(value, ensure_ascii=False)
    if not (said := text_of(value)):
        raise Unfit("It calls tools, and a result is empty.")
    return f"Result: {said}"


def parsed(value: Any) -> Any:
    """The value of a JSON text, or the value itself when it is none; None for empty text. Raises Unfit for broken JSON."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(plain_text(value) or "null")
    except (ValueError, RecursionError):
        raise Unfit("It calls tools, but one part is not whole JSON.") from None
