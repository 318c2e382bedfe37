"""Findings while looks go on, in several windows, and what a person decides to keep; with the real core, without a browser."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from studio.checkup import KEPT, Checkups
from studio.errors import StudioError
from studio.ui.app import Page
from studio.ui.studio import Studio
from studio.ui.tabs import data
from studio.ui.workbench import findings, versions
from tests.ui.conftest import in_the_end
from tests.ui.test_data_tab import put, value
from tests.ui.test_workbench import press

MAIL = "question,answer\n" + "".join(f"Question {n} about it?,Write to anna{n}@harbour.example today.\n" for n in range(1, 13))


@pytest.fixture
def view(page: Page) -> data.View:
    return page.views["data"]


def begin(studio: Studio, page: Page, view: data.View, name: str = "mail.csv") -> str:
    return in_the_end(data.take_file(studio, view, page.shell, put(studio, MAIL, name), "starter", False))[view.draft_id]


class Slow:
    """Looks of a studio that do not end before `gate` is open."""

    def __init__(self, studio: Studio) -> None:
        self.gate, self.counting = threading.Event(), False
        self.checkups = Checkups(studio.drafts, studio.datasets, self.lengths, lambda model_id: self.counting)
        object.__setattr__(studio, "checkups", self.checkups)

    def lengths(self, model_id: str, rows: object) -> list[int]:
        self.gate.wait(30)
        return []


@pytest.fixture
def slow(studio: Studio) -> Iterator[Slow]:
    made = Slow(studio)
    yield made
    made.gate.set()


def the_mail(studio: Studio, draft_id: str | None, dataset_id: str | None = None) -> tuple:
    """A look and its finding about e-mail addresses."""
    checkup = studio.checkups.begin(draft_id, dataset_id, "starter")
    assert checkup.wait(60)
    return checkup, next(item for item in checkup.findings if item.keep == "personal:email")


def test_looks_that_windows_wait_for_do_not_push_each_other_out(studio: Studio, page: Page, view: data.View, slow: Slow) -> None:
    drafts = [begin(studio, page, view, f"mail{n}.csv") for n in range(KEPT + 2)]
    with ExitStack() as windows:
        looks = [slow.checkups.begin(item, None, "starter") for item in drafts[:1]]
        windows.enter_context(slow.checkups.watched(looks[0]))
        looks += [slow.checkups.begin(item, None, "starter") for item in drafts[1:]]
        assert slow.checkups.current(looks[0], drafts[0])
        assert not slow.checkups.current(looks[1], drafts[1]), "nobody waits for this one, and it makes room"
        slow.gate.set()
        assert looks[0].wait(60) and looks[0].findings is not None


def test_a_window_goes_on_where_another_one_changed_the_rows(studio: Studio, page: Page, view: data.View, slow: Slow) -> None:
    draft_id = begin(studio, page, view)
    steps = findings.look(studio, view, page.shell, draft_id, None, "starter")
    assert "Looking" in value(next(steps), view.findings.list)
    studio.drafts.remove_rows(draft_id, [0, 1])
    assert "Looking" in value(next(steps), view.findings.list)
    slow.gate.set()
    *_, last = steps
    assert "10 e-mail addresses" in value(last, view.findings.list)


def test_a_remedy_of_a_known_finding_acts_while_another_look_goes_on(
    studio: Studio, page: Page, view: data.View, slow: Slow
) -> None:
    draft_id = begin(studio, page, view)
    slow.gate.set()
    _, finding = the_mail(studio, draft_id)
    slow.gate.clear()
    slow.counting = True  # the library is loaded, and the same rows are looked through once more
    again = studio.checkups.begin(draft_id, None, "starter")
    event = press(at=findings.mark_of(finding), remedy="remove:email")
    findings.press(studio, view, page.shell, event, draft_id, None, "starter", False)
    assert len(studio.drafts.open(draft_id).rows) == 0 and not again.wait(0)


def test_a_press_during_a_long_look_is_told_so_and_holds_nothing(studio: Studio, page: Page, view: data.View, slow: Slow) -> None:
    draft_id = begin(studio, page, view)
    slow.gate.set()
    _, finding = the_mail(studio, draft_id)
    slow.gate.clear()
    studio.drafts.remove_rows(draft_id, [3])
    event, begun = press(at=findings.mark_of(finding), remedy="remove:email"), time.monotonic()
    with pytest.raises(StudioError, match="Nothing was changed yet"):
        findings.press(studio, view, page.shell, event, draft_id, None, "starter", False)
    assert time.monotonic() - begun < 10
    assert len(studio.drafts.open(draft_id).rows) == 11


def listed(studio: Studio, page: Page, view: data.View, draft_id: str | None, dataset_id: str | None = None) -> str:
    """The list of findings in the end."""
    *_, last = findings.look(studio, view, page.shell, draft_id, dataset_id, "starter")
    return value(last, view.findings.list)


def test_what_is_kept_is_written_down_shown_taken_back_and_travels(studio: Studio, page: Page, view: data.View) -> None:
    draft_id = begin(studio, page, view)
    assert "kept by you" not in listed(studio, page, view, draft_id)
    look, finding = the_mail(studio, draft_id)

    def decide(way: str) -> dict:
        event = press(at=findings.mark_of(finding), check=finding.check, remedy=way)
        return findings.press(studio, view, page.shell, event, draft_id, None, "starter", False)

    before = data.show_draft(studio, view, studio.drafts.open(draft_id), "starter")[view.changed]
    changes = decide(findings.KEEP)
    assert changes[view.changed] != before, "the page draws the list anew"
    assert the_mail(studio, draft_id)[0] is look, "and nothing is looked through again: no row has changed"
    kept = listed(studio, page, view, draft_id)
    assert "kept by you" in kept and "Decide again" in kept and "Replace by stand-ins" not in kept
    decide(findings.KEEP_NO_LONGER)
    assert "kept by you" not in listed(studio, page, view, draft_id)
    studio.drafts.undo(draft_id)
    assert "kept by you" in listed(studio, page, view, draft_id)

    record = studio.drafts.save(draft_id)
    (line,) = (studio.datasets.folder(record.id) / "edits.jsonl").read_text().splitlines()
    assert '"by": "the person at the page"' in line and '"what": "personal:email"' in line and '"at": 1' in line
    saved = listed(studio, page, view, None, record.id)
    assert "kept by you" in saved and "Decide again" not in saved

    version = studio.drafts.take_dataset(record.id).draft.id
    assert "kept by you" in listed(studio, page, view, version)
    row = studio.drafts.open(version).rows.row(4)
    studio.drafts.change_row(
        version, 4, type(row)(messages=(row.messages[0], {**row.messages[1], "content": "To b@harbour.example."}))
    )
    told = listed(studio, page, view, version)
    assert "kept by you" not in told and "keep 11 rows of them" in told, "what was changed since is to be decided on anew"
    studio.drafts.remove_rows(version, [4])
    second = studio.drafts.save(version)
    assert "kept by you" in listed(studio, page, view, None, second.id), "also where rows were taken out before it"
    restored = versions.restore(studio, view, page.shell, record.id)[page.shell.dataset_id]
    assert "kept by you" in listed(studio, page, view, None, restored)


@pytest.mark.parametrize("asked", [{"remedy": "keep"}, {"at": "zz", "remedy": "keep"}])
def test_a_forged_decision_writes_nothing(studio: Studio, page: Page, view: data.View, asked: dict) -> None:
    draft_id = begin(studio, page, view)
    with pytest.raises(StudioError):
        findings.press(studio, view, page.shell, press(**asked), draft_id, None, "starter", False)
    assert studio.drafts.history(draft_id) == []
