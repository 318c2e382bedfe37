"""The Data tab's handlers, with the real core and without a browser."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from studio.errors import NotFound, StudioError
from studio.ui import words
from studio.ui.app import Page
from studio.ui.guard import guarded
from studio.ui.studio import Studio
from studio.ui.tabs import data
from studio.workspace import gib
from tests.ui.conftest import in_the_end

ROWS = "customer;reply;when\n" + "".join(f"Question {n}?;Answer {n}.;2024\n" for n in range(1, 13)) + "Nothing?;;2024\n"


@pytest.fixture
def view(page: Page) -> data.View:
    return page.views["data"]


@pytest.fixture(autouse=True)
def nothing_is_fetched(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Only notes what would be fetched: the fetch itself has its own tests."""
    asked: list[str] = []
    monkeypatch.setattr(Studio, "prefetch", lambda self, model_id: asked.append(model_id))
    return asked


def put(studio: Studio, text: str = ROWS, name: str = "replies.csv") -> Path:
    path = studio.workspace.root / "uploads" / "xyz" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def value(changes: dict, component: Any) -> Any:
    """What a handler puts into a component."""
    change = changes[component]
    return change["value"] if isinstance(change, dict) else change


def test_the_empty_page_offers_samples_and_names_the_download(studio: Studio, page: Page, view: data.View) -> None:
    changes = data.refresh(studio, view, page.shell, None, "starter", None)
    cards = value(changes, view.samples)
    assert cards.count("data-sample=") == 3
    assert cards.count(f"Fetches the starter model once, {gib(studio.catalog.get('starter').download_bytes)}") == 3
    assert changes[view.start]["visible"]
    assert not changes[view.filled]["visible"]
    assert not changes[view.saved_area]["visible"]
    assert changes[view.next] == {"value": words.FIRST_DATA, "interactive": False, "__type__": "update"}


def test_one_click_on_a_sample_is_enough(studio: Studio, page: Page, view: data.View, nothing_is_fetched: list[str]) -> None:
    for _ in range(2):
        changes = data.use_sample(studio, view, page.shell, SimpleNamespace(id="bakery"))
        assert changes[page.shell.tabs]["selected"] == "model"
        assert changes[page.shell.dataset_id] == studio.datasets.ids()[0]
    assert len(studio.datasets.ids()) == 1
    assert nothing_is_fetched == ["starter", "starter"]


@pytest.mark.parametrize("event", [SimpleNamespace(id="../../etc"), SimpleNamespace(id=None), SimpleNamespace()])
def test_a_forged_sample_makes_nothing(studio: Studio, page: Page, view: data.View, event: Any) -> None:
    with pytest.raises(NotFound):
        data.use_sample(studio, view, page.shell, event)
    assert studio.datasets.ids() == []


def test_an_upload_shows_what_was_read(studio: Studio, page: Page, view: data.View) -> None:
    changes = in_the_end(data.take_file(studio, view, page.shell, put(studio), "starter", False))
    line = value(changes, view.file)
    assert "replies.csv" in line
    assert "13 rows read" in line
    assert "1 left out" in line
    assert "semicolon" in line
    assert "The answer is empty." in line
    assert value(changes, view.roles[0]) == "customer"
    assert value(changes, view.roles[1]) == "reply"
    assert not changes[view.roles[3]]["visible"]
    assert "Question 1?" in value(changes, view.example)
    assert "Row 1 of 12" in value(changes, view.example_head)
    assert "11</b> to learn from" in value(changes, view.shares)
    assert changes[view.next]["interactive"]
    assert changes[view.upload] is None


def test_an_upload_that_cannot_be_read_is_a_notice_and_the_box_is_free_again(studio: Studio, page: Page, view: data.View) -> None:
    changes = in_the_end(guarded(data.take_file)(studio, view, page.shell, put(studio, "", "empty.csv"), "starter", False))
    assert "What to do" in value(changes, view.notice)
    assert changes[view.upload] is None


def draft(studio: Studio, page: Page, view: data.View, **about: Any) -> str:
    return in_the_end(data.take_file(studio, view, page.shell, put(studio, **about), "starter", False))[view.draft_id]


def test_before_and_after_go_round(studio: Studio, page: Page, view: data.View) -> None:
    draft_id = draft(studio, page, view)
    seen = []
    for by, at in ((1, 0), (-1, 0), (0, 5), (1, 11)):
        changes = data.step_row(by)(studio, view, page.shell, draft_id, None, "starter", at, False)
        seen.append(changes[view.at])
    assert seen == [1, 11, 5, 0]
    assert data.step_row(1)(studio, view, page.shell, draft_id, None, "starter", "forged", False)[view.at] == 1


def test_tokens_before_the_model_is_here_are_a_sentence(studio: Studio, page: Page, view: data.View) -> None:
    draft_id = draft(studio, page, view)
    changes = data.step_row(0)(studio, view, page.shell, draft_id, None, "starter", 0, True)
    assert words.TOKENS_LATER in value(changes, view.tokens)


