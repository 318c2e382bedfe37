"""Messages become exchanges: cut at pauses and where one grows long, without losing or doubling an answer."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.data.convert import convert
from studio.data.detect import detect
from studio.data.exports.exchanges import PAUSE, Chat, Message, exchanges, read_chats, seconds_of
from studio.data.passages import LONGEST as PASSAGE
from studio.errors import StudioError


def said(*turns: tuple[float | None, str, str]) -> list[Message]:
    return [Message(number, *turn) for number, turn in enumerate(turns, start=1)]


def test_pauses_cut_and_one_speaker_is_joined() -> None:
    messages = said(
        (0, "A", "Hi"), (5, "A", "Are you open?"), (9, "B", "Yes"), (9 + PAUSE + 1, "A", "And now?"), (10**6, "B", "No")
    )
    assert list(exchanges(messages, PAUSE)) == [
        (1, [["A", "Hi\nAre you open?"], ["B", "Yes"]]),
        (4, [["A", "And now?"]]),
        (5, [["B", "No"]]),
    ]
    assert len(list(exchanges(messages, 10**7))) == len(list(exchanges(messages, None))) == 1


def test_a_pause_within_one_speaker_cuts_and_exactly_the_pause_does_not() -> None:
    assert len(list(exchanges(said((0, "A", "x"), (PAUSE, "A", "y")), PAUSE))) == 1
    assert len(list(exchanges(said((0, "A", "x"), (PAUSE + 1, "A", "y")), PAUSE))) == 2


def test_messages_without_a_time_do_not_cut() -> None:
    assert len(list(exchanges(said((0, "A", "x"), (None, "B", "y"), (60, "A", "z")), PAUSE))) == 1


@given(st.lists(st.tuples(st.sampled_from("AB"), st.integers(1, PASSAGE)), min_size=1, max_size=40), st.sampled_from("AB"))
def test_long_exchanges_lose_and_double_no_answer(turns: list[tuple[str, int]], me: str) -> None:
    messages = [Message(number, 0.0, who, f"{number}:" + "x" * length) for number, (who, length) in enumerate(turns, start=1)]
    reading = read_chats("test", "a.txt", [Chat("", messages)], me=me)
    learned: Counter[str] = Counter()
    for example in convert(reading, detect(reading)).examples:
        learned.update(word for m in example.messages if m["role"] == "assistant" for word in m["content"].split("\n"))
    begun = next((index for index, (who, _) in enumerate(turns) if who != me), len(turns))
    assert learned == Counter(message.text for message in messages[begun:] if message.speaker == me)


def test_many_short_messages_are_cut_by_length() -> None:
    messages = [Message(n, float(n), "AB"[n % 2], "word " * 20) for n in range(200)]
    parts = list(exchanges(messages, PAUSE))
    assert len(parts) > 10
    assert all(sum(len(text) for _, text in turns) <= PASSAGE + 200 for _, turns in parts)


def test_the_number_of_hours_is_said() -> None:
    found = read_chats("test", "a.txt", [Chat("Bakery", said((0, "A", "x"), (1, "B", "y")))], pause=7200)
    assert found.notes == ("Exchanges read: 1. The chat was cut at pauses of 2 hours, and where one grew long.",)
    assert found.columns == ("turns", "chat") and found.rows[0]["chat"] == "Bakery"


def test_nothing_said_is_refused() -> None:
    with pytest.raises(StudioError, match="no messages with words"):
        read_chats("test", "a.txt", [Chat("", [])])


@pytest.mark.parametrize(
    ("stamp", "seconds"),
    [
        ("1970-01-01T00:01:00", 60),
        ("1970-01-01T01:01:00+01:00", 60),
        ("1970-01-01T00:01:00.000Z", 60),
        (60, 60),
        ("now", None),
        (None, None),
        (True, None),
        ([], None),
    ],
)
def test_time_stamps(stamp: object, seconds: float | None) -> None:
    assert seconds_of(stamp) == seconds
