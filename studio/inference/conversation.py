"""What may be asked of a model: checks of a conversation and its settings before anything is computed."""

from __future__ import annotations

import math
from collections.abc import Sequence

from studio.errors import StudioError

SIDES = ("base", "tuned")
ROLES = frozenset({"system", "user", "assistant"})
MAX_CHARACTERS = 200_000  # of a whole conversation; more is refused before it is tokenised
MAX_NEW_TOKENS = 4096


def check_messages(messages: Sequence[dict[str, str]]) -> None:
    """Refuse what cannot be a conversation. Raises StudioError."""
    fix = "Write a question and send it again."
    if not isinstance(messages, (list, tuple)) or not messages:
        raise StudioError("Nothing was asked.", "The message is empty.", fix)
    for message in messages:
        known = isinstance(message, dict) and message.get("role") in ROLES and isinstance(message.get("content"), str)
        if not known:
            raise StudioError("The conversation cannot be read.", "A turn of it is not text by a known speaker.", "Start over.")
    if any(message["role"] == "system" for message in messages[1:]):
        raise StudioError("The conversation cannot be read.", "Opening words stand in the middle of it.", "Start over.")
    if messages[-1]["role"] != "user" or not messages[-1]["content"].strip():
        raise StudioError("Nothing was asked.", "The message is empty.", fix)
    size = sum(len(message["content"]) for message in messages)
    if size > MAX_CHARACTERS:
        raise StudioError(
            "The conversation is too long.", f"It has {size:,} characters; {MAX_CHARACTERS:,} are allowed.", "Ask in fewer words."
        )


def check_numbers(sides: tuple[str, ...], temperature: float, max_new_tokens: int) -> None:
    """Refuse settings no form sends. Raises StudioError."""
    fair = isinstance(temperature, (int, float)) and not isinstance(temperature, bool) and math.isfinite(temperature)
    whole = isinstance(max_new_tokens, int) and not isinstance(max_new_tokens, bool)
    if not fair or not 0 <= temperature <= 2:
        raise StudioError("Nothing was asked.", "The temperature must be between 0 and 2.", "Change it and send again.")
    if not whole or not 1 <= max_new_tokens <= MAX_NEW_TOKENS:
        raise StudioError("Nothing was asked.", f"An answer may have 1 to {MAX_NEW_TOKENS} tokens.", "Change it and send again.")
    if not sides or len(set(sides)) != len(sides) or not set(sides) <= set(SIDES):
        raise StudioError("Nothing was asked.", "No model was named to answer.", "Choose tuned, or both.")
