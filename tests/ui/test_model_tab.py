"""The Model tab's handlers, with the real core and without a browser."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any

import pytest

from studio.config import RunConfig
from studio.errors import ConfigError, NotFound, StudioError
from studio.models.fetch import Progress
from studio.samples import save_sample
from studio.ui import words
from studio.ui.app import Page
from studio.ui.guard import guarded
from studio.ui.studio import Studio
from studio.ui.tabs import model
from tests.ui.run_folders import make_run


@pytest.fixture
def view(page: Page) -> model.View:
    return page.views["model"]


@pytest.fixture
def values(view: model.View) -> list[Any]:
    """The controls as they are on a fresh page."""
    return [item.value for item in view.form.inputs]


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[RunConfig]:
    """Configs handed to the training jobs; the jobs themselves have their own tests."""
    found: list[RunConfig] = []

    def start(self: Any, config: RunConfig, *, queue: bool) -> str:
        assert queue
        found.append(config.validate())
        return "run-1"

    monkeypatch.setattr("studio.training.jobs.TrainingJobs.start", start)
    return found


def changed(view: model.View, values: list[Any], **settings: Any) -> list[Any]:
    """The controls after some were changed."""
    values = list(values)
    for name, value in settings.items():
        values[view.form.names.index(name)] = value
    return values


def shown(changes: dict, component: Any) -> Any:
    change = changes[component]
    return change["value"] if isinstance(change, dict) else change


def fact(text: str, name: str) -> str:
    return re.search(rf"<dt>{name}</dt><dd>([^<]*)</dd>", text)[1]


def test_without_data_the_button_names_the_missing_step(studio: Studio, page: Page, view: model.View, values: list) -> None:
    changes = model.show_plan(studio, view, page.shell, None, "starter", *values)
    assert shown(changes, view.next) == words.FIRST_DATA
    assert not changes[view.next]["interactive"]
    assert "SmolLM2" in shown(changes, view.models)
    assert view.preview not in changes


def test_the_plan_shows_what_the_core_reckons(studio: Studio, page: Page, view: model.View, values: list) -> None:
    record = save_sample(studio.workspace, "bakery")
    changes = model.show_plan(studio, view, page.shell, record.id, "starter", *values)
    preview = shown(changes, view.preview)
    config = view.form.config(values)
    assert fact(preview, "Rows") == str(record.counts["train"])
    assert fact(preview, "Steps") == f"{config.total_steps(record.counts['train']):,}"
    assert fact(preview, "To fetch") != "nothing"
    assert "Fits in memory" in preview or "Tight" in preview or "Needs more" in preview
    assert "needed" in shown(changes, view.fitting.memory)
    assert shown(changes, view.next) == words.TRAIN_NOW
    depths = [label for label, _ in changes[view.form.controls["depth"]]["choices"]]
    assert all(re.search(r"min|minute", label) for label in depths)


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"depth": "thorough"}, "Steps"),
        ({"r": 64}, "Disk"),
        ({"quantization": "none"}, "Memory"),
        ({"num_train_epochs": 9}, "Time"),
    ],
)
def test_a_change_shows_at_once(
    studio: Studio, page: Page, view: model.View, values: list, settings: dict[str, Any], name: str
) -> None:
    record = save_sample(studio.workspace, "bakery")
    before = model.show_plan(studio, view, page.shell, record.id, "starter", *values)
    after = model.show_plan(studio, view, page.shell, record.id, "starter", *changed(view, values, **settings))
    assert fact(shown(before, view.preview), name) != fact(shown(after, view.preview), name)


def test_every_fault_is_shown_in_one_notice(studio: Studio, page: Page, view: model.View, values: list) -> None:
    record = save_sample(studio.workspace, "bakery")
    bad = changed(view, values, r=10**9, learning_rate=float("nan"), quantization="2 bit")
    notice = shown(guarded(model.show_plan)(studio, view, page.shell, record.id, "starter", *bad), view.notice)
    assert notice.count("<li>") == 3
    for label in ("Adapter size (rank)", "Learning rate", "Memory saving (quantization)"):
        assert label in notice


def test_train_now_hands_over_what_the_page_shows(
    studio: Studio, page: Page, view: model.View, values: list, started: list[RunConfig]
) -> None:
    record = save_sample(studio.workspace, "sorter")
    mine = changed(view, values, r=8, depth="quick", seed=7)
    changes = model.go_on(studio, view, page.shell, record.id, "starter", *mine, "", "  My \u202e sorter ")
    [config] = started
    assert (config.adapter.r, config.training.depth, config.training.seed) == (8, "quick", 7)
    assert (config.data.dataset_id, config.data.dataset_sha256) == (record.id, record.sha256)
    assert config.model.base_model == "starter"
    assert config.name == "My sorter"
    assert changes[page.shell.run_id] == "run-1"
    assert changes[page.shell.tabs]["selected"] == "train"


def test_a_run_without_a_name_is_called_as_its_data(
    studio: Studio, page: Page, view: model.View, values: list, started: list[RunConfig]
) -> None:
    record = save_sample(studio.workspace, "sorter")
    for name in ("", "   ", None, 3):
        model.go_on(studio, view, page.shell, record.id, "starter", *values, "", name)
    assert {config.name for config in started} == {record.name}


@pytest.mark.parametrize("dataset_id", [None, "", "../runs", "gone-123456", 7, ["x"]])
def test_without_data_nothing_starts(
    studio: Studio, page: Page, view: model.View, values: list, started: list[RunConfig], dataset_id: Any
) -> None:
    with pytest.raises(StudioError):
        model.go_on(studio, view, page.shell, dataset_id, "starter", *values, "", "x")
    assert started == []


@pytest.mark.parametrize("model_id", ["../../etc", "nothing", "", None])
def test_a_forged_model_starts_nothing(
    studio: Studio, page: Page, view: model.View, values: list, started: list[RunConfig], model_id: Any
) -> None:
    record = save_sample(studio.workspace, "sorter")
    with pytest.raises(NotFound):
        model.go_on(studio, view, page.shell, record.id, model_id, *values, "", "x")
    with pytest.raises(NotFound):
        model.choose_model(studio, view, page.shell, SimpleNamespace(id=model_id), record.id, "starter", *values)
    assert started == []


def test_settings_that_cannot_be_used_start_nothing(
    studio: Studio, page: Page, view: model.View, values: list, started: list[RunConfig]
) -> None:
    record = save_sample(studio.workspace, "sorter")
    with pytest.raises(ConfigError):
        model.go_on(studio, view, page.shell, record.id, "starter", *changed(view, values, seed=-1), "", "x")
    assert started == []


def test_while_a_run_is_live_the_button_adds_to_the_queue(
    studio: Studio, page: Page, view: model.View, values: list, started: list[RunConfig]
) -> None:
    record = save_sample(studio.workspace, "sorter")
    run_id = studio.runs.create(RunConfig(name="Other <b>run</b>").replace(dataset_id=record.id))
    changes = model.show_plan(studio, view, page.shell, record.id, "starter", *values)
    assert shown(changes, view.next) == words.ADD_TO_QUEUE
    assert "Other &lt;b&gt;run&lt;/b&gt;" in shown(changes, view.next_note)
    changes = model.go_on(studio, view, page.shell, record.id, "starter", *values, "", "x")
    assert changes[page.shell.run_id] == run_id, "the page shows the run that trains; the queue is below it"
    assert changes[page.shell.tabs]["selected"] == "train"
    assert [config.name for config in started] == ["x"]


def test_behind_runs_that_wait_it_lines_up(studio: Studio, page: Page, view: model.View, values: list) -> None:
    record = save_sample(studio.workspace, "sorter")
    state = model.tick(studio, view, page.shell, "", record.id, "starter")[view.state]
    waiting = studio.runs.create(RunConfig(name="Waits").replace(dataset_id=record.id), place=0)
    assert view.stale in model.tick(studio, view, page.shell, state, record.id, "starter")
    changes = model.redraw(studio, view, page.shell, record.id, "starter", *values)
    assert shown(changes, view.next) == words.ADD_TO_QUEUE
    changes = model.go_on(studio, view, page.shell, record.id, "starter", *values, "", "Second")
    added = changes[page.shell.run_id]
    assert studio.runs.turns().waiting == (waiting, added)
    assert studio.runs.config(added).name == "Second"
    again = model.go_on(studio, view, page.shell, record.id, "starter", *values, "", "Second")
    assert again[page.shell.run_id] == added, "pressing twice adds one"


def test_a_folder_that_is_no_model_is_refused_with_a_reason(
    studio: Studio, page: Page, view: model.View, values: list, tmp_path: Any
) -> None:
    for path in ("", None, str(tmp_path), "relative/path", "/etc", "\0"):
        with pytest.raises(StudioError) as caught:
            model.add_model(studio, view, page.shell, path, None, "starter", *values)
        assert caught.value.fix
    assert [entry.id for entry in studio.catalog.entries()] == ["starter"]


def test_new_data_brings_its_name_and_goal(studio: Studio, page: Page, view: model.View) -> None:
    record = save_sample(studio.workspace, "sorter")
    changes = model.new_data(studio, view, page.shell, record.id)
    assert changes[view.name]["placeholder"] == record.name
    assert "value" not in changes[view.name], "what somebody writes meanwhile stays"
    assert shown(changes, view.form.controls["goal"]) == "sorting"


def test_a_tick_sends_nothing_twice(studio: Studio, page: Page, view: model.View) -> None:
    record = save_sample(studio.workspace, "sorter")
    first = model.tick(studio, view, page.shell, "", record.id, "starter")
    assert record.id in shown(first, view.stale)
    assert model.tick(studio, view, page.shell, first[view.state], record.id, "starter") == {}


def test_a_fetch_shows_how_far_it_is_and_why_it_failed(
    studio: Studio, page: Page, view: model.View, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = model.tick(studio, view, page.shell, "", None, "starter")[view.state]
    progress = Progress("download", 30, 60, "Downloading, 30 of 60 MB.")
    monkeypatch.setattr(Studio, "fetch_progress", lambda self, model_id: progress)
    changes = model.tick(studio, view, page.shell, state, None, "starter")
    assert "Downloading, 30 of 60 MB." in shown(changes, view.fetching.state)
    assert "width:50.0%" in shown(changes, view.fetching.state)
    assert view.stale not in changes
    monkeypatch.setattr(Studio, "fetch_progress", lambda self, model_id: None)
    studio.background.failed["starter"] = StudioError("The model was not fetched.", "Offline.", "Connect.")
    changes = model.tick(studio, view, page.shell, changes[view.state], None, "starter")
    assert "Offline." in shown(changes, view.fetching.state)
    assert changes[view.fetching.again]["visible"]


def test_an_empty_set_of_settings_redraws_without_a_notice(studio: Studio, page: Page, view: model.View, values: list) -> None:
    changes = model.redraw(studio, view, page.shell, None, "starter", *changed(view, values, seed=None))
    assert view.models not in changes
    assert shown(changes, view.next) == words.FIRST_DATA


def test_earlier_runs_of_the_same_model_can_go_on(
    studio: Studio, page: Page, view: model.View, values: list, started: list[RunConfig]
) -> None:
    nothing = model.offer_earlier(studio, view, page.shell, "starter", "")[view.earlier]
    assert (nothing["visible"], nothing["value"]) == (False, "")
    done = make_run(studio, "Bakery voice")
    make_run(studio, "Never learned", state="failed", adapter=False)
    offered = model.offer_earlier(studio, view, page.shell, "starter", done)[view.earlier]
    assert (offered["visible"], offered["value"]) == (True, done)
    assert [run_id for _, run_id in offered["choices"]] == ["", done]
    assert model.offer_earlier(studio, view, page.shell, "other-123456", done)[view.earlier]["value"] == ""
    record = studio.datasets.get(studio.datasets.ids()[0])
    model.go_on(studio, view, page.shell, record.id, "starter", *values, done, "Further")
    assert started[0].model.start_from == done
