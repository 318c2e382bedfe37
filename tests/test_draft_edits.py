"""Rows of a draft are changed, taken out and added; all of it survives, can be undone, and goes into the data set."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from studio.data.convert import convert
from studio.datasets import DatasetStore
from studio.drafts import Drafts, Opened
from studio.errors import NotFound, StudioError
from studio.records import Example
from studio.workspace import Workspace, json_lines

ROWS = "question,answer,note\n" + "".join(f"Question {n}?,Answer {n}.,note {n}\n" for n in range(1, 21)) + "No answer?,,x\n"


@pytest.fixture
def drafts(tmp_path: Path) -> Drafts:
    workspace = Workspace(tmp_path / "w")
    return Drafts(workspace, DatasetStore(workspace))


def begin(drafts: Drafts, text: str = ROWS) -> str:
    path = drafts.workspace.root / "uploads" / "abc" / "my_questions.csv"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return drafts.take_upload(path).draft.id


def log_of(drafts: Drafts, draft_id: str) -> Path:
    return drafts.workspace.root / "cache" / draft_id / "edits.jsonl"


def pair(question: str, answer: str, row: int = 0) -> Example:
    return Example(messages=({"role": "user", "content": question}, {"role": "assistant", "content": answer}), source_row=row)


def answers(opened: Opened) -> dict[int, str]:
    return {row: example.messages[1]["content"] for row, example in zip(opened.rows.ids, opened.rows, strict=True)}


def test_rows_change_at_once_and_for_every_later_step(drafts: Drafts) -> None:
    draft_id = begin(drafts)
    changed = drafts.change_row(draft_id, 3, pair(" Question 4? ", "Better.\r\n"))
    assert changed.rows.row(3) == pair("Question 4?", "Better.", row=5)
    assert changed.rows[0] is changed.converted.examples[0]
    out = drafts.remove_rows(draft_id, [0, 7], "Keep one of each")
    assert len(out.rows) == len(out.splits) == sum(out.counts.values()) == 18
    assert [(item.row, item.reason, item.excerpt) for item in out.left_out if item.row < 22] == [
        (2, "Taken out: Keep one of each", ""),
        (9, "Taken out: Keep one of each", ""),
    ]
    more = drafts.add_row(draft_id, pair("New?", "Yes.", row=99))
    assert more.rows.ids[-1] == 20 and more.rows[-1] == pair("New?", "Yes.")
    assert [(label, count) for label, count, _ in drafts.history(draft_id)] == [
        ("Row changed", 1),
        ("Keep one of each", 2),
        ("Row added", 1),
    ]
    assert all(abs(at - time.time()) < 60 for _, _, at in drafts.history(draft_id))
    assert drafts.open(draft_id) == more


def test_undo_redo_and_a_new_process(drafts: Drafts) -> None:
    draft_id = begin(drafts)
    before = drafts.open(draft_id)
    drafts.change_row(draft_id, 3, pair("Q", "A"))
    end = drafts.add_row(draft_id, pair("New?", "Yes."))
    drafts.undo(draft_id)
    assert list(drafts.undo(draft_id).rows) == list(before.rows)
    with pytest.raises(StudioError, match="nothing to undo"):
        drafts.undo(draft_id)
    assert drafts.redo(draft_id).log.cursor == 1
    again = Drafts(drafts.workspace, drafts.datasets)
    assert again.redo(draft_id).rows == end.rows
    with pytest.raises(StudioError, match="nothing to do again"):
        again.redo(draft_id)
    assert drafts.open(draft_id).rows == end.rows, "what another process wrote is seen"


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(st.sampled_from(["change", "out", "add", "undo", "redo"]), st.integers(0, 24), st.text("abc=é🙂", max_size=3)),
        max_size=10,
    )
)
def test_any_history_survives_and_undone_wholly_is_the_start(drafts: Drafts, steps: list[tuple[str, int, str]]) -> None:
    draft_id = begin(drafts)
    for act, row, text in steps:
        try:
            if act == "change":
                drafts.change_row(draft_id, row, pair("Q", text))
            elif act == "out":
                drafts.remove_rows(draft_id, [row])
            elif act == "add":
                drafts.add_row(draft_id, pair("Q", text))
            else:
                getattr(drafts, act)(draft_id)
        except StudioError:
            continue
    end = drafts.open(draft_id)
    assert Drafts(drafts.workspace, drafts.datasets).open(draft_id) == end
    record = drafts.save(draft_id)
    saved = list(drafts.datasets.records(record.id, ("row_id", "split", "source_row", "source_file")))
    assert [item["row_id"] for item in saved] == list(end.rows.ids)
    assert [item["split"] for item in saved] == list(end.splits)
    assert drafts.datasets.rows(record.id) == list(end.rows)
    assert [item["source_file"] for item in saved] == ["my_questions.csv" if item["source_row"] else "" for item in saved]
    again = drafts.take_dataset(record.id)
    assert (again.rows, again.splits) == (end.rows, end.splits)
    while again.log.cursor:
        again = drafts.undo(again.draft.id)
    assert list(again.rows) == list(again.converted.examples)
    drafts.delete(again.draft.id)


def test_a_crash_in_the_middle_of_an_edit_loses_that_edit_alone(drafts: Drafts) -> None:
    draft_id = begin(drafts)
    drafts.change_row(draft_id, 1, pair("Q", "first 🙂"))
    first = drafts.open(draft_id)
    whole = log_of(drafts, draft_id).read_bytes()
    drafts.change_row(draft_id, 2, pair("Q", "second 🙂"))
    both = log_of(drafts, draft_id).read_bytes()
    for end in range(len(whole), len(both) - 1):
        log_of(drafts, draft_id).write_bytes(both[:end])
        assert drafts.open(draft_id).rows == first.rows
    again = Drafts(drafts.workspace, drafts.datasets)
    third = again.change_row(draft_id, 3, pair("Q", "third"))
    assert [edit.changes.keys() for edit in third.log.done] == [{1}, {3}]
    assert len(list(json_lines(log_of(drafts, draft_id)))) == 2
    log_of(drafts, draft_id).write_bytes(both[:-1])
    assert len(drafts.open(draft_id).log.done) == 2, "only the line's end is missing"


@pytest.mark.parametrize("junk", [b"\x00\xff\n", b"[]\n", b'{"base": 3}\n', b'{"step": ["undo"]}\n', b'{"step": "undo"}\n'])
def test_lines_that_make_no_sense_are_passed_over(drafts: Drafts, junk: bytes) -> None:
    draft_id = begin(drafts)
    end = drafts.change_row(draft_id, 1, pair("Q", "A"))
    log_of(drafts, draft_id).write_bytes(junk + log_of(drafts, draft_id).read_bytes() + junk)
    assert drafts.open(draft_id).rows == end.rows


def test_what_cannot_be_changes_nothing(drafts: Drafts) -> None:
    draft_id = begin(drafts)
    before = drafts.open(draft_id)
    good = pair("Q", "A")
    for act in (
        lambda: drafts.change_row(draft_id, 99, good),
        lambda: drafts.change_row(draft_id, "1", good),
        lambda: drafts.change_row(draft_id, 1, pair("Q", "")),
        lambda: drafts.change_row(draft_id, 1, "text"),
        lambda: drafts.add_row(draft_id, pair("", "A")),
        lambda: drafts.add_row(draft_id, None),
        lambda: drafts.remove_rows(draft_id, [1, 20]),
        lambda: drafts.apply_changes(draft_id, "x", {1: good, 2: pair("Q", " ")}),
    ):
        with pytest.raises(StudioError):
            act()
        assert drafts.open(draft_id) == before
    assert drafts.apply_changes(draft_id, "Nothing", {1: before.rows.row(1)}) == before
    assert drafts.remove_rows(draft_id, []) == before
    assert not log_of(drafts, draft_id).exists()
    with pytest.raises(NotFound):
        drafts.change_row("draft-nothing", 1, good)


def test_a_remedy_is_one_step(drafts: Drafts) -> None:
    draft_id = begin(drafts)
    done = drafts.apply_changes(draft_id, "Cut\nspaces\u202e", {1: None, 2: pair("Q", "A"), 3: None})
    assert drafts.history(draft_id)[0][:2] == ("Cut spaces", 3)
    assert len(done.rows) == 18
    assert len(drafts.undo(draft_id).rows) == 20


def test_edits_of_other_columns_do_not_count_and_come_back(drafts: Drafts) -> None:
    draft_id = begin(drafts)
    edited = drafts.change_row(draft_id, 1, pair("Q", "A"))
    other = drafts.choose_column(draft_id, "answer", "note")
    assert answers(other)[1] == "note 2" and len(other.rows) == 21
    assert other.notes[0].startswith("Earlier changes that do not count now: 1.")
    drafts.remove_rows(draft_id, [0])
    back = drafts.choose_column(draft_id, "answer", "answer")
    assert back.rows == edited.rows
    assert back.notes[0].startswith("Earlier changes that do not count now: 1.")
    record = drafts.save(draft_id)
    again = drafts.take_dataset(record.id)
    assert again.rows == edited.rows and again.notes == ()


def test_a_saved_set_is_edited_further(drafts: Drafts) -> None:
    draft_id = begin(drafts)
    drafts.share_out(draft_id, validation=0.3, seed=7)
    drafts.remove_rows(draft_id, [4])
    end = drafts.add_row(draft_id, pair("New?", "Yes."))
    first = drafts.save(draft_id)
    second_draft = drafts.take_dataset(first.id).draft
    drafts.add_row(second_draft.id, pair("Newer?", "Yes."))
    second = drafts.save(second_draft.id)
    assert second.parent == first.id
    assert [item["row_id"] for item in drafts.datasets.records(second.id, ["row_id"])] == [*end.rows.ids, 21]
    sides = [item["split"] for item in drafts.datasets.records(second.id, ["split"])]
    assert sides[:-1] == list(end.splits)
    read_anew = drafts.take_dataset(second.id).draft.id
    plain = drafts.read_again(read_anew, header=False)
    assert len(plain.rows) == len(plain.converted.examples) and plain.notes


def test_a_file_whose_letters_were_guessed_is_edited_further(drafts: Drafts) -> None:
    path = drafts.workspace.root / "uploads" / "abc" / "old.csv"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(
        b"question,answer\n" + "Où, et à quelle heure êtes-vous là ?".encode().replace(b",", b"") * 3 + b"\xff,Oui.\nB?,C.\n"
    )
    draft_id = drafts.take_upload(path).draft.id
    end = drafts.change_row(draft_id, 1, pair("B?", "D."))
    again = drafts.take_dataset(drafts.save(draft_id).id)
    assert (again.rows, again.notes, again.draft.options) == (end.rows, (), end.draft.options)


def test_nothing_is_left_when_every_row_is_taken_out(drafts: Drafts) -> None:
    draft_id = begin(drafts)
    assert len(drafts.remove_rows(draft_id, range(20)).rows) == 0
    with pytest.raises(StudioError, match="Every row was taken out"):
        drafts.save(draft_id)


def test_texts_to_sort_take_their_category_along(drafts: Drafts) -> None:
    text = "text,label\n" + "".join(f"Mail number {n} is here,{'praise' if n % 2 else 'complaint'}\n" for n in range(20))
    draft_id = begin(drafts, text)
    changed = drafts.change_row(draft_id, 0, pair("Mail number 0 is here", "question"))
    assert changed.mapping.format == "labels" and changed.rows[0].label == "question"


def test_an_edit_makes_the_draft_the_newest(drafts: Drafts) -> None:
    draft_id, other = begin(drafts), begin(drafts)
    for item, age in ((draft_id, 200), (other, 100)):
        path = drafts.workspace.root / "cache" / item / "draft.json"
        os.utime(path, (time.time() - age, time.time() - age))
    assert drafts.newest() == other
    drafts.remove_rows(draft_id, [0])
    assert drafts.newest() == draft_id


def test_many_threads_lose_no_edit(drafts: Drafts) -> None:
    draft_id = begin(drafts)
    threads = [threading.Thread(target=drafts.change_row, args=(draft_id, row, pair("Q", f"A {row}"))) for row in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(drafts.history(draft_id)) == 12
    assert len(Drafts(drafts.workspace, drafts.datasets).open(draft_id).rows.changed) == 12


def test_rows_are_made_of_the_file_once_however_often_they_are_edited(drafts: Drafts, monkeypatch: pytest.MonkeyPatch) -> None:
    draft_id, made = begin(drafts), []
    monkeypatch.setattr("studio.drafts.base.convert", lambda *about: made.append(1) or convert(*about))
    drafts.open(draft_id)
    for row in range(5):
        drafts.remove_rows(draft_id, [row])
    drafts.undo(draft_id)
    assert not made, "the rows that the upload made are still there"
