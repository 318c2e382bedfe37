"""The Data tab's cards about rows, with the real core and without a browser."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from studio.checkup import Checkups
from studio.data import checks
from studio.data.convert import convert
from studio.data.detect import detect
from studio.data.read import read
from studio.errors import ConfigError, NotFound, StudioError
from studio.ui.app import Page
from studio.ui.studio import Studio
from studio.ui.tabs import data
from studio.ui.workbench import findings, hub, origin, proposals, table, versions
from tests.hub import FakeHub
from tests.ui.conftest import in_the_end
from tests.ui.test_data_tab import put, value

SAME = "What is it?,It is blue.\n"
ROWS = "question,answer\n" + SAME * 3 + "".join(f"Question {n} about the ship?,The answer is number {n}.\n" for n in range(1, 20))


@pytest.fixture
def view(page: Page) -> data.View:
    return page.views["data"]


@pytest.fixture
def draft_id(studio: Studio, page: Page, view: data.View) -> str:
    changes = in_the_end(data.take_file(studio, view, page.shell, put(studio, ROWS, "ship.csv"), "starter", False))
    return changes[view.draft_id]


def looked(studio: Studio, page: Page, view: data.View, draft_id: str | None, dataset_id: str | None = None) -> str:
    """What the list of findings shows in the end."""
    *_, last = findings.look(studio, view, page.shell, draft_id, dataset_id, "starter")
    return value(last, view.findings.list)


def press(**asked: Any) -> SimpleNamespace:
    """What the page sends for a button."""
    return SimpleNamespace(_data={key: str(item) for key, item in asked.items()})


def duplicates(studio: Studio, draft_id: str) -> Any:
    """The finding about rows that repeat another, which the file has by design."""
    checkup = studio.checkups.begin(draft_id, None, "starter")
    assert checkup.wait(60)
    return next(item for item in checkup.findings if item.check == "duplicates")


def test_a_remedy_mends_the_rows_and_can_be_taken_back(studio: Studio, page: Page, view: data.View, draft_id: str) -> None:
    assert "Keep one of each" in looked(studio, page, view, draft_id)
    found = duplicates(studio, draft_id)
    remedy = next(item for item in found.remedies if item.label == "Keep one of each")
    event = press(at=findings.mark_of(found), remedy=remedy.key)
    changes = findings.press(studio, view, page.shell, event, draft_id, None, "starter", False)
    assert len(studio.drafts.open(draft_id).rows) == 20
    assert "Keep one of each" in changes[view.findings.undo]["value"]
    assert "<dt>Rows ready</dt><dd>20</dd>" in value(changes, view.summary)
    with pytest.raises(StudioError, match="changed since"):
        findings.press(studio, view, page.shell, event, draft_id, None, "starter", False)  # nothing is left to mend
    findings.step(-1)(studio, view, page.shell, draft_id, "starter", False)
    assert len(studio.drafts.open(draft_id).rows) == 22
    findings.step(1)(studio, view, page.shell, draft_id, "starter", False)
    assert len(studio.drafts.open(draft_id).rows) == 20
    assert "Keep one of each" not in looked(studio, page, view, draft_id)


def test_a_remedy_pressed_while_the_rows_change_mends_what_is_left(
    studio: Studio, page: Page, view: data.View, draft_id: str
) -> None:
    found = duplicates(studio, draft_id)
    studio.drafts.remove_rows(draft_id, [1])
    event = press(at=findings.mark_of(found), check=found.check, remedy=found.remedies[0].key)
    findings.press(studio, view, page.shell, event, draft_id, None, "starter", False)
    assert len(studio.drafts.open(draft_id).rows) == 20


@pytest.mark.parametrize("asked", [{}, {"at": "0", "remedy": "x"}, {"at": "zz"}])
def test_a_forged_remedy_changes_nothing(studio: Studio, page: Page, view: data.View, draft_id: str, asked: dict) -> None:
    with pytest.raises(StudioError):
        findings.press(studio, view, page.shell, press(**asked), draft_id, None, "starter", False)
    assert len(studio.drafts.open(draft_id).rows) == 22


def test_the_rows_of_a_finding_are_shown_alone(studio: Studio, page: Page, view: data.View, draft_id: str) -> None:
    found = duplicates(studio, draft_id)
    event = press(at=findings.mark_of(found), remedy=findings.SHOW)
    changes = findings.press(studio, view, page.shell, event, draft_id, None, "starter", False)
    assert value(changes, view.table.rows).count("It is blue.") == len(found.rows)
    assert "about the ship" not in value(changes, view.table.rows)
    assert changes[view.table.everything]["visible"]


def test_a_look_is_ended_when_the_rows_change(studio: Studio, draft_id: str) -> None:
    checkups = Checkups(studio.drafts, studio.datasets, studio.tokens.lengths, studio.tokens.countable)
    first = checkups.begin(draft_id, None, "starter")
    assert checkups.begin(draft_id, None, "starter") is first
    assert checkups.current(first, draft_id)
    studio.drafts.remove_rows(draft_id, [0])
    assert not checkups.current(first, draft_id), "also before anybody looks again"
    second = checkups.begin(draft_id, None, "starter")
    assert second is not first and not checkups.current(first, draft_id) and checkups.current(second, draft_id)
    assert second.wait(60) and second.findings is not None


def test_rows_are_searched_sorted_and_turned(studio: Studio, page: Page, view: data.View, draft_id: str) -> None:
    def shown(*how: Any) -> dict:
        return table.show_again(studio, view, page.shell, draft_id, None, *how)

    first = shown("", "", None, 0)
    assert "1 to 5 of 22" in value(first, view.table.head) and not first[view.table.back]["interactive"]
    later = table.turn(table.AT_ONCE)(studio, view, page.shell, draft_id, None, "", "", None, 0)
    assert "6 to 10 of 22" in value(later, view.table.head)
    assert "1 to 1 of 1" in value(shown("NUMBER 7.", "", None, 0), view.table.head)
    assert "There is no such row." in value(shown("nowhere", "", None, 0), view.table.rows)
    longest = value(shown("", "-question", None, 0), view.table.rows)
    assert "Question 10 about the ship?" in longest and "It is blue." not in longest
    assert "1 to 5 of 22" in value(shown(None, 7, "x", -3), view.table.head), "forged values are passed over"


def test_a_row_is_changed_taken_out_and_added(studio: Studio, page: Page, view: data.View, draft_id: str) -> None:
    event = press(act="edit", row=3, part=1, text="The answer is one.")
    table.press(studio, view, page.shell, event, draft_id, "starter", False)
    assert studio.drafts.open(draft_id).rows.row(3).messages[1]["content"] == "The answer is one."
    table.press(studio, view, page.shell, press(act="out", row=0), draft_id, "starter", False)
    changes = table.add(studio, view, page.shell, draft_id, "starter", False, "Who sails?", "Ingrid sails.")
    rows = studio.drafts.open(draft_id).rows
    assert [len(rows), rows[-1].messages[1]["content"]] == [22, "Ingrid sails."]
    assert not changes[view.table.adding]["visible"]
    record = studio.drafts.save(draft_id)
    saved = studio.rows(record.id)
    assert len(saved) == 22 and saved[-1].messages[0]["content"] == "Who sails?"


@pytest.mark.parametrize(
    "asked",
    [
        {"act": "edit", "row": 3, "part": 9, "text": "x"},
        {"act": "edit", "row": 3, "part": 1, "text": "  "},
        {"act": "edit", "row": 999, "part": 1, "text": "x"},
        {"act": "out", "row": "../x"},
        {"act": "burn", "row": 3},
    ],
)
def test_a_forged_edit_changes_nothing(studio: Studio, page: Page, view: data.View, draft_id: str, asked: dict) -> None:
    with pytest.raises((StudioError, NotFound)):
        table.press(studio, view, page.shell, press(**asked), draft_id, "starter", False)
    assert studio.drafts.history(draft_id) == []


def test_what_is_typed_into_a_row_never_becomes_markup(studio: Studio, page: Page, view: data.View, draft_id: str) -> None:
    evil = "</textarea><img src=x onerror=alert(1)>"
    table.press(studio, view, page.shell, press(act="edit", row=3, part=0, text=evil), draft_id, "starter", False)
    shown = value(table.show_again(studio, view, page.shell, draft_id, None, "onerror", "", None, 0), view.table.rows)
    assert "<img" not in shown and "&lt;img" in shown


def test_the_origin_is_kept_with_the_draft_and_the_saved_set(studio: Studio, page: Page, view: data.View, draft_id: str) -> None:
    def values(**answers: str) -> list[str]:
        return [answers.get(name, "") for name in view.origin.boxes]

    told = origin.keep(studio, view, page.shell, draft_id, None, *values(origin="Our shop's mail", licence="own"))
    assert "2 of 6" in value(told, view.origin.head)
    record = studio.drafts.save(draft_id)
    shown = origin.show(studio, view, page.shell, None, record.id)
    assert shown[view.origin.boxes["origin"]]["value"] == "Our shop's mail"
    origin.keep(studio, view, page.shell, None, record.id, *values(origin="A book", licence="MIT", language="English"))
    assert studio.datasets.get(record.id).provenance["licence"] == "MIT"
    with pytest.raises(ConfigError):
        origin.keep(studio, view, page.shell, None, record.id, *values(licence="stolen"))


def test_versions_are_compared_and_brought_back(studio: Studio, page: Page, view: data.View, draft_id: str) -> None:
    first = studio.drafts.save(draft_id)
    assert not versions.show(studio, view, page.shell, None, first.id)[view.versions.card]["visible"]
    second_draft = studio.drafts.take_dataset(first.id).draft.id
    studio.drafts.remove_rows(second_draft, [0, 1])
    table.press(
        studio, view, page.shell, press(act="edit", row=5, part=1, text="The answer is three."), second_draft, "starter", False
    )
    second = studio.drafts.save(second_draft)
    shown = versions.show(studio, view, page.shell, None, second.id)
    assert shown[view.versions.card]["visible"] and shown[view.versions.other]["choices"][0][1] == first.id
    told = value(versions.compare(studio, view, page.shell, second.id, first.id), view.versions.difference)
    assert "changed: 1" in told and "taken out: 2" in told and "<del>" in told and "<ins>three</ins>" in told
    changes = versions.restore(studio, view, page.shell, first.id)
    assert studio.datasets.get(changes[page.shell.dataset_id]).rows == 22


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_the_rows_are_handed_out_as_a_file(studio: Studio, page: Page, view: data.View, draft_id: str, kind: str) -> None:
    record = studio.drafts.save(draft_id)
    made = versions.make_file(studio, view, page.shell, record.id, kind)[view.versions.file]
    path = Path(made["value"])
    assert path.suffix == f".{kind}" and path.is_relative_to(studio.workspace.root / "uploads")
    back = read(path)
    assert len(back.rows) == 22
    told = [row.messages[0]["content"] for row in convert(back, detect(back)).examples]
    assert told.count("Question 7 about the ship?") == 1


def test_pairs_from_a_document_are_judged_and_then_used(studio: Studio, page: Page, view: data.View) -> None:
    text = "The Velvet Heron leaves at nine.\n\nTickets cost 31 crowns on weekdays.\n"
    changes = in_the_end(data.take_file(studio, view, page.shell, put(studio, text, "guide.txt"), "starter", False))
    draft_id = changes[view.draft_id]
    assert proposals.is_document(studio.drafts.open(draft_id))
    store = proposals.Proposals(studio.drafts.folder(draft_id))
    passage = proposals.passages_of(studio.drafts.open(draft_id))[0]
    about = [("When does the Velvet Heron leave?", "At nine."), ("What is it?", "A boat.")]
    store.add([SimpleNamespace(question=q, answer=a, passage=passage, grounded=1.0, sure=True) for q, a in about], "Somebody")
    (card,) = list(proposals.watch(studio, view, page.shell, draft_id, "starter"))[-1:]
    assert "2 to judge, 0 kept." in value(card, view.proposals.list)
    for item, act in zip(store.all(), ("keep", "away"), strict=True):
        proposals.judge(studio, view, page.shell, press(id=item.id, act=act), draft_id)
    changes = proposals.use(studio, view, page.shell, draft_id, "starter", False)
    opened = studio.drafts.open(changes[view.draft_id])
    assert [row.messages[1]["content"] for row in opened.rows] == ["At nine."]
    assert studio.drafts.origin(opened.draft.id).machine_written is True
    with pytest.raises(StudioError):
        proposals.judge(studio, view, page.shell, press(id="x", act="burn"), draft_id)


def test_only_this_computer_is_asked_for_proposals(studio: Studio, page: Page, view: data.View) -> None:
    with pytest.raises(StudioError):
        proposals.choose_writer(studio, view, page.shell, proposals.OTHER, "http://example.com", "starter")


@pytest.mark.long
def test_a_data_set_of_the_hub_is_looked_up_and_then_fetched(
    studio: Studio, page: Page, view: data.View, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [{"question": f"What is number {index}?", "answer": f"It is {index}."} for index in range(40)]
    lines = "".join(json.dumps(row) + "\n" for row in rows).encode()
    with FakeHub().serving() as running:
        monkeypatch.setenv("HF_ENDPOINT", running.url)
        running.add("datasets", "someone/facts", {"train.jsonl": lines}, card={"license": "mit"})
        looked_up = hub.look(studio, view, page.shell, "someone/facts")
        assert "mit" in value(looked_up, view.hub.facts) and looked_up[view.hub.split]["value"] == "train"
        *_, last = hub.fetch(studio, view, page.shell, "someone/facts", "", "train", "starter")
        opened = studio.drafts.open(last[view.draft_id])
        assert len(opened.rows) == 40
        assert "someone/facts" in studio.drafts.origin(opened.draft.id).origin
        with pytest.raises(StudioError):
            hub.look(studio, view, page.shell, "someone/else")
    assert list((studio.workspace.root / "cache").glob("hub-*")) == []


def test_a_look_can_be_stopped_and_begun_again(
    studio: Studio, page: Page, view: data.View, draft_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = threading.Event()

    def endless(rows: Any, about: Any, progress: Any) -> Any:
        while True:
            begun.set()
            progress(1, 2, "answers")
            time.sleep(0.01)

    with monkeypatch.context() as slow:
        slow.setattr(checks, "run", endless)
        updates = findings.look(studio, view, page.shell, draft_id, None, "starter")
        assert next(updates)[view.findings.stop]["visible"]
        assert begun.wait(20)
        findings.stop(studio, view, page.shell, draft_id, None)
        rest = in_the_end(updates)
    assert not rest[view.findings.stop]["visible"]
    assert "stopped" in value(rest, view.findings.list)
    assert "Keep one of each" in looked(studio, page, view, draft_id)
