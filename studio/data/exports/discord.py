"""A channel as DiscordChatExporter writes it in JSON (its JsonMessageWriter)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from studio.data.exports.exchanges import PAUSE, Chat, Message, read_chats, seconds_of
from studio.data.readers.reading import Reading

KIND = "discord"
WRITTEN = ("Default", "Reply")  # every other type tells of an event: somebody joined, called, pinned
NOTE = "Events, and messages without words, are left aside."


def fits(whole: Any) -> bool:
    """Whether a JSON value is such an export."""
    return (
        isinstance(whole, dict)
        and isinstance(whole.get("channel"), dict)
        and isinstance(whole.get("messages"), list)
        and ("guild" in whole or any(isinstance(item, dict) and "author" in item for item in whole["messages"][:5]))
    )


def read(whole: Any, name: str, pause: float | None = PAUSE) -> Reading:
    """One row an exchange. Raises StudioError when there are no messages."""
    title = whole["channel"].get("name")
    chat = Chat(title if isinstance(title, str) else "", messages_of(whole["messages"]))
    return read_chats(KIND, name, [chat], pause=pause, notes=[NOTE])


def messages_of(items: list[Any]) -> Iterator[Message]:
    """The messages that somebody wrote."""
    for number, item in enumerate(items, start=1):
        if not isinstance(item, dict) or item.get("type", "Default") not in WRITTEN:
            continue
        author = item.get("author") if isinstance(item.get("author"), dict) else {}
        speaker = author.get("nickname") or author.get("name")
        text = item.get("content")
        if isinstance(speaker, str) and isinstance(text, str) and text.strip():
            yield Message(number, seconds_of(item.get("timestamp")), speaker, text.strip())
