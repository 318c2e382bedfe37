"""Messages of an exported chat as rows: one row an exchange, whose turns are pairs of a speaker and what was said.

A pause ends an exchange. So does its length: an example that is too long would lose its beginning. Neighbouring parts of a
long exchange share a turn, so that no answer is parted from its question; as a question is not learned, nothing is
learned twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any, NamedTuple

from studio.data.passages import LONGEST as PASSAGE
from studio.data.readers.reading import Reading, check_counts, refusal

PAUSE = 6 * 3600.0  # seconds: longer than a meal or a meeting, shorter than a night
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Message(NamedTuple):
    """One message. `number` is where it stands in the file, `when` seconds on any clock, None where that is not known."""

    number: int
    when: float | None
    speaker: str
    text: str


class Chat(NamedTuple):
    """The messages of one chat in their order, and what the chat is called."""

    title: str
    messages: Iterable[Message]


def read_chats(
    kind: str, name: str, chats: Iterable[Chat], *, pause: float | None = PAUSE, notes: Iterable[str] = (), me: str = ""
) -> Reading:
    """A reading with one row an exchange. Raises StudioError when nobody says anything.

    Args:
        pause: Seconds without a message that end an exchange; None keeps each chat whole, however long.
        notes: Sentences to show, read after the chats.
        me: The speaker that is the owner of the file or the assistant, where the file says so.
    """
    rows: list[dict[str, Any]] = []
    numbers: list[int] = []
    for title, messages in chats:
        for number, turns in exchanges(messages, pause):
            rows.append({"turns": turns, "chat": title} if title else {"turns": turns})
            numbers.append(number)
    if not rows:
        raise refusal(name, "It holds no messages with words.", "Export the chat again, or choose another one.")
    check_counts(name, len(rows), 2)
    if pause is not None:
        hours = pause / 3600
        said = f"Exchanges read: {len(rows):,}. The chat was cut at pauses of {hours:g} hours, and where one grew long."
        notes = (*notes, said)
    columns = ("turns", "chat") if any("chat" in row for row in rows) else ("turns",)
    return Reading(kind, columns, rows, numbers, header=False, notes=tuple(notes), me=me)


def exchanges(messages: Iterable[Message], pause: float | None) -> Iterator[tuple[int, list[list[str]]]]:
    """Number of the first message and the turns of each exchange; what one speaker says in a row is one turn."""
    turns: list[list[str]] = []
    first = length = 0
    before: float | None = None
    for number, when, speaker, text in messages:
        paused = pause is not None and when is not None and before is not None and when - before > pause
        if turns and paused:
            yield first, turns
            turns = []
        if turns and turns[-1][0] == speaker:
            turns[-1][1] += f"\n{text}"
        elif len(turns) > 1 and pause is not None and length + len(text) > PASSAGE:
            yield first, turns
            turns = [list(turns[-1]), [speaker, text]]
            first, length = number, len(turns[0][1])
        else:
            if not turns:
                first, length = number, 0
            turns.append([speaker, text])
        length += len(text)
        before = before if when is None else when
    if turns:
        yield first, turns


def seconds_of(stamp: Any) -> float | None:
    """Seconds of a time stamp in ISO 8601 or in seconds; None when it is neither."""
    if isinstance(stamp, bool):
        return None
    if isinstance(stamp, (int, float)):
        return float(stamp)
    try:
        found = datetime.fromisoformat(str(stamp))
    except ValueError:
        return None
    return ((found if found.tzinfo else found.replace(tzinfo=UTC)) - EPOCH).total_seconds()
