"""Chats between people as messages: the person says who the model learns to be; everybody else is who it answers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from studio.data.cells import Message, Row, Unfit, text_of, turn
from studio.data.chats import checked
from studio.data.formats import Mapping
from studio.records import Example

Turn = tuple[str, Any]

SPEAKER_KEYS = ("speaker", "author", "sender", "name", "who")
WORD_KEYS = ("text", "utterance", "message", "content", "value")
ANSWERING = ("assistant", "agent", "chatgpt", "bot", "support", "seller", "advisor", "operator", "employee", "staff", "me")
NOTES = ("action", "note", "narrator", "event", "log")
LONGEST_NAME = 80  # characters; a longer first part of a pair is no name


def turns_of(value: Any) -> Iterator[Turn]:
    """Speaker and words of each turn of a chat; nothing for what is no turn."""
    for item in value if isinstance(value, list) else []:
        if isinstance(item, (list, tuple)) and len(item) == 2 and isinstance(item[0], str):
            yield item[0].strip(), item[1]
        elif isinstance(item, dict):
            name = next((item[key] for key in SPEAKER_KEYS if isinstance(item.get(key), str)), None)
            words = next((item[key] for key in WORD_KEYS if key in item), None)
            if name is not None:
                yield name.strip(), words


def is_dialogue(values: Sequence[Any], *, named: bool = False) -> bool:
    """Whether the values of a column are chats: lists of turns, whose speakers come again unless the column is `named` so."""
    chats = [value for value in values if isinstance(value, list) and value]
    if not chats or len(chats) < len(values) / 2:
        return False
    speakers: Counter[str] = Counter()
    whole = 0
    for chat in chats:
        names = [name for name, words in turns_of(chat) if words is None or isinstance(words, str)]
        speakers.update(names)
        whole += len(names) == len(chat) and max(map(len, names)) <= LONGEST_NAME
    again = len(speakers) <= max(2, speakers.total() // 2 + 1)
    return whole > len(chats) / 2 and (again or named)


def count_speakers(chats: Iterable[Any]) -> dict[str, int]:
    """Number of turns of each speaker over all chats, most first."""
    return dict(Counter(name for chat in chats for name, _ in turns_of(chat)).most_common())


def guess_me(speakers: dict[str, int]) -> str:
    """Who the model most likely should learn to be: one named like somebody who answers, otherwise who speaks most."""
    named = next((name for word in ANSWERING for name in speakers if name.lower() == word), "")
    return named or next((name for name in speakers if name.lower() not in NOTES), next(iter(speakers), ""))


def guess_skipped(speakers: dict[str, int], me: str) -> tuple[str, ...]:
    """Speakers that are no people but notes about the chat."""
    return tuple(name for name in speakers if name.lower() in NOTES and name != me)


def from_dialogue(row: Row, number: int, mapping: Mapping) -> Example:
    """A chat between people. Neighbouring turns of one side are joined; where several others speak, each gets their name.

    What the chosen speaker says before anybody else has spoken is not learned: nothing comes before it. Raises Unfit.
    """
    me, skip = mapping.choices.me, set(mapping.choices.skip or ())
    turns = [(name, text_of(words)) for name, words in turns_of(row.get("turns")) if name not in skip]
    turns = [(name, words) for name, words in turns if words]
    if not turns:
        raise Unfit("It holds no chat.")
    others = dict.fromkeys(name for name, _ in turns if name != me)
    if len(others) == len({name for name, _ in turns}):
        raise Unfit(f"“{me[:40]}” says nothing in it.")
    if not others:
        raise Unfit(f"Nobody but “{me[:40]}” speaks in it.")
    messages: list[Message] = []
    for name, words in turns:
        role = "assistant" if name == me else "user"
        if role == "user" and len(others) > 1:
            words = f"{name}: {words}"
        if messages and messages[-1]["role"] == role:
            messages[-1] = turn(role, f"{messages[-1]['content']}\n{words}")
        elif messages or role == "user":
            messages.append(turn(role, words))
    if told := text_of(row.get("system")):
        messages.insert(0, turn("system", told))
    return Example(messages=checked(messages), source_row=number)
