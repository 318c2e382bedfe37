"""Where data comes from: questions said once, answers checked, what the file says, and a record that may change."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from studio.datasets import DatasetStore
from studio.drafts import Drafts
from studio.errors import ConfigError, NotFound
from studio.fields import settings_of
from studio.provenance import Questions, answered, answers, known, missing, of_record, say
from studio.records import Provenance
from studio.samples import ORDER, save_sample
from studio.workspace import Workspace

GOOD = {
    "origin": "Mails to our shop",
    "licence": "own",
    "consent": "yes",
    "sensitive": "removed",
    "machine_written": "no",
    "language": "English, Spanish",
}


@pytest.fixture
def drafts(tmp_path: Path) -> Drafts:
    workspace = Workspace(tmp_path / "w")
    return Drafts(workspace, DatasetStore(workspace))


def begin(drafts: Drafts, text: str = "question,answer\nA?,B.\nC?,D.\n", name: str = "mine.csv") -> str:
    path = drafts.workspace.root / "uploads" / "abc" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return drafts.take_upload(path).draft.id


def test_every_question_is_a_field_of_the_record_and_starts_unanswered() -> None:
    names = {item.name for item in dataclasses.fields(Provenance)}
    questions = settings_of(Questions)
    assert questions.keys() == names - {"original_file", "original_sha256", "files"}
    assert answers(Provenance()) == dict.fromkeys(questions, "")
    for item in questions.values():
        assert item.label and item.help and item.fault(item.default) is None
        assert len(item.help.split(".")[0].split()) <= 20


def test_answers_go_in_and_out() -> None:
    found = answered(Provenance(), **GOOD, notes="  two\r\nlines \ud800\x00")
    assert found.machine_written is False and found.notes == "two\nlines"
    assert answers(found) == {**dict.fromkeys(settings_of(Questions), ""), **GOOD, "notes": "two\nlines"}
    assert of_record(found.to_json()) == found
    assert answered(found, machine_written="").machine_written is None
    assert answered(found, machine_written="yes").machine_written is True


def test_every_bad_answer_is_named_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        answered(Provenance(), origin="x" * 501, licence="GPL", machine_written=True, consent=None, notes=["x"], colour="red")
    assert len(caught.value.faults) == 6
    assert "colour" in caught.value.faults[0]


def test_what_sharing_needs() -> None:
    assert missing(Provenance()) == ["origin", "licence", "consent", "sensitive", "machine_written", "language"]
    assert missing(answered(Provenance(), **GOOD)) == []
    assert missing(answered(Provenance(), **{**GOOD, "origin": "  ", "machine_written": ""})) == ["origin", "machine_written"]


def test_a_saved_set_may_be_told_about_later(drafts: Drafts) -> None:
    store = drafts.datasets
    record = drafts.save(begin(drafts))
    say(store, record.id, **GOOD)
    after = store.get(record.id)
    assert of_record(after.provenance).consent == "yes" and after.sha256 == record.sha256
    assert after.provenance["original_file"] == "mine.csv"
    assert [item["name"] for item in after.provenance["files"]] == ["mine.csv"]
    assert (
        after.provenance["files"][0]["sha256"] == after.provenance["original_sha256"]
        and len(after.provenance["original_sha256"]) == 64
    )
    with pytest.raises(ConfigError):
        say(store, record.id, licence="nobody knows")
    assert store.get(record.id) == after
    with pytest.raises(NotFound):
        say(store, "nothing", **GOOD)


def test_what_was_said_goes_on_to_the_next_version(drafts: Drafts) -> None:
    draft_id = begin(drafts)
    drafts.tell_origin(draft_id, origin="Our shop", machine_written="yes")
    with pytest.raises(ConfigError):
        drafts.tell_origin(draft_id, consent="perhaps")
    assert drafts.origin(draft_id).origin == "Our shop"
    drafts.share_out(draft_id, validation=0.2, seed=1)
    first = drafts.save(draft_id)
    assert (first.provenance["origin"], first.provenance["machine_written"]) == ("Our shop", True)
    say(drafts.datasets, first.id, consent="yes")
    second = drafts.save(drafts.take_dataset(first.id).draft.id)
    assert of_record(second.provenance) == of_record(drafts.datasets.get(first.id).provenance)


@pytest.mark.parametrize("name", ORDER)
def test_samples_lack_nothing_but_what_only_their_user_can_say(drafts: Drafts, name: str) -> None:
    record = save_sample(drafts.workspace, name)
    assert set(missing(of_record(record.provenance))) <= {"consent", "sensitive"}
    assert of_record(drafts.origin(drafts.take_dataset(record.id).draft.id).to_json()).licence == "CC0-1.0"


CHAT = [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Hello"}]


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([{"lang": "de", "text": "a"}, {"lang": "de", "text": "b"}], Provenance(language="de")),
        ([{"lang": "de"}, {"lang": "fr"}], Provenance()),
        ([{"Language": "x" * 300}], Provenance(language="x" * 100)),
        ([{"model": "some-model-7b", "answer": "x"}], Provenance(machine_written=True)),
        ([{"model": "", "answer": "x"}], Provenance()),
        ([{"conversations": CHAT}], Provenance(machine_written=True)),
        ([{"conversations": [{"from": "human"}, {"from": 5}, "x"]}], Provenance()),
        ([], Provenance()),
    ],
)
def test_what_the_rows_themselves_say(tmp_path: Path, rows: list[dict[str, Any]], expected: Provenance) -> None:
    columns = list(rows[0]) if rows else []
    assert known(columns, rows, tmp_path / "x.jsonl") == expected


def test_a_workbook_says_when_it_was_saved(tmp_path: Path) -> None:
    path = tmp_path / "book.xlsx"
    book = openpyxl.Workbook()
    book.active.append(["question", "answer"])
    book.save(path)
    saved = book.properties.modified.date().isoformat()
    assert known([], [], path).period == f"up to {saved}"
    path.write_bytes(path.read_bytes()[:200])
    assert known([], [], path).period == ""
    path.write_bytes(b"PK\x03\x04" + b"\x00" * (6 * 2**20))
    assert known([], [], path).period == ""
