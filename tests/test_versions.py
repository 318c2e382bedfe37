"""Versions of a data set: their family, what differs, and the way back."""

from __future__ import annotations

import time
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from studio.datasets import DatasetStore
from studio.drafts import Drafts
from studio.errors import NotFound
from studio.records import Dataset, Example
from studio.versions import difference, lineage, restore
from studio.workspace import Workspace

ROWS = "question,answer,note\n" + "".join(f"Question {n}?,Answer {n}.,note {n}\n" for n in range(1, 21))


@pytest.fixture
def drafts(tmp_path: Path) -> Drafts:
    workspace = Workspace(tmp_path / "w")
    return Drafts(workspace, DatasetStore(workspace))


@pytest.fixture
def first(drafts: Drafts) -> Dataset:
    path = drafts.workspace.root / "uploads" / "abc" / "mine.csv"
    path.parent.mkdir(exist_ok=True)
    path.write_text(ROWS, encoding="utf-8")
    return drafts.save(drafts.take_upload(path).draft.id)


def pair(question: str, answer: str) -> Example:
    return Example(messages=({"role": "user", "content": question}, {"role": "assistant", "content": answer}))


def changed(drafts: Drafts, dataset_id: str, changes: dict[int, Example | None], added: int = 0) -> Dataset:
    """A new version with some rows changed."""
    draft_id = drafts.take_dataset(dataset_id).draft.id
    drafts.apply_changes(draft_id, "x", changes)
    for number in range(added):
        drafts.add_row(draft_id, pair(f"New {number}?", "Yes."))
    time.sleep(0.002)  # so that creation times differ
    return drafts.save(draft_id)


def test_rows_that_differ_with_both_texts(drafts: Drafts, first: Dataset) -> None:
    second = changed(drafts, first.id, {1: None, 2: pair("Question 3?", "Better.")}, added=1)
    found = difference(drafts.datasets, first.id, second.id)
    assert found.counts == {"added": 1, "removed": 1, "changed": 1}
    (one,) = found.page("changed")
    assert one.before.messages[1]["content"] == "Answer 3." and one.after.messages[1]["content"] == "Better."
    assert [(item.before.source_row, item.after) for item in found.page("removed")] == [(3, None)]
    assert [item.after.messages[0]["content"] for item in found.page("added")] == ["New 0?"]
    assert found.page("added", start=1) == found.page("nothing") == []
    assert difference(drafts.datasets, first.id, first.id).counts == {"added": 0, "removed": 0, "changed": 0}


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.dictionaries(st.integers(0, 19), st.sampled_from([None, pair("Q", "A")]), max_size=8),
    st.integers(0, 3),
    st.dictionaries(st.integers(0, 19), st.sampled_from([None, pair("Q", "A")]), max_size=8),
)
def test_the_difference_is_symmetric(
    drafts: Drafts, first: Dataset, one: dict[int, Example | None], added: int, other: dict[int, Example | None]
) -> None:
    left, right = changed(drafts, first.id, one, added), changed(drafts, first.id, other)
    there, back = (difference(drafts.datasets, *pair_of) for pair_of in ((left.id, right.id), (right.id, left.id)))
    assert (there.counts["added"], there.counts["removed"]) == (back.counts["removed"], back.counts["added"])
    assert there.counts["changed"] == back.counts["changed"]
    out_left = {row for row, change in one.items() if change is None}
    out_right = {row for row, change in other.items() if change is None}
    assert there.counts["added"] == len(out_left - out_right)
    assert there.counts["removed"] == len(out_right - out_left) + added
    assert left.rows + there.counts["added"] - there.counts["removed"] == right.rows
    assert [item.before for item in there.page("changed", count=99)] == [item.after for item in back.page("changed", count=99)]


def test_a_file_read_another_way_is_matched_by_its_rows(drafts: Drafts, first: Dataset) -> None:
    draft_id = drafts.take_dataset(first.id).draft.id
    drafts.choose_column(draft_id, "answer", "note")
    drafts.remove_rows(draft_id, [0, 1])
    found = difference(drafts.datasets, first.id, drafts.save(draft_id).id)
    assert found.counts == {"added": 0, "removed": 2, "changed": 18}
    assert found.page("changed")[0].after.messages[1]["content"] == "note 3"


def test_a_family_in_any_order_and_with_gaps(drafts: Drafts, first: Dataset) -> None:
    store = drafts.datasets
    second = changed(drafts, first.id, {0: None})
    third, fourth = changed(drafts, second.id, {1: None}), changed(drafts, second.id, {2: None})
    for item in (first, second, third, fourth):
        assert [record.id for record in lineage(store, item.id)] == [fourth.id, third.id, second.id, first.id]
    store.delete(second.id)
    assert [record.id for record in lineage(store, third.id)] == [fourth.id, third.id]
    assert [record.id for record in lineage(store, first.id)] == [first.id]
    assert len(store.rows(third.id)) == 18 and difference(store, first.id, third.id).counts["removed"] == 2
    assert len(drafts.take_dataset(third.id).rows) == 18
    with pytest.raises(NotFound):
        lineage(store, second.id)
    with pytest.raises(NotFound):
        difference(store, first.id, second.id)


def test_an_old_version_comes_back_as_the_newest(drafts: Drafts, first: Dataset) -> None:
    store = drafts.datasets
    second = changed(drafts, first.id, {0: None}, added=1)
    third = changed(drafts, second.id, {1: None})
    back = restore(store, second.id)
    assert back.parent == third.id and back.id not in {first.id, second.id, third.id}
    assert back.sha256 == second.sha256 and store.get(back.id) == back
    assert difference(store, second.id, back.id).counts == {"added": 0, "removed": 0, "changed": 0}
    assert lineage(store, first.id)[0].id == back.id
    for item in (first, second, third):
        store.delete(item.id)
    again = drafts.take_dataset(back.id)
    assert list(again.rows) == store.rows(back.id) and len(again.log.done) == 2
    with pytest.raises(NotFound):
        restore(store, third.id)


@pytest.mark.long
def test_many_rows_need_little_memory(drafts: Drafts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("studio.datasets.ROWS_AT_ONCE", 128)
    store, count = drafts.datasets, 3000
    rows = [pair(f"Question {number}? " + "word " * 1000, "Yes.") for number in range(count)]
    about = {"format": "pairs", "seed": 1, "mapping": {}, "reading": {}}
    one = store.create("one", rows, ["train"] * count, **about)
    two = store.create("two", [*rows[:-5], pair("Q", "A")], ["train"] * (count - 4), **about)
    tracemalloc.start()
    found = difference(store, one.id, two.id)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found.counts == {"added": 0, "removed": 4, "changed": 1}
    assert peak < 4_000_000 < sum(len(row.messages[0]["content"]) for row in rows) / 3
    assert found.page("changed")[0].after == pair("Q", "A")
