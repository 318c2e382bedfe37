"""Long work on rows: the page tells how far it is, and can end it."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from studio.data import read as reading_files
from studio.data.spill import Telling
from studio.errors import Stopped
from studio.ui.app import Page
from studio.ui.studio import Studio
from studio.ui.tabs import data
from studio.ui.workbench import taking
from tests.ui.conftest import in_the_end
from tests.ui.test_data_tab import put, value


@pytest.fixture
def view(page: Page) -> data.View:
    return page.views["data"]


class Waits(Telling):
    """Goes on when somebody has stopped it, and then no further."""

    def tell(self, work: str, done: int, whole: int, rows: int = 0) -> None:
        super().tell(work, done, whole, rows)
        assert self._stop.wait(20)
        super().tell(work, done, whole, rows)


def test_reading_shows_how_far_it_is_and_can_be_stopped(
    studio: Studio, page: Page, view: data.View, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading_files, "LARGE", 0)
    monkeypatch.setattr(taking, "Telling", Waits)
    path = put(studio, "question,answer\n" + "What?,It.\n" * 5000, "large.csv")
    updates = data.take_file(studio, view, page.shell, path, "starter", False)
    first = next(updates)
    key = first[view.taking.key]
    assert first[view.taking.stop]["visible"]
    while "Reading: " not in value(first, view.taking.progress):
        first = next(updates)
    assert "4,096 rows so far" in value(first, view.taking.progress)
    stop = taking.stopping(view.taking)
    stop(studio, view, page.shell, "another page's")
    assert not stop(studio, view, page.shell, key)[view.taking.stop]["interactive"]
    rest = in_the_end(updates)
    assert value(rest, view.taking.progress) == ""
    assert rest[view.upload] is None
    assert view.draft_id not in rest
    assert not list((studio.workspace.root / "cache").iterdir())
    assert not studio.background.taking


def test_saving_shows_how_far_it_is_and_can_be_stopped(
    studio: Studio, page: Page, view: data.View, monkeypatch: pytest.MonkeyPatch
) -> None:
    draft_id = studio.drafts.take_upload(put(studio, "question,answer\n" + "What?,It.\nWhen?,Now.\n")).draft.id
    with monkeypatch.context() as patch:
        patch.setattr(taking, "Telling", Waits)
        updates = data.save(studio, view, page.shell, draft_id, None, "mine")
        first = next(updates)
        assert "Saving: 0 %" in value(first, view.working.progress)
        assert first[view.working.stop]["value"] == "Stop saving"
        taking.stopping(view.working)(studio, view, page.shell, first[view.working.key])
        rest = in_the_end(updates)
    assert value(rest, view.working.progress) == "" and page.shell.dataset_id not in rest
    assert studio.datasets.ids() == [] and not list((studio.workspace.root / "datasets").iterdir())
    changes = in_the_end(data.save(studio, view, page.shell, draft_id, None, "mine"))
    assert studio.datasets.get(changes[page.shell.dataset_id]).name == "mine"


def test_a_change_shows_how_far_it_is_and_leaves_the_draft_when_stopped(
    studio: Studio, page: Page, view: data.View, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading_files, "LARGE", 0)
    path = put(studio, "question,answer,other\n" + "What?,It.,That.\n" * 5000, "large.csv")
    draft_id = studio.drafts.take_upload(path).draft.id
    monkeypatch.setattr(taking, "Telling", Waits)
    updates = data.change(data.choose_role(1))(studio, view, page.shell, draft_id, "starter", False, "other")
    first = next(updates)
    assert "Making examples" in value(first, view.working.progress)
    taking.stopping(view.working)(studio, view, page.shell, first[view.working.key])
    rest = in_the_end(updates)
    assert rest[view.roles[1]]["value"] == "answer"
    assert studio.drafts.open(draft_id).rows[0].messages[1]["content"] == "It."


def test_a_page_that_goes_away_ends_its_reading(
    studio: Studio, page: Page, view: data.View, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = threading.Event()

    def work(telling: Telling) -> Any:
        ended.set() if telling._stop.wait(20) else None
        raise Stopped

    updates = taking.taken(studio, view.taking, work)
    next(updates)
    updates.close()
    assert ended.wait(20)
