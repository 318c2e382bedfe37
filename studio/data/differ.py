"""What changed in one row, word by word, for a person to read."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Literal

from studio.records import Example

Kind = Literal["kept", "added", "removed"]
Span = tuple[Kind, str]

MOST_WORDS = 3000  # on either side; a longer change is shown as a whole, since comparing takes time with the square
EACH = "\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff"  # Thai, Japanese, Chinese: no spaces between words, so each letter is one
WORDS = re.compile(rf"\s+|[{EACH}]|[^\W{EACH}]+|[^\w\s]")


@dataclass(frozen=True)
class Part:
    """One turn of a row (`role` is text for plain text). The kept and removed spans joined give the old text."""

    role: str
    spans: tuple[Span, ...]

    @property
    def changed(self) -> bool:
        """Whether anything differs."""
        return any(kind != "kept" for kind, _ in self.spans)


def describe(before: Example | None, after: Example | None) -> tuple[Part, ...]:
    """The difference of one row; None stands for a row that was not there before, or is not there after."""
    old, new = parts_of(before), parts_of(after)
    roles, new_roles = [role for role, _ in old], [role for role, _ in new]
    whole = ("equal", 0, len(old), 0, len(new))
    steps = [whole] if roles == new_roles else SequenceMatcher(None, roles, new_roles).get_opcodes()
    found: list[Part] = []
    for kind, start, end, other_start, other_end in steps:
        if kind == "equal":
            pairs = zip(old[start:end], new[other_start:other_end], strict=True)
            found += [Part(role, spans(was, now)) for (role, was), (_, now) in pairs]
        else:
            found += [Part(role, spans(was, "")) for role, was in old[start:end]]
            found += [Part(role, spans("", now)) for role, now in new[other_start:other_end]]
    return tuple(found)


def spans(before: str, after: str) -> tuple[Span, ...]:
    """Pieces of text that were kept, removed and added, in reading order."""
    old, new = WORDS.findall(before), WORDS.findall(after)
    start = common(old, new)
    end = common(old[start:][::-1], new[start:][::-1])
    old_middle, new_middle = old[start : len(old) - end], new[start : len(new) - end]
    found: list[Span] = [("kept", "".join(old[:start]))]
    if max(len(old_middle), len(new_middle)) > MOST_WORDS:
        found += [("removed", "".join(old_middle)), ("added", "".join(new_middle))]
    else:
        found += compared(old_middle, new_middle)
    found.append(("kept", "".join(old[len(old) - end :])))
    return tuple((kind, text) for kind, text in found if text)


def compared(old: Sequence[str], new: Sequence[str]) -> Iterator[Span]:
    """The spans of two lists of words."""
    for kind, start, end, other_start, other_end in SequenceMatcher(None, old, new).get_opcodes():
        if kind == "equal":
            yield "kept", "".join(old[start:end])
        else:
            yield "removed", "".join(old[start:end])
            yield "added", "".join(new[other_start:other_end])


def common(one: Sequence[str], other: Sequence[str]) -> int:
    """How many words both begin with alike."""
    shorter = min(len(one), len(other))
    return next((index for index in range(shorter) if one[index] != other[index]), shorter)


def parts_of(example: Example | None) -> list[tuple[str, str]]:
    """The turns of a row as (role, text)."""
    if example is None:
        return []
    return [(item["role"], item["content"]) for item in example.messages] or [("text", example.text)]
