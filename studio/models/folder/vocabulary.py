"""A tokenizer.json of unknown origin: what in it could hang or swell, found by reading; then used on a few texts.

Only called in the child process of probe.py: reading and using it may take any time and memory up to that process's limits.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

MAX_PATTERN = 2_000  # characters of a regular expression; o200k's, the longest in wide use, has 300
MAX_STEPS = 64  # of a normalizer or another chain; published ones have up to about ten
MAX_GROWTH = 64  # characters that normalizing may make of one
MAX_TOKEN = 4_096  # characters of an added token
MAX_ADDED = 20_000  # added tokens; Gemma 3, with many, has some 6,400
MAX_WORDS = 4_000_000
MAX_TOKENS_PER_BYTE = 2  # byte fallback needs one; a space put before it another
CHAINS = ("normalizer", "pre_tokenizer", "post_processor", "decoder")
RUN = 5_000  # characters of a run that a backtracking expression would stumble over
TEXTS = [
    "Good morning. What's new at 6:40?\n\n  Grüße, 日本語, العربية, 🙂",
    *(piece * RUN + end for piece in ("a", "A", " ", "\n", "1", "-", "é", "aA", "a ") for end in ("", "!", "\x00")),
]


class Unusable(Exception):
    """The tokenizer could hang, swell, or not be used."""


def check_vocabulary(path: Path) -> None:
    """Raise Unusable where the file's parts are nested repeats, growing replacements, or more than any real tokenizer has."""
    try:
        about = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise Unusable(str(error)) from error
    if not isinstance(about, dict) or not isinstance(about.get("model"), dict):
        raise Unusable("it is no tokenizer")
    words, added = about["model"].get("vocab"), about.get("added_tokens") or []
    if not isinstance(words, (dict, list)) or len(words) > MAX_WORDS or not isinstance(added, list) or len(added) > MAX_ADDED:
        raise Unusable("its vocabulary has no sensible size")
    if any(len(str(item)) > MAX_TOKEN for item in added):
        raise Unusable("an added token is very long")
    for name in CHAINS:
        steps = list(_objects(about.get(name)))
        if len(steps) > MAX_STEPS:
            raise Unusable(f"its {name} has too many steps")
        growth = 1
        for step in steps:
            for key in ("content", "prepend"):
                growth *= max(1, len(step[key])) if isinstance(step.get(key), str) else 1
            if isinstance(step.get("Regex"), str) and risky(step["Regex"]):
                raise Unusable("a regular expression could run for ever")
        if growth > MAX_GROWTH:
            raise Unusable(f"its {name} makes much of little")


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    """Every object in nested JSON. Stops beyond any sensible number of them."""
    waiting, seen = [value], 0
    while waiting and seen <= 8 * MAX_STEPS:
        item = waiting.pop()
        if isinstance(item, dict):
            seen += 1
            yield item
            waiting += item.values()
        elif isinstance(item, list):
            waiting += item


def risky(pattern: str) -> bool:
    """Whether a regular expression is very long, or repeats without end a group that itself repeats without end: (a+)+.

    Those take time exponential in the text where it does not match. No tokenizer in wide use has one.
    """
    if len(pattern) > MAX_PATTERN:
        return True
    repeats = [False]  # for each open group: whether something in it repeats without end
    place, closed = 0, False
    while place < len(pattern):
        sign = pattern[place]
        step = 1
        if sign == "\\":
            step, closed = 2, False
        elif sign == "[":
            step, closed = _class_length(pattern[place:]), False
        elif sign == "(":
            repeats.append(False)
            closed = False
        elif sign == ")" and len(repeats) > 1:
            closed = repeats.pop()
            repeats[-1] = repeats[-1] or closed
        elif sign in "*+{":
            endless, step = (True, 1) if sign != "{" else _counted(pattern[place:])
            if endless and closed:
                return True
            repeats[-1] = repeats[-1] or endless
        elif sign != "?":  # what makes a repeat lazy or possible leaves it a repeat
            closed = False
        place += step
    return False


def _class_length(rest: str) -> int:
    """Characters of the class that `rest` begins with, nested ones included, such as [^\\s[:punct:]]."""
    depth, place = 0, 0
    while place < len(rest):
        if rest[place] == "\\":
            place += 1
        elif rest[place] == "[":
            depth += 1
        elif rest[place] == "]" and place > 1:
            depth -= 1
            if depth == 0:
                return place + 1
        place += 1
    return len(rest)


def _counted(rest: str) -> tuple[bool, int]:
    """(whether it has no small end, its length) of a counted repeat such as {3,} or {1,9999}; (False, 1) for a mere brace."""
    inside, brace, _ = rest[1:].partition("}")
    least, comma, most = inside.partition(",")
    limit = most if comma else least
    if not brace or not (least + most).isdecimal():
        return False, 1
    return not limit or int(limit) > MAX_STEPS, len(inside) + 2


def try_tokenizer(path: Path) -> None:
    """Load the tokenizer and take a few texts through it and back. Raises Unusable."""
    from tokenizers import Tokenizer  # noqa: PLC0415 - only once its file was looked at

    try:
        tokenizer = Tokenizer.from_file(str(path))
        tokenizer.no_truncation()
        tokenizer.no_padding()
        for text in TEXTS:
            ids = tokenizer.encode(text, add_special_tokens=True).ids
            if len(ids) > MAX_TOKENS_PER_BYTE * len(text.encode()) + 16:
                raise Unusable("it makes many tokens of a short text")
            if len(tokenizer.decode(ids, skip_special_tokens=False)) > MAX_GROWTH * len(text) + MAX_TOKEN:
                raise Unusable("it makes a long text of few tokens")
    except Unusable:
        raise
    except Exception as error:
        raise Unusable(str(error)) from error
