"""Rows are counted by kind and part in one pass."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from studio.data.privacy import scan as module
from studio.data.privacy.scan import Spot, batches, scan_rows
from studio.records import Example


def pair(question: str, answer: str, system: str = "") -> Example:
    turns = [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
    return Example(messages=(*([{"role": "system", "content": system}] if system else []), *turns))


class Once(Sequence):
    """Rows that may be gone through a single time, in order."""

    def __init__(self, rows: list[Example]) -> None:
        self.rows, self.passes = rows, 0

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, place):
        raise AssertionError("rows are read in order")

    def __iter__(self) -> Iterator[Example]:
        self.passes += 1
        return iter(self.rows)


def test_hits_are_counted_by_kind_and_part_with_their_places() -> None:
    rows = Once(
        [
            pair("My mail is a.b@mail.de", "Thanks", "Ask c.d@mail.de"),
            pair("Nothing", "here"),
            Example(text="Card 4111 1111 1111 1111 of e.f@mail.de"),
        ]
    )
    told: list[tuple[int, int]] = []
    summary = scan_rows(rows, lambda done, of: told.append((done, of)))
    assert rows.passes == 1 and told == [(0, 3), (3, 3)]
    assert summary.counts == {"email": 3, "card": 1}
    assert summary.parts == {"email": {"question": 1, "system": 1, "text": 1}, "card": {"text": 1}}
    assert sorted(summary.rows) == [0, 2]
    assert summary.rows[0] == (Spot(0, "email", 4, 15, 0.98), Spot(1, "email", 11, 22, 0.98))


def test_batches_end_at_their_number_or_their_size(monkeypatch) -> None:
    monkeypatch.setattr(module, "BATCH", 3)
    rows = [Example(text=str(number)) for number in range(8)]
    assert [(begin, len(batch)) for begin, batch in batches(rows)] == [(0, 3), (3, 3), (6, 2)]
    monkeypatch.setattr(module, "BATCH_SIZE", 0)
    assert [begin for begin, _ in batches(rows)] == list(range(8))
    assert list(batches([])) == []


def test_half_a_surrogate_pair_stops_nothing() -> None:
    assert [one.text for one in module.scan("\ud83d a.b@mail.de")] == ["a.b@mail.de"]
