"""All finders over a text, an example, and rows.

Where finders overlap, the surest hit wins, then the longest. Stand-ins that this app wrote are passed over, so that mended rows
are not reported again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import NamedTuple

from studio.data.privacy import address, birth, names, national, numbers, online, phone, secrets
from studio.data.privacy.hits import Hit
from studio.data.privacy.standins import is_standin
from studio.records import Example

FINDERS = (secrets, numbers, national, online, phone, address, birth, names)
PARTS = {"user": "question", "assistant": "answer", "system": "system"}
"""Role of a turn -> the column of the page; a plain text is `text`."""
BATCH = 1000  # rows that are looked at together
BATCH_SIZE = 2**22  # characters, after which a batch is full
LITTLE = 2000  # characters; preparing RE2 takes some milliseconds, in which the finders have read as much themselves


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
    return scan_all([text])[0]


def scan_all(texts: Sequence[str]) -> list[list[Hit]]:
    """The same for several texts, which is much faster than one by one."""
    found: list[list[Hit]] = [[] for _ in texts]
    for finder, places in zip(FINDERS, likely_places(texts), strict=True):
        for place in places:
            found[place].extend(finder.find(texts[place]))
    return [without_overlaps(len(text), hits) if hits else hits for text, hits in zip(texts, found, strict=True)]


def likely_places(texts: Sequence[str]) -> list[Sequence[int]]:
    """For each finder, which texts may hold something."""
    if sum(map(len, texts)) < LITTLE:
        return [range(len(texts))] * len(FINDERS)
    import pyarrow as pa  # noqa: PLC0415 - 100 ms

    array = pa.array([text.encode("utf-8", "replace").decode() for text in texts], pa.large_string())
    return [finder.likely(array).to_numpy(zero_copy_only=False).nonzero()[0].tolist() for finder in FINDERS]


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


def texts_of(example: Example) -> list[tuple[str, str]]:
    """The texts of an example, each with the part it belongs to."""
    if example.messages:
        return [(PARTS.get(message["role"], message["role"]), message["content"]) for message in example.messages]
    return [("text", example.text)]


def spots(examples: Sequence[Example]) -> list[tuple[Spot, ...]]:
    """Where each example holds personal data. A person named in one turn is found by either name in the others, too."""
    rows = [[text for _, text in texts_of(example)] for example in examples]
    found = iter(scan_all([text for texts in rows for text in texts]))
    return [placed(texts, list(islice(found, len(texts)))) for texts in rows]


def placed(texts: Sequence[str], found: Sequence[list[Hit]]) -> tuple[Spot, ...]:
    """The spots of an example whose texts were scanned."""
    named = frozenset(piece for hits in found for one in hits if one.kind == "name" for piece in names.pieces(one.text))
    if named:
        found = [without_overlaps(len(text), [*hits, *names.again(text, named)]) for text, hits in zip(texts, found, strict=True)]
    return tuple(Spot(turn, one.kind, one.start, one.end, one.sure) for turn, hits in enumerate(found) for one in hits)


def scan_rows(rows: Sequence[Example], progress: Callable[[int, int], None] | None = None) -> Summary:
    """What rows hold, in one pass. `progress` is told the rows done and their number now and then."""
    summary = Summary()
    for begin, batch in batches(rows):
        if progress:
            progress(begin, len(rows))
        for position, (example, found) in enumerate(zip(batch, spots(batch), strict=True), begin):
            if found:
                summary.rows[position] = found
                parts = [part for part, _ in texts_of(example)]
                for spot in found:
                    summary.counts[spot.kind] += 1
                    summary.parts.setdefault(spot.kind, Counter())[parts[spot.turn]] += 1
    if progress:
        progress(len(rows), len(rows))
    return summary


def batches(rows: Iterable[Example]) -> Iterator[tuple[int, list[Example]]]:
    """Rows by the thousand, or fewer where they are long, each batch with the position of its first row."""
    batch: list[Example] = []
    begin = size = 0
    for position, example in enumerate(rows):
        batch.append(example)
        size += sum(len(text) for _, text in texts_of(example))
        if len(batch) == BATCH or size > BATCH_SIZE:
            yield begin, batch
            batch, begin, size = [], position + 1, 0
    if batch:
        yield begin, batch
