"""The card of presets and differences: its handlers with the real core, and its wiring in a page, without a browser."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from studio.errors import NotFound, StudioError
from studio.presets import MAX_BYTES, Presets
from studio.ui import words_model as words
from studio.ui.app import Page
from studio.ui.guard import components, guarded
from studio.ui.modeling import presets as card
from studio.ui.studio import Studio
from tests.ui.run_folders import make_run
from tests.ui.test_data_tab import value


@pytest.fixture
def view(page: Page) -> card.View:
    """The Model tab's card, with the tab's controls as connect() gives it."""
    return replace(page.views["model"].presets, form=page.views["model"].form)


@pytest.fixture
def values(view: card.View) -> list[Any]:
    """The controls as they are on a fresh page."""
    return [item.value for item in view.form.inputs]


def changed(view: card.View, values: list[Any], **settings: Any) -> list[Any]:
    """The controls after some were changed."""
    return [settings.get(name, value) for name, value in zip(view.form.names, values, strict=True)]


def moved(view: card.View, changes: dict[Any, Any]) -> dict[str, Any]:
    """The settings that updates change, by name."""
    return {name: value(changes, box) for name, box in view.form.controls.items() if box in changes}


def press(name: str) -> SimpleNamespace:
    """What the page sends for a button of the list."""
    return SimpleNamespace(setting=name)


def test_handlers_change_their_own_parts_and_the_controls_alone(view: card.View, page: Page) -> None:
    own = set(components(view))
    assert set(view.form.inputs) <= own
    for box in (view.own, view.run, view.name):
        assert box.label
    assert own & set(components(page.shell)) == set()
    mine = [fn for fn in page.demo.fns.values() if fn.fn is not None and view.told in fn.outputs and len(fn.outputs) < 60]
    assert mine and all(set(fn.outputs) <= own for fn in mine)


def test_what_differs_is_told_and_goes_back(studio: Studio, page: Page, view: card.View, values: list[Any]) -> None:
    shown = card.show(studio, view, page.shell, *values)
    assert words.ALL_DEFAULT in value(shown, view.listed)
    mine = changed(view, values, r=64, learning_rate=1e-4)
    shown = card.show(studio, view, page.shell, *mine)
    assert "2 settings differ from the defaults" in value(shown, view.head)
    assert "Adapter size (rank): 64 instead of 16." in value(shown, view.listed)
    assert f'aria-label="{words.BACK_NAMED.format(label="Learning rate")}"' in value(shown, view.listed)
    assert shown[view.all_back]["visible"]
    assert moved(view, card.set_back(studio, view, page.shell, press("r"), *mine)) == {"r": 16}
    assert moved(view, card.set_back(studio, view, page.shell, press("../r"), *mine)) == {}
    assert moved(view, card.set_all_back(studio, view, page.shell, *mine)) == {"r": 16, "learning_rate": 5e-4}


def test_a_fault_is_no_notice_but_nothing_is_compared(studio: Studio, page: Page, view: card.View, values: list[Any]) -> None:
    shown = card.show(studio, view, page.shell, *changed(view, values, learning_rate=float("nan")))
    assert words.FAULTY in value(shown, view.listed)
    assert moved(view, card.set_back(studio, view, page.shell, press("learning_rate"), *changed(view, values, learning_rate=-1)))


def test_goal_and_depth_set_what_their_table_says(studio: Studio, page: Page, view: card.View, values: list[Any]) -> None:
    mine = changed(view, values, depth="thorough")
    assert moved(view, card.choose_goal_or_depth(studio, view, page.shell, *mine)) == {"early_stopping_patience": 6}
    shown = card.show(studio, view, page.shell, *changed(view, mine, early_stopping_patience=6))
    assert "1 setting differs" in value(shown, view.head) and "Prechelt" in value(shown, view.listed)


def test_a_preset_is_saved_used_renamed_and_deleted(studio: Studio, page: Page, view: card.View, values: list[Any]) -> None:
    shell = page.shell
    mine = changed(view, values, r=8, system_prompt="Be kind.")
    saved = card.save(studio, view, shell, " My <b>voice</b> ", *mine)
    [preset] = Presets(studio.workspace).list()
    assert saved[view.own]["value"] == preset.id and saved[view.chosen]["visible"]
    assert "&lt;b&gt;voice" in value(saved, view.told)
    used = card.use(studio, view, shell, preset.id, *values)
    assert moved(view, used) == {"r": 8, "system_prompt": "Be kind."}
    card.rename(studio, view, shell, preset.id, "Kind")
    assert Presets(studio.workspace).get(preset.id).name == "Kind"
    asked = card.ask_delete(studio, view, shell, preset.id)
    assert "Kind" in value(asked, view.ask) and asked[view.asking]["visible"]
    assert not card.keep(studio, view, shell)[view.asking]["visible"]
    gone = card.delete(studio, view, shell, preset.id)
    assert Presets(studio.workspace).list() == [] and not gone[view.chosen]["visible"]
    with pytest.raises(NotFound):
        card.use(studio, view, shell, preset.id, *values)


def test_a_preset_goes_out_as_a_file_and_comes_back(studio: Studio, page: Page, view: card.View, values: list[Any]) -> None:
    shell = page.shell
    card.save(studio, view, shell, "My / voice", *changed(view, values, r=8))
    [preset] = Presets(studio.workspace).list()
    path = Path(value(card.export(studio, view, shell, preset.id), view.file))
    assert path.parent.parent == studio.workspace.root / "uploads"
    assert json.loads(path.read_text())["settings"]["r"] == 8
    told = card.bring(studio, view, shell, str(path))
    assert "My / voice (2)" in value(told, view.told)
    path.write_text(json.dumps({**json.loads(path.read_text()), "settings": {"r": 4, "magic": 1}}))
    assert "“magic” is no setting" in value(card.bring(studio, view, shell, str(path)), view.told)
    path.write_bytes(b" " * (MAX_BYTES + 2))
    notice = value(guarded(card.bring)(studio, view, shell, str(path)), view.notice)
    assert "larger than 64 kB" in notice
    for nothing in (None, "", []):
        with pytest.raises(StudioError):
            card.bring(studio, view, shell, nothing)


def test_the_settings_of_an_earlier_run(studio: Studio, page: Page, view: card.View, values: list[Any]) -> None:
    shell = page.shell
    run_id = make_run(studio, "Bakery", settings={"r": 4, "base_model": "gone-123456"})
    (studio.workspace.root / "runs" / "broken").mkdir()
    offered = card.refresh(studio, view, shell, "", "nothing", *values)
    assert [key for _, key in offered[view.run]["choices"]] == ["", run_id] and offered[view.run]["value"] == ""
    used = card.use_run(studio, view, shell, run_id, "starter", *values)
    assert moved(view, used) == {"r": 4}
    assert "Bakery" in value(used, view.told) and words.LOST_MODEL in value(used, view.told)
    assert moved(view, card.use_run(studio, view, shell, "", "starter", *values)) == {}
    with pytest.raises(NotFound):
        card.use_run(studio, view, shell, "../x", "starter", *values)


@pytest.mark.parametrize("own", [None, "", "../runs", 7, ["x"]])
def test_forged_ids_do_nothing(studio: Studio, page: Page, view: card.View, values: list[Any], own: Any) -> None:
    for handler in (card.export, card.ask_delete, card.delete):
        assert "notice" in value(guarded(handler)(studio, view, page.shell, own), view.notice)
    assert "notice" in value(guarded(card.rename)(studio, view, page.shell, own, "x"), view.notice)
