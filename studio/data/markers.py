"""Signs that chat templates put between turns. In a person's text they could pass for the end or the start of a turn."""

from __future__ import annotations

import re
from collections.abc import Iterable

TEXT_MARKERS = ("[INST]", "[/INST]", "<<SYS>>", "<</SYS>>", "### User:", "### Assistant:", "<|im_start|>", "<|im_end|>")
"""Signs that some templates write as ordinary text: Llama 2, Mistral, and those a person can choose for a model without one."""

KNOWN_MARKERS = re.compile(
    r"<\|[A-Za-z][A-Za-z0-9_ ]{1,40}\|>"  # ChatML, Llama 3, Phi, GPT-2 and their kin
    r"|<｜[^｜<>\n]{2,40}｜>"  # DeepSeek
    r"|</?(?:start|end)_of_turn>|<(?:bos|eos|pad)>"  # Gemma
    r"|\[/?INST\]|<</?SYS>>"  # Llama 2, Mistral
    r"|^<s>|</s>$"  # only where a turn could begin or end: both are HTML, too
)


def find_marker(text: str) -> str:
    """The first sign of a well-known chat template inside `text`, or an empty text."""
    if "<" not in text and "[" not in text:  # each sign has one of them; most texts have neither, and this takes no time
        return ""
    found = KNOWN_MARKERS.search(text)
    return found.group() if found else ""


def pattern_of(markers: Iterable[str]) -> re.Pattern[str] | None:
    """A pattern that finds any of `markers`, longest first; None when there is nothing to find.

    Single characters are passed over: they are ordinary letters that a tokenizer happens to call special.
    """
    wanted = sorted({marker for marker in markers if len(marker) > 1}, key=len, reverse=True)
    return re.compile("|".join(map(re.escape, wanted))) if wanted else None


def defuse(text: str, pattern: re.Pattern[str] | None) -> str:
    """`text` with a space after the first letter of every marker, so that it is read as text and ends no turn."""
    while pattern and pattern.search(text):
        text = pattern.sub(lambda found: f"{found.group()[0]} {found.group()[1:]}", text)
    return text
