"""What the Train tab says of a run in each of its states, and that it sends only what changed."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from typing import get_args

import pytest

from studio.errors import StudioError
from studio.records import RunStatus, State
from studio.ui import run_parts, telling
from studio.ui.app import Page
from studio.ui.studio import Studio
from studio.ui.tabs import train
from studio.workspace import write_json
from tests.ui.run_folders import make_run


@pytest.fixture
def live(studio: Studio):
    """A run that is live because its lock is held, as by a trainer in another process."""
    run_id = make_run(studio, state="running", step=42, total=80, eta_seconds=120.0)
    lock = studio.runs.lock(run_id)
    assert lock.acquire("a trainer")
    yield run_id
    lock.release()


def value(update: dict) -> str:
    return update["value"]


def test_a_live_run_shows_its_numbers_and_can_be_stopped(studio: Studio, live: str) -> None:
    found = train.parts(studio, live)
    assert "42 <small>of 80</small>" in value(found["status"])
    assert "612 <small>tokens/s</small>" in value(found["status"])
    assert 'aria-current="step">Learning' in value(found["status"])
    assert "goes on" in value(found["purpose"])
    labels = [found[name]["value"] for name in ("pause", "stop", "discard") if found[name]["visible"]]
    assert labels == ["Pause", "Stop and keep", "Stop and discard"]
    assert not any(found[name]["visible"] for name in ("go_on", "leave", "show_live", "queue"))
    assert (found["next"]["value"], found["next"]["interactive"]) == ("Chat opens in about 2 min", False)
    assert found["curve"]["value"]["live"]


def test_the_settings_shown_are_the_runs_own(studio: Studio, page: Page) -> None:
    run_id = make_run(studio, "Other settings", settings={"r": 64, "quantization": "int8"})
    shown = value(train.parts(studio, run_id)["side"])
    assert re.search(r"Adapter size</dt><dd>64<", shown)
    assert "Half, 8 bit" in shown


def test_stopping_says_so_until_the_run_ends(studio: Studio, page: Page, live: str) -> None:
    view = page.views["train"]
    found = train.stop(studio, view, page.shell, live)
    assert studio.runs.stop_requested(live)
    assert (found[view.stop]["value"], found[view.stop]["interactive"]) == ("Stopping", False)


def test_a_run_that_is_silent_says_since_when(studio: Studio, live: str) -> None:
    before = train.stamp(studio, live)
    status = replace(studio.runs.status(live), updated_at=time.time() - 200)
    write_json(studio.runs.folder(live) / "status.json", status.to_json())
    shown = value(train.parts(studio, live)["status"])
    assert "Nothing was heard from the run since" in shown
    assert "about 3 min" in shown
    assert train.stamp(studio, live) != before


def test_silence_alone_changes_the_stamp() -> None:
    status = RunStatus(state="running", updated_at=1000.0)
    assert telling.silence(status, 1030.0) is None
    assert telling.silence(status, 1100.0) == pytest.approx(100.0)
    assert telling.silence(replace(status, state="finished"), 9999.0) is None


def test_a_dead_trainer_is_interrupted_and_can_go_on(studio: Studio) -> None:
    run_id = make_run(studio, state="running", step=42)
    found = train.parts(studio, run_id)
    assert "What it had learned up to step 40 is safe." in value(found["purpose"])
    assert (found["go_on"]["visible"], found["go_on"]["value"]) == (True, "Go on from step 40")
    assert found["stop"]["visible"] is False
    assert "does not run now" in value(found["status"])


def test_without_a_save_it_starts_again(studio: Studio) -> None:
    run_id = make_run(studio, state="failed", step=3, adapter=False, checkpoint=False, error={"what": "x"})
    found = train.parts(studio, run_id)
    assert found["go_on"]["value"] == "Start this run again"
    assert (found["next"]["value"], found["next"]["interactive"]) == ("Nothing to chat with yet", False)


def test_a_failure_is_told_and_escaped(studio: Studio) -> None:
    error = {"what": "Training stopped early.", "why": "<img src=x onerror=alert(1)>", "fix": "Close programs.", "id": "7f3a"}
    run_id = make_run(studio, state="failed", step=42, error=error)
    found = train.parts(studio, run_id)
    assert found["failure"]["visible"]
    assert all(
        text in value(found["failure"]) for text in ("Training stopped early.", "Close programs.", "Error 7f3a", "&lt;img")
    )
    assert "<img" not in value(found["failure"])
    assert found["next"]["interactive"]


def test_a_finished_run_leads_to_the_chat(studio: Studio, page: Page) -> None:
    run_id = make_run(studio)
    found = train.parts(studio, run_id)
    assert value(found["status"]).count("✓") == len(telling.PHASES)
    assert found["go_on"]["visible"] is False
    assert (found["next"]["value"], found["next"]["interactive"]) == ("Chat with it", True)
    went = train.chat_with(studio, page.views["train"], page.shell, run_id)
    assert went[page.shell.run_id] == run_id
    assert went[page.shell.tabs]["selected"] == "chat"


def test_before_the_first_run_it_says_what_to_do(studio: Studio, page: Page) -> None:
    view = page.views["train"]
    found = train.refresh(studio, view, page.shell, None, "starter", None)
    assert found[view.page]["visible"] is False
    assert found[view.next]["interactive"] is False
    assert found[view.next]["value"] == "First train a model"


def test_a_tick_sends_nothing_while_nothing_changes(studio: Studio, page: Page, live: str) -> None:
    view = page.views["train"]
    first = train.refresh(studio, view, page.shell, None, None, live)
    assert train.tick(studio, view, page.shell, live, first[view.seen]) == {}


def test_what_is_shown_is_what_the_page_is_said_to_have(
    studio: Studio, page: Page, live: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    view, lock = page.views["train"], type(studio.runs.lock(live)).held
    studio.runs.write_status(live, replace(studio.runs.status(live), state="running"))
    looks = iter([False, False])  # at first it seems to have died
    monkeypatch.setattr(type(studio.runs.lock(live)), "held", lambda self: next(looks, None) is None and lock(self))
    seen = train.refresh(studio, view, page.shell, None, None, live)[view.seen]
    found = train.tick(studio, view, page.shell, live, seen)
    assert "practising" in found[view.purpose]["value"], "what was shown wrongly is put right at the next look"


def test_a_tick_sends_only_what_changed(studio: Studio, page: Page, live: str) -> None:
    view = page.views["train"]
    seen = train.refresh(studio, view, page.shell, None, None, live)[view.seen]
    studio.runs.append(live, "metrics", {"step": 43, "loss": 1.2})
    studio.runs.write_status(live, replace(studio.runs.status(live), step=43))
    found = train.tick(studio, view, page.shell, live, seen)
    assert {view.status, view.curve, view.seen} <= found.keys()
    assert not {view.asked, view.side, view.page, view.purpose} & found.keys()
    assert found[view.curve]["value"]["step"] == 43


def test_another_live_run_is_one_press_away(studio: Studio, page: Page, live: str) -> None:
    view = page.views["train"]
    other = make_run(studio, "Older one")
    assert train.parts(studio, other)["show_live"]["visible"]
    stopped = make_run(studio, "Stopped one", state="stopped", step=40)
    assert train.parts(studio, stopped)["go_on"]["value"] == "Add to the queue"
    assert train.show_live(studio, view, page.shell)[page.shell.run_id] == live


def test_going_on_with_a_finished_run_is_refused(studio: Studio, page: Page) -> None:
    run_id = make_run(studio)
    with pytest.raises(StudioError, match="finished"):
        train.go_on(studio, page.views["train"], page.shell, run_id)


def test_sample_answers_are_escaped_and_base_comes_first(studio: Studio) -> None:
    run_id = make_run(studio)
    shown = str(run_parts.asked(studio.runs.samples(run_id), studio.runs.status(run_id)))
    heads = re.findall(r"<th[^>]*>(.*?)</th>", shown)
    assert "Base" in heads[1]
    assert [re.search(r"Step (\d+)", head)[1] for head in heads[2:]] == ["10", "40", "80"]
    assert "best" in heads[-1]
    assert "<script>" not in shown
    assert "<b>Mondays" not in shown
    assert "&lt;b&gt;Mondays" in shown


def test_long_answers_get_fewer_columns(studio: Studio) -> None:
    run_id = make_run(studio)
    samples = [replace(sample, answer="long " * 40) for sample in studio.runs.samples(run_id)]
    assert run_parts.answer_steps(samples, 80) == [10, 80]


def test_the_log_is_bounded(studio: Studio) -> None:
    run_id = make_run(studio)
    (studio.runs.folder(run_id) / "run.log").write_text("line <b>\n" * 5000, encoding="utf-8")
    assert len(train.parts(studio, run_id)["log"]["value"]) == train.LOG_CHARACTERS


@pytest.mark.parametrize("state", get_args(State))
def test_every_state_is_said_in_words(state: str) -> None:
    status = RunStatus(state=state, updated_at=time.time(), finished_at=time.time(), phase="learning")
    assert telling.purpose(status)
    assert telling.doing(status)[0]
    assert telling.state_tag(status)[0]