def test_a_change_converts_at_once(studio: Studio, page: Page, view: data.View) -> None:
    draft_id = draft(studio, page, view)
    changes = in_the_end(data.change(data.choose_role(1))(studio, view, page.shell, draft_id, "starter", False, "when"))
    assert ">2024</div>" in value(changes, view.example)
    assert value(changes, view.roles[1]) == "when"
    assert words.COLUMNS_NOTE["chosen"].format(reason="").strip() in value(changes, view.columns_head)


def test_a_change_that_cannot_be_shows_the_draft_as_it_is_and_why(studio: Studio, page: Page, view: data.View) -> None:
    draft_id = draft(studio, page, view)
    handler = guarded(data.change(data.read_with("encoding")))
    changes = in_the_end(handler(studio, view, page.shell, draft_id, "starter", False, "no-such-encoding"))
    assert 'role="alert"' in value(changes, view.notice)
    assert value(changes, view.encoding) == ""
    assert "Question 1?" in value(changes, view.example)


def test_validation_share_and_seed(studio: Studio, page: Page, view: data.View) -> None:
    draft_id = draft(studio, page, view)
    changes = in_the_end(data.change(data.share_out)(studio, view, page.shell, draft_id, "starter", False, 0.5, 7))
    assert "6</b> to check while training" in value(changes, view.shares)
    changes = in_the_end(data.change(data.share_out)(studio, view, page.shell, draft_id, "starter", False, 0, 7))
    assert "to check while training (validation)" not in value(changes, view.shares)
    assert "No row is kept aside" in value(changes, view.summary)


def test_saving_goes_on_to_the_model(studio: Studio, page: Page, view: data.View, nothing_is_fetched: list[str]) -> None:
    draft_id = draft(studio, page, view)
    changes = in_the_end(data.save(studio, view, page.shell, draft_id, None, "My <b>replies</b>"))
    record = studio.datasets.get(changes[page.shell.dataset_id])
    assert record.name == "My <b>replies</b>"
    assert "My &lt;b&gt;replies&lt;/b&gt;" in value(changes, view.file)
    assert changes[page.shell.tabs]["selected"] == "model"
    assert nothing_is_fetched == ["starter"]
    with pytest.raises(StudioError):
        in_the_end(data.save(studio, view, page.shell, draft_id, None, "again"))


def test_a_reload_shows_the_saved_set_or_the_open_draft(studio: Studio, page: Page, view: data.View) -> None:
    draft_id = draft(studio, page, view)
    assert data.refresh(studio, view, page.shell, None, "starter", None)[view.draft_id] == draft_id
    saved = in_the_end(data.save(studio, view, page.shell, draft_id, None, ""))[page.shell.dataset_id]
    changes = data.refresh(studio, view, page.shell, saved, "starter", None)
    assert changes[view.draft_id] is None
    assert "Replies" in value(changes, view.file)
    assert changes[view.again]["visible"]
    assert not changes[view.columns]["visible"]


def test_other_data_keeps_what_was_saved(studio: Studio, page: Page, view: data.View) -> None:
    saved = in_the_end(data.save(studio, view, page.shell, draft(studio, page, view), None, ""))[page.shell.dataset_id]
    open_draft = draft(studio, page, view)
    changes = data.use_other(studio, view, page.shell, open_draft)
    assert changes[page.shell.dataset_id] is None
    assert [key for _, key in changes[view.saved]["choices"]] == [saved]
    with pytest.raises(NotFound):
        studio.drafts.open(open_draft)
    again = data.use_saved(studio, view, page.shell, saved)
    assert again[page.shell.dataset_id] == saved


def test_a_set_is_read_another_way_as_a_copy(studio: Studio, page: Page, view: data.View) -> None:
    saved = in_the_end(data.save(studio, view, page.shell, draft(studio, page, view), None, ""))[page.shell.dataset_id]
    changes = data.read_anew(studio, view, page.shell, saved, "starter", False)
    assert studio.drafts.open(changes[view.draft_id]).draft.parent == saved
    assert studio.datasets.ids() == [saved]


@pytest.mark.parametrize("text", ["", "   ", None, 7, ["a"], "x" * 5_000_001])
def test_what_cannot_be_pasted(studio: Studio, page: Page, view: data.View, text: Any) -> None:
    with pytest.raises(StudioError):
        data.take_text(studio, view, page.shell, text, "starter", False)
    assert studio.drafts.newest() is None


def test_rows_cannot_become_markup(studio: Studio, page: Page, view: data.View) -> None:
    bad = "<img src=x onerror=alert(1)>"
    rows = f"question,{bad}\n{bad},{bad}\nB?,C.\nD?,\n" + f"{bad},\n"
    changes = in_the_end(data.take_file(studio, view, page.shell, put(studio, rows, f"{bad}.csv"), "starter", False))
    for component in (view.file, view.columns_head, view.example, view.example_head, view.summary):
        assert "<img" not in value(changes, component)
