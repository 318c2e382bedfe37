"""ChatGPT's data export (conversations.json): each conversation is a tree of messages; the path to the last one shown is read.

The format is not documented by its publisher. Read here: `mapping` (id -> node with message, parent, children) and
`current_node`; messages with author.role, recipient and content of parts.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from studio.data.exports.exchanges import PAUSE, Chat, Message, read_chats
from studio.data.readers.reading import Reading

KIND = "chatgpt"
TEXTS = ("text", "multimodal_text")  # other contents are thoughts, code for tools, results and settings
ROLES = ("user", "assistant")
NOTE = "Of each conversation the version shown last was read. Tools, pictures and hidden messages are left aside."


def fits(whole: Any) -> bool:
    """Whether a JSON value is a list of conversations, or one of them."""
    first = whole[0] if isinstance(whole, list) and whole else whole
    return isinstance(first, dict) and isinstance(first.get("mapping"), dict) and "current_node" in first


def read(whole: Any, name: str, pause: float | None = PAUSE) -> Reading:
    """One row a conversation, or several around a question without words. `pause` does not cut: people come back to a chat.

    Raises StudioError when there are no messages.
    """
    found = whole if isinstance(whole, list) else [whole]
    chats = (chat for number, item in enumerate(found, start=1) for chat in chats_of(item, number))
    return read_chats(KIND, name, chats, pause=None, notes=[NOTE], me="assistant")


def chats_of(item: Any, number: int) -> Iterator[Chat]:
    """A conversation, parted where a question has no words: what answers a picture alone cannot be learned."""
    if not isinstance(item, dict):
        return
    title = item.get("title") if isinstance(item.get("title"), str) else ""
    part: list[Message] = []
    for message in path_of(item):
        author = message.get("author")
        role = author.get("role") if isinstance(author, dict) else None
        if role not in ROLES or is_aside(message):
            continue
        text = text_of(message.get("content"))
        if role == "user" and not text:
            yield Chat(title, part)
            part = []
        elif text and (part or role == "user"):
            part.append(Message(number, None, role, text))
    yield Chat(title, part)


def path_of(item: dict[str, Any]) -> list[dict[str, Any]]:
    """The messages from the first to the one shown last."""
    mapping = item.get("mapping")
    if not isinstance(mapping, dict):
        return []
    path: list[dict[str, Any]] = []
    seen: set[str] = set()
    here = item.get("current_node")
    while isinstance(here, str) and here not in seen and isinstance(node := mapping.get(here), dict):
        seen.add(here)
        if isinstance(node.get("message"), dict):
            path.append(node["message"])
        here = node.get("parent")
    return path[::-1]


def is_aside(message: dict[str, Any]) -> bool:
    """Whether a message is not part of what the two say to each other."""
    metadata = message.get("metadata")
    hidden = isinstance(metadata, dict) and metadata.get("is_visually_hidden_from_conversation") is True
    content = message.get("content")
    kind = content.get("content_type", "text") if isinstance(content, dict) else ""
    return hidden or message.get("recipient", "all") not in ("all", None) or message.get("weight") == 0 or kind not in TEXTS


def text_of(content: Any) -> str:
    """The words of a message; parts that are pictures or sounds are passed over, unless they hold what was spoken."""
    parts = content.get("parts") if isinstance(content, dict) else None
    words = []
    for part in parts if isinstance(parts, list) else []:
        said = part.get("text") if isinstance(part, dict) else part
        if isinstance(said, str) and said.strip():
            words.append(said.strip())
    return "\n".join(words)
