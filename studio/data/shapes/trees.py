"""Message trees of OpenAssistant: a prompt with replies, which have replies. One path of each tree is followed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from studio.data.shapes.about import Hopeless

NOTE = "Each tree became one chat. Of several replies the best-ranked was taken; without ranks, the first."
COUNTED = False


def fits(item: Any) -> bool:
    """Whether an item is a tree of messages."""
    root = item.get("prompt", item) if isinstance(item, dict) else None
    return isinstance(root, dict) and isinstance(root.get("replies"), list) and "text" in root


def rows(item: dict[str, Any]) -> Iterator[dict[str, Any] | Hopeless]:
    """The best path of a tree, as a chat with role and content."""
    node = item.get("prompt", item)
    path = [node]
    while replies := [reply for reply in replies_of(node) if reply.get("deleted") is not True]:
        node = min(replies, key=rank)  # of equal ranks, min gives the first
        path.append(node)
    if len(path) < 2:
        yield Hopeless("The tree holds no reply.", str(node.get("text"))[:200])
        return
    yield {"messages": [{"role": message.get("role"), "content": message.get("text")} for message in path]}


def replies_of(node: dict[str, Any]) -> list[dict[str, Any]]:
    """The replies to a message that are messages themselves."""
    replies = node.get("replies")
    return [reply for reply in replies if isinstance(reply, dict)] if isinstance(replies, list) else []


def rank(reply: dict[str, Any]) -> float:
    """The rank of a reply: 0 is best, and replies without one come last."""
    value = reply.get("rank")
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else float("inf")
