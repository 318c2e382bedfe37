"""All finders over a text, an example, and rows.

Where finders overlap, the surest hit wins, then the longest. Stand-ins that this app wrote are passed over, so that mended rows
are not reported again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import NamedTuple

from studio.data.privacy import address, birth, names, national, numbers, online, phone, secrets
from studio.data.privacy.hits import Clues, Hit
from studio.data.privacy.standins import is_standin
from studio.records import Example

FINDERS = (secrets.find, numbers.find, national.find, online.find, phone.find, address.find, birth.find, names.find)
PARTS = {"user": "question", "assistant": "answer", "system": "system"}
"""Role of a turn -> the column of the page; a plain text is `text`."""
EVERY = 1000  # rows between two reports of progress


class Spot(NamedTuple):
    """Where a hit is within an example: `turn` counts its messages from 0, and is 0 for a plain text."""

    turn: int
    kind: str
    start: int
    end: int
    sure: float


@dataclass
class Summary:
    """What rows hold. `counts` has hits a kind, `parts` the same for question, answer, system and text; `rows` by position."""

    counts: Counter[str] = field(default_factory=Counter)
    parts: dict[str, Counter[str]] = field(default_factory=dict)
    rows: dict[int, tuple[Spot, ...]] = field(default_factory=dict)


def scan(text: str) -> list[Hit]:
    """The personal data and secrets in a text, in its order and without overlaps."""
    clues = Clues(text)
    return without_overlaps(len(text), chain.from_iterable(find(text, clues) for find in FINDERS))


def without_overlaps(length: int, found: Iterable[Hit]) -> list[Hit]:
    """Hits in the order of the text; of those that overlap the surest, then the longest stays."""
    hits = [one for one in found if not is_standin(one)]
    if len(hits) < 2:
        return hits
    taken = bytearray(length)
    kept = []
    for one in sorted(hits, key=lambda one: (-one.sure, one.start - one.end, one.start)):
        if taken.find(1, one.start, one.end) < 0:
            taken[one.start : one.end] = b"\x01" * (one.end - one.start)
            kept.append(one)
    return sorted(kept, key=lambda one: one.start)


def texts(example: Example) -> Iterator[tuple[str, str]]:
    """The texts of an example, each with the part it belongs to."""
    if example.messages:
        for message in example.messages:
            yield PARTS.get(message["role"], message["role"]), message["content"]
    else:
        yield "text", example.text


def spots(example: Example) -> tuple[Spot, ...]:
    """Where an example holds personal data. A person named in one turn is found by either name in the others, too."""
    found = [(text, scan(text)) for _, text in texts(example)]
    named = frozenset(chain.from_iterable(names.pieces(one.text) for _, hits in found for one in hits if one.kind == "name"))
    if named:
        found = [(text, without_overlaps(len(text), [*hits, *names.again(text, named)])) for text, hits in found]
    return tuple(
        Spot(turn, one.kind, one.start, one.end, one.sure) for turn, (_, hits) in enumerate(found) for one in hits
    )


def scan_rows(rows: Sequence[Example], progress: Callable[[int, int], None] | None = None) -> Summary:
    """What rows hold, in one pass. `progress` is told the rows done and their number now and then."""
    summary = Summary()
    for position, example in enumerate(rows):
        if progress and position % EVERY == 0:
            progress(position, len(rows))
        if found := spots(example):
            summary.rows[position] = found
            parts = [part for part, _ in texts(example)]
            for spot in found:
                summary.counts[spot.kind] += 1
                summary.parts.setdefault(spot.kind, Counter())[parts[spot.turn]] += 1
    if progress:
        progress(len(rows), len(rows))
    return summary
