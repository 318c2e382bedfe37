"""A conversation of one page: plain dicts in a gr.State, and how they look. No text of a person or model becomes markup.

A turn is {"run": id, "user": text, "answers": {side: {"text", "note", "done"}}}; sides are "base" and "tuned".
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any

from markupsafe import Markup

from studio.errors import StudioError
from studio.ui import pieces
from studio.ui import words_runs as words

MOST_TURNS = 30
MOST_CHARACTERS = 8000  # of a message; about 2,000 tokens, the starter's whole context
SHOWN_CHARACTERS = 20000  # of an answer
SIDES = {words.TUNED: ("tuned",), words.BOTH: ("base", "tuned")}
NAMES = {"base": "Base", "tuned": "Tuned"}
KEPT_MARKS = {"\u200c", "\u200d"}  # joiners that Persian, Hindi and emoji are written with
ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|.)?")


def clean(text: Any) -> str:
    """Text without terminal codes, invisible and direction-changing characters; line breaks and tabs stay."""
    plain = ESCAPES.sub("", text if isinstance(text, str) else "").replace("\r\n", "\n").replace("\r", "\n")
    return "".join(char for char in plain if char in "\n\t" or char in KEPT_MARKS or not _unseen(char)).strip()


def _unseen(char: str) -> bool:
    return unicodedata.category(char) in {"Cc", "Cf", "Cs", "Cn", "Co"}


def checked_message(message: Any, turns: Sequence[dict[str, Any]]) -> str:
    """The message fit to be sent. Raises StudioError when it is empty or too long, or the conversation is full."""
    if isinstance(message, str) and len(message) > MOST_CHARACTERS:
        why = words.TOO_LONG_WHY.format(count=f"{len(message):,}", most=f"{MOST_CHARACTERS:,}")
        raise StudioError(words.TOO_LONG, why, words.TOO_LONG_FIX)
    text = clean(message)
    if not text:
        raise StudioError(words.EMPTY_MESSAGE, words.EMPTY_MESSAGE_WHY, words.EMPTY_MESSAGE_FIX)
    if len(turns) >= MOST_TURNS:
        raise StudioError(words.FULL_CHAT, words.FULL_CHAT_WHY.format(most=MOST_TURNS), words.FULL_CHAT_FIX)
    return text


def checked_number(value: Any, label: str, low: float, high: float, *, whole: bool = False) -> float:
    """A number from a form. Raises StudioError outside low..high, and for what is no number."""
    number = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    if not number or not low <= value <= high or (whole and value != int(value)):
        raise StudioError("Nothing was sent.", f"“{label}” must be between {low:g} and {high:g}.", "Change it and send again.")
    return int(value) if whole else float(value)


def known_turns(turns: Any, run_id: str) -> list[dict[str, Any]]:
    """The turns of this page that belong to the run; anything else is forgotten."""
    found = [turn for turn in turns if isinstance(turn, dict) and turn.get("run") == run_id] if isinstance(turns, list) else []
    return found[-MOST_TURNS:]


def new_turn(run_id: str, message: str, sides: Iterable[str], note: str) -> dict[str, Any]:
    """A question that nobody answered yet."""
    return {"run": run_id, "user": message, "answers": {side: {"text": "", "note": note, "done": False} for side in sides}}


def end_turn(turn: dict[str, Any], note: str = "") -> None:
    """Close a turn: what is there stays, with `note` on the answers that had not ended by themselves."""
    for answer in turn["answers"].values():
        if not answer["done"]:
            answer |= {"note": note, "done": True}


def history(turns: Sequence[dict[str, Any]], side: str) -> list[dict[str, str]]:
    """What one side has been asked and answered itself, and the newest question. It never sees the other's answers."""
    messages: list[dict[str, str]] = []
    for turn in turns[:-1]:
        answer = turn["answers"].get(side, {}).get("text", "")
        if answer:
            messages += [{"role": "user", "content": turn["user"]}, {"role": "assistant", "content": answer}]
    return [*messages, {"role": "user", "content": turns[-1]["user"]}]


def speed(tokens_per_second: float | None, first_token_seconds: float | None) -> str:
    """ "18 tokens/s, first word after 0.4 s"."""
    if not tokens_per_second or first_token_seconds is None:
        return ""
    rate = f"{tokens_per_second:.0f}" if tokens_per_second >= 10 else f"{tokens_per_second:.1f}"
    return f"{rate} tokens/s, first word after {first_token_seconds:.1f} s"


def talk(turns: Sequence[dict[str, Any]], *, writing: bool = False) -> Markup:
    """The whole conversation."""
    if not turns:
        return Markup('<p class="muted">{}</p>').format(words.EMPTY_CHAT)
    shown = pieces.join(turn_html(turn) for turn in turns)
    return Markup('<div class="talk" role="log" tabindex="0" aria-label="Conversation" aria-busy="{}">{}</div>').format(
        "true" if writing else "false", shown
    )


def turn_html(turn: dict[str, Any]) -> Markup:
    """A question and its one or two answers."""
    cards = [answer_html(side, answer) for side, answer in turn["answers"].items()]
    return Markup('<div class="turn">{}<div class="{}">{}</div></div>').format(
        pieces.bubbles([{"role": "user", "content": turn["user"]}], limit=MOST_CHARACTERS),
        "duo" if len(cards) > 1 else "solo",
        pieces.join(cards),
    )


def answer_html(side: str, answer: dict[str, Any]) -> Markup:
    """One answer: who, what, how fast. A caret while it is being written."""
    base = "base" if side == "base" else ""
    text = pieces.lines(pieces.short(clean(answer["text"]), SHOWN_CHARACTERS))
    if not answer["done"]:
        text += Markup('<span class="caret {}" aria-hidden="true"></span>').format(base)
    elif not text and not answer["note"].startswith(words.CUT):
        text = Markup('<span class="muted">{}</span>').format(words.NO_WORDS)
    return Markup(
        '<div class="answer {}"><div class="who"><span class="dot {}"></span>{}</div>'
        '<div class="said">{}</div><div class="small muted tools">{}</div></div>'
    ).format(base, base, NAMES[side], text, answer["note"])
