"""Edits of rows: the rows after them, ids that stay, undo and redo, JSON, and no texts copied."""

from __future__ import annotations

import json
import sys
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from studio.data.edits import Edit, Edited, Kept, Log, apply, kept, next_id
from studio.errors import NotFound, StudioError
from studio.records import Example


def pair(question: str, answer: str = "Yes.", row: int = 0) -> Example:
    return Example(messages=({"role": "user", "content": question}, {"role": "assistant", "content": answer}), source_row=row)


def rows(count: int) -> list[Example]:
    return [pair(f"Question {number}?", row=number + 2) for number in range(count)]


def model(base: list[Example], edits: tuple[Edit, ...]) -> dict[int, Example]:
    """What edits do, in the plainest way."""
    found = dict(enumerate(base))
    for edit in edits:
        for row, example in edit.changes.items():
            found.pop(row, None)
            if example is not None:
                found[row] = example
    return dict(sorted(found.items()))


changes = st.dictionaries(
    st.integers(0, 14), st.none() | st.builds(pair, st.text(st.characters(exclude_categories=["Cs"]), max_size=5)), max_size=6
)


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 10), st.lists(changes, max_size=8))
def test_rows_after_edits_are_what_a_plain_model_says(count: int, made: list[dict[int, Example | None]]) -> None:
    base = rows(count)
    edits = tuple(Edit("x", change) for change in made)
    found, expected = apply(base, edits), model(base, edits)
    assert list(found.ids) == list(expected)
    assert list(found) == [found[at] for at in range(len(found))] == list(expected.values())
    assert found[1:4] == list(expected.values())[1:4]
    assert all(found.position(row) == at and found.row(row) == found[at] for at, row in enumerate(found.ids))
    for row in {*range(16)} - expected.keys():
        with pytest.raises(NotFound):
            found.position(row)
    assert next_id(count, edits) >= max([count, *(row + 1 for edit in edits for row in edit.changes)])
    assert [Edit.from_json(json.loads(json.dumps(edit.to_json()))) for edit in edits] == list(edits)


@settings(max_examples=100, deadline=None)
@given(st.lists(changes, min_size=1, max_size=8), st.lists(st.sampled_from(["undo", "redo"]), max_size=20))
def test_undo_and_redo_go_back_and_forth(made: list[dict[int, Example | None]], ways: list[str]) -> None:
    base, log = rows(8), Log()
    for change in made:
        log = log.add(Edit("x", change))
    end = apply(base, log.done)
    for way in ways:
        try:
            log = getattr(log, way)()
        except StudioError:
            assert log.cursor == (0 if way == "undo" else len(made))
    while log.cursor:
        log = log.undo()
    assert list(apply(base, log.done)) == base
    while log.cursor < len(made):
        log = log.redo()
    assert apply(base, log.done) == end
    shorter = log.undo().add(Edit("y", {0: None}))
    assert len(shorter.edits) == len(made) and shorter.edits[-1].label == "y"
    with pytest.raises(StudioError):
        shorter.redo()


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"label": "x", "at": 1, "rows": [], "out": []},
        {"label": "x", "at": 1, "rows": {"a": {}}, "out": []},
        {"label": "x", "at": 1, "rows": {"-1": {}}, "out": []},
        {"label": "x", "at": 1, "rows": {}, "out": [2**60]},
        {"label": "x", "at": 1, "rows": {}, "out": 3},
        {"label": "x", "at": None, "rows": {}, "out": []},
        {"label": "x", "at": 1, "rows": {"1": {"messages": [{"role": "user"}]}}, "out": []},
        {"label": "x", "at": 1, "rows": {"1": {"messages": ["a"]}}, "out": []},
        {"label": "x", "at": 1, "rows": {"1": {"text": 5}}, "out": []},
        {"label": "x", "at": 1, "rows": {"1": 5}, "out": []},
    ],
)
def test_what_is_no_edit_is_refused(values: dict) -> None:
    with pytest.raises(ValueError):
        Edit.from_json(values)


@pytest.mark.parametrize("row", [-1, 3, True, None, "1", 2**70])
def test_an_id_that_never_was_is_not_found(row: object) -> None:
    with pytest.raises(NotFound):
        apply(rows(3)).position(row)


def test_many_rows_are_neither_copied_nor_read_all_at_once() -> None:
    base = [pair(f"Question {number}? " + "word " * 40, row=number) for number in range(50_000)]
    log = Log()
    tracemalloc.start()
    for number in range(200):
        log = log.add(Edit("out", {number * 7: None, number * 7 + 1: pair("new")}))
    found = apply(base, log.done)
    used = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    texts = sum(sys.getsizeof(item["content"]) for example in base for item in example.messages)
    assert len(found) == 49_800
    assert used < 1_000_000 < texts / 10
    kept = [example for row, example in zip(found.ids, found, strict=True) if row not in found.changed]
    assert all(example is base[example.source_row] for example in kept)


def test_rows_from_the_disk_are_asked_for_one_by_one() -> None:
    class Disk(list):
        asked = 0

        def __getitem__(self, at: int) -> Example:
            Disk.asked += 1
            return super().__getitem__(at)

    found = apply(Disk(rows(1000)), [Edit("x", {3: None, 5: pair("new")})])
    assert isinstance(found, Edited) and Disk.asked == 0
    assert found[500].source_row == 503 and Disk.asked == 1


def test_a_decision_is_undone_by_a_change_of_its_row() -> None:
    mail = Kept("personal:email", (1, 2, 3))
    edits = [Edit("Keep", {}, 5.0, mail), Edit("Changed", {2: pair("a", "b")}, 6.0)]
    assert kept(edits) == {"personal:email": {1: 5.0, 3: 5.0}}
    assert kept([*edits, Edit("Again", {}, 7.0, Kept("personal:email", (3,), keep=False))]) == {"personal:email": {1: 5.0}}
    assert [Edit.from_json(edit.to_json()) for edit in edits] == edits
    with pytest.raises(ValueError, match="no edit"):
        Edit.from_json({**edits[0].to_json(), "kept": {"what": "x", "ids": None, "keep": True}})
