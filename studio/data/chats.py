"""Conversations whose turns say who speaks, as messages with the roles system, user and assistant."""

from __future__ import annotations

from typing import Any

from studio.data import tools as tool_texts
from studio.data.cells import Message, Row, Unfit, text_of, turn
from studio.data.formats import Mapping
from studio.records import Example

ROLES = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "human": "user",
    "prompter": "user",
    "assistant": "assistant",
    "gpt": "assistant",
    "chatgpt": "assistant",
    "model": "assistant",
    "bot": "assistant",
}


def from_messages(row: Row, number: int, mapping: Mapping) -> Example:
    """An OpenAI chat: turns with role and content."""
    return chat(row, "messages", ("role", "content"), number, mapping)


def from_sharegpt(row: Row, number: int, mapping: Mapping) -> Example:
    """A ShareGPT chat: turns with from and value."""
    return chat(row, "conversations", ("from", "value"), number, mapping)


def chat(row: Row, role: str, keys: tuple[str, str], number: int, mapping: Mapping) -> Example:
    """A conversation whose turns name who speaks and what is said under `keys`. Raises Unfit."""
    turns = row.get(role)
    if not isinstance(turns, list) or not turns:
        raise Unfit("It holds no chat.")
    if (last := row.get("answer")) is not None:
        more = last if isinstance(last, list) else [last if isinstance(last, dict) else {keys[0]: "assistant", keys[1]: last}]
        turns = [*turns, *more]
    known = tool_texts.definitions(row.get("tools")) if mapping.choices.tools_as_text else None
    messages = messages_of(turns, keys, known)
    if told := text_of(row.get("system")):
        messages.insert(0, turn("system", told))
    if known:
        introduce(messages, known)
    return Example(messages=checked(messages), source_row=number)


def messages_of(turns: list[Any], keys: tuple[str, str], known: dict[str, Any] | None) -> list[Message]:
    """The turns as messages. The use of the tools in `known` is written as text; None allows none. Raises Unfit."""
    messages: list[Message] = []
    awaited = 0  # results of calls
    for item in turns:
        if not isinstance(item, dict):
            raise Unfit("One of its turns is not an object with a role and a text.")
        speaker = name_of(item.get(keys[0]))
        calls = tool_texts.calls_of(item, speaker, keys[1])
        if (calls or speaker in tool_texts.RESULTS) and known is None:
            raise Unfit(tool_texts.NOT_WANTED)
        if calls:
            said = "" if speaker in tool_texts.CALLERS else joined(item.get(keys[1]))
            texts = [said, *(tool_texts.call_text(call, known or {}) for call in calls)]
            messages.append(turn("assistant", "\n".join(filter(None, texts))))
            awaited = len(calls)
        elif speaker in tool_texts.RESULTS:
            if not awaited:
                raise Unfit("It calls tools, but a result comes before its call.")
            add_result(messages, tool_texts.result_text(item.get(keys[1])))
            awaited -= 1
        else:
            messages.append(message_of(item, *keys))
            awaited = 0
    return messages


def add_result(messages: list[Message], said: str) -> None:
    """A tool's result as what is said to the model; results that come together make one turn."""
    if messages[-1]["role"] == "user":
        messages[-1] = turn("user", f"{messages[-1]['content']}\n{said}")
    else:
        messages.append(turn("user", said))


def introduce(messages: list[Message], tools: dict[str, Any]) -> None:
    """Add what tools there are to the system turn, or make one."""
    told = tool_texts.introduction(tools)
    if messages and messages[0]["role"] == "system":
        messages[0] = turn("system", f"{messages[0]['content']}\n\n{told}")
    else:
        messages.insert(0, turn("system", told))


def checked(messages: list[Message]) -> tuple[Message, ...]:
    """The messages up to the last answer. Raises Unfit when nothing can be learned from them."""
    systems = [index for index, message in enumerate(messages) if message["role"] == "system"]
    if len(systems) > 1:
        raise Unfit("It has two system turns, and only one can come first.")
    if systems and systems[0] != 0:
        raise Unfit("Its system turn does not come first.")
    while messages and messages[-1]["role"] != "assistant":
        messages.pop()  # nothing can be learned behind the last answer
    if not messages:
        raise Unfit("It has no turn of the assistant to learn from.")
    if not any(message["role"] == "user" for message in messages):
        raise Unfit("There is no question before the answer.")
    return tuple(messages)


def message_of(item: dict[str, Any], speaker: str, content: str) -> Message:
    """One turn with its role in our words and its text. Raises Unfit."""
    role = ROLES.get(name_of(item.get(speaker)))
    if role is None:
        raise Unfit(f"It has a turn of an unknown role, “{str(item.get(speaker))[:40]}”.")
    said = joined(item.get(content))
    if not said:
        who = {"system": "The system turn", "user": "A question", "assistant": "An answer"}[role]
        raise Unfit(f"{who} is empty.")
    return turn(role, said)


def name_of(value: Any) -> str:
    """Who speaks, in lower case; empty when nobody is named."""
    return value.strip().lower() if isinstance(value, str) else ""


def joined(content: Any) -> str:
    """The text of a turn; a list of parts is joined when all of them are text. Raises Unfit."""
    if not isinstance(content, list):
        return text_of(content)
    pieces = []
    for part in content:
        kind = part.get("type", "text") if isinstance(part, dict) else "text" if isinstance(part, str) else "other"
        if kind != "text":
            raise Unfit("A turn holds a picture or another part that is not text.")
        pieces.append(text_of(part if isinstance(part, str) else part.get("text")))
    return "\n".join(piece for piece in pieces if piece)
