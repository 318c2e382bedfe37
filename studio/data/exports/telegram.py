"""Telegram Desktop's JSON export (result.json): one chat, or all chats of an account. Format: core.telegram.org/import-export."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from studio.data.exports.exchanges import PAUSE, Chat, Message, read_chats, seconds_of
from studio.data.readers.reading import Reading

KIND = "telegram"
NOTE = "Forwarded messages, and those without words, are left aside."
GONE = "Deleted account"


def fits(whole: Any) -> bool:
    """Whether a JSON value is such an export."""
    for chat in chats_in(whole)[:5]:
        for message in chat["messages"][:5]:
            if isinstance(message, dict) and message.get("type") in ("message", "service") and "date" in message:
                return "from_id" in message or "actor" in message or "from" in message
    return False


def read(whole: Any, name: str, pause: float | None = PAUSE) -> Reading:
    """One row an exchange. Raises StudioError when there are no messages."""
    chats = [Chat(title_of(chat), messages_of(chat)) for chat in chats_in(whole)]
    return read_chats(KIND, name, chats, pause=pause, notes=[NOTE], me=owner_of(whole))


def chats_in(whole: Any) -> list[dict[str, Any]]:
    """The chats of an export of one chat or of all."""
    if not isinstance(whole, dict):
        return []
    listed = whole.get("chats")
    found = listed.get("list") if isinstance(listed, dict) else [whole]
    return [chat for chat in found if isinstance(chat, dict) and isinstance(chat.get("messages"), list)] if found else []


def title_of(chat: dict[str, Any]) -> str:
    """What the chat is called; chats with deleted accounts have no name."""
    return chat["name"] if isinstance(chat.get("name"), str) else ""


def owner_of(whole: dict[str, Any]) -> str:
    """The name under which the account's owner writes; only an export of all chats says who that is."""
    person = whole.get("personal_information")
    owner = f"user{person.get('user_id')}" if isinstance(person, dict) else ""
    for chat in chats_in(whole) if owner else ():
        for message in chat["messages"]:
            if isinstance(message, dict) and message.get("from_id") == owner and isinstance(message.get("from"), str):
                return message["from"]
    return ""


def messages_of(chat: dict[str, Any]) -> Iterator[Message]:
    """The messages that somebody wrote."""
    for number, item in enumerate(chat["messages"], start=1):
        if not isinstance(item, dict) or item.get("type") != "message" or item.get("forwarded_from"):
            continue
        if text := text_of(item.get("text")):
            speaker = item.get("from") if isinstance(item.get("from"), str) else GONE
            yield Message(number, seconds_of(item.get("date")), speaker, text)


def text_of(value: Any) -> str:
    """The words of a message: a text, or a list of texts and of formatted pieces."""
    pieces = value if isinstance(value, list) else [value]
    words = (piece.get("text") if isinstance(piece, dict) else piece for piece in pieces)
    return "".join(word for word in words if isinstance(word, str)).strip()
