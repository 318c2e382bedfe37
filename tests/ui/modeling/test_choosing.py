"""Finding, fetching and fitting a model: the handlers with the real core and without a browser."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from studio.config import RunConfig
from studio.errors import Busy, NotFound
from studio.models.hardware import Hardware
from studio.models.published import hub_id, published
from studio.samples import save_sample
from studio.ui import words_hub as words
from studio.ui.app import Page
from studio.ui.modeling import fetching, fitting, more, reckoning
from studio.ui.studio import Studio
from studio.ui.tabs import model
from studio.workspace import read_json, write_json
from tests.ui.test_model_tab import changed, shown

REPO = "HuggingFaceTB/SmolLM2-360M-Instruct"
SEVENTY = "llama-3-3-70b-instruct-69ee4b"


@pytest.fixture
def view(page: Page) -> model.View:
    return page.views["model"]


@pytest.fixture
def values(view: model.View) -> list[Any]:
    """The controls as they are on a fresh page."""
    return [item.value for item in view.form.inputs]


@pytest.fixture
def fetched(studio: Studio, tiny_model: Path) -> str:
    """The id of a model of the Hub that is here, as a fetch leaves it."""
    local = studio.workspace.folder("models", studio.catalog.register_local(str(tiny_model)).id)
    note, place = read_json(local / "model.json"), studio.workspace.folder("models", hub_id(REPO))
    shutil.rmtree(local)
    shutil.copytree(tiny_model, place / "files")
    files = {path.name: {"size": path.stat().st_size} for path in (place / "files").iterdir()}
    about = {"id": place.name, "origin": "hub", "repo": REPO, "revision": "0" * 40, "path": "", "gated": False}
    write_json(place / "model.json", {**note, **about, "files": files, "ready": True, "download_bytes": 3_000_000})
    return place.name


def titles(html: str) -> list[str]:
    """The models of a list."""
    return re.findall(r"<b>([^<]+)</b>", html)


def test_the_list_filters_by_words_licence_and_what_fits(
    studio: Studio, page: Page, view: model.View, values: list, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reckoning, "hardware", lambda: Hardware(2, 8 * 2**30, 6 * 2**30))

    def listed(query: Any, which: str, licence: str = "") -> list[str]:
        found = more.show_known(studio, view, page.shell, query, which, licence, None, "starter", *values)
        return titles(shown(found, view.more.known))

    assert len(listed("", "all")) == len(published()) == len(listed(None, "all"))
    assert "Llama 3.3 70B Instruct" in listed("70b", "all")
    assert listed("70b", "fits") == []
    assert 0 < len(listed("", "fits")) < len(published())
    assert set(listed("", "all", "MIT")) == {item.title for item in published() if item.licence == "MIT"} != set()
    assert listed("no such model", "all") == []


def test_the_list_and_the_card_say_the_same(studio: Studio, page: Page, view: model.View, values: list) -> None:
    for found in reckoning.plan_of(studio, view.form, None, "starter", values).ranked(studio.catalog.published_entries()):
        assert found.estimate == reckoning.plan_of(studio, view.form, None, found.entry.id, values).estimate


def test_a_fetched_model_can_be_removed_after_asking(studio: Studio, page: Page, view: model.View, fetched: str) -> None:
    own = view.fetching
    changes = fetching.show(studio, view, studio.catalog.get(fetched))
    assert changes[own.remove]["visible"] and not changes[own.now]["visible"] and not changes[own.again]["visible"]
    asked = fetching.ask(studio, view, page.shell, fetched)
    assert "kB" in asked[own.sure]["value"] or "MB" in asked[own.sure]["value"]
    assert studio.catalog.get(fetched).ready, "asking removes nothing"
    assert fetching.remove(studio, view, page.shell, fetched)[page.shell.model_id] == "starter"
    assert not studio.workspace.folder("models", fetched).exists()


def test_a_model_that_trains_is_not_removed(
    studio: Studio, page: Page, view: model.View, fetched: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = studio.runs.create(RunConfig(name="Training").replace(base_model=fetched))
    monkeypatch.setattr(type(studio.jobs), "running", lambda _: run_id)
    with pytest.raises(Busy, match="Training"):
        fetching.remove(studio, view, page.shell, fetched)
    assert studio.catalog.get(fetched).ready


def test_a_folder_is_taken_off_and_stays_and_the_starter_cannot_go(
    studio: Studio, page: Page, view: model.View, tiny_model: Path
) -> None:
    local = studio.catalog.register_local(str(tiny_model)).id
    assert fetching.ask(studio, view, page.shell, local)[view.fetching.sure]["value"] == words.FORGET_SURE
    fetching.remove(studio, view, page.shell, local)
    assert (tiny_model / "config.json").is_file()
    with pytest.raises(NotFound):
        studio.catalog.get(local)
    with pytest.raises(NotFound):
        fetching.remove(studio, view, page.shell, "starter")


def test_what_a_stopped_fetch_left_is_told(studio: Studio, page: Page, view: model.View, fetched: str) -> None:
    place = studio.workspace.folder("models", fetched)
    note = read_json(place / "model.json")
    write_json(place / "model.json", {**note, "ready": False})
    (place / "partial").mkdir()
    (place / "partial" / "model.safetensors.part").write_bytes(bytes(2_000_000))
    changes = fetching.show(studio, view, studio.catalog.get(fetched))
    assert "are here already" in shown(changes, view.fetching.state)
    assert changes[view.fetching.now]["visible"] and "MB" in changes[view.fetching.now]["value"]


def test_a_run_is_made_to_fit_and_put_back_exactly(
    studio: Studio, page: Page, view: model.View, values: list, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reckoning, "hardware", lambda: Hardware(2, 8 * 2**30, 6 * 2**30))
    record, own = save_sample(studio.workspace, "bakery"), view.fitting
    mine = changed(view, values, quantization="none", r=64)
    before = reckoning.plan_of(studio, view.form, record.id, SEVENTY, mine)
    assert before.estimate.fits == "no"
    changes = fitting.make_it_fit(studio, view, page.shell, record.id, SEVENTY, *mine)
    after = [changes[box]["value"] for box in view.form.inputs]
    plan = reckoning.plan_of(studio, view.form, record.id, changes[page.shell.model_id], after)
    assert plan.estimate.fits == "well" and plan.config.adapter.r == 64
    assert words.FIT_DONE in shown(changes, own.made) and changes[own.back]["visible"]
    back = fitting.put_back(studio, view, page.shell, changes[own.before])
    assert back[page.shell.model_id] == SEVENTY
    assert [back[box]["value"] for box in view.form.inputs] == mine
    assert not back[own.back]["visible"]


@pytest.mark.parametrize("forged", [None, [], "x", [SEVENTY], [SEVENTY, 7], {"a": 1}])
def test_a_forged_note_of_what_was_before_changes_nothing(studio: Studio, page: Page, view: model.View, forged: Any) -> None:
    back = fitting.put_back(studio, view, page.shell, forged)
    assert page.shell.model_id not in back and not set(view.form.inputs) & set(back)


def test_a_model_without_a_template_says_what_to_choose(
    studio: Studio, page: Page, view: model.View, values: list, fetched: str
) -> None:
    record = save_sample(studio.workspace, "bakery")
    path = studio.workspace.folder("models", fetched) / "model.json"
    write_json(path, {**read_json(path), "has_chat_template": False})
    sentence = "choose one under Advanced"
    assert sentence in shown(model.show_plan(studio, view, page.shell, record.id, fetched, *values), view.preview)
    chosen = changed(view, values, chat_template="chatml")
    assert sentence not in shown(model.show_plan(studio, view, page.shell, record.id, fetched, *chosen), view.preview)


def test_the_token_is_taken_and_the_box_emptied(studio: Studio, page: Page, view: model.View) -> None:
    changes = more.keep_token(studio, view, page.shell, " hf_abcdefghijklmnop ")
    assert studio.token.value() == "hf_abcdefghijklmnop" and changes[view.more.token] == ""
    assert "hf_abc" not in str(changes)
