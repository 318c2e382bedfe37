"""The Train tab's buttons for pausing, discarding and the queue: what they say and what they do, without a trainer."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from types import SimpleNamespace

import pytest

from studio.config import RunConfig
from studio.errors import Busy
from studio.samples import save_sample
from studio.ui import app, chat_parts, queue_parts, telling
from studio.ui.app import Page
from studio.ui.studio import Studio
from studio.ui.tabs import train
from tests.ui.run_folders import make_run

NAMES = ("pause", "stop", "go_on", "leave", "discard")


@pytest.fixture
def live(studio: Studio):
    """A run that is live because its lock is held, as by a trainer in another process."""
    run_id = make_run(studio, "Live one", state="running", step=42, total=80, eta_seconds=120.0)
    lock = studio.runs.lock(run_id)
    assert lock.acquire("a trainer")
    yield run_id
    lock.release()


@pytest.fixture
def waiting(studio: Studio) -> list[str]:
    """Two runs in the queue."""
    record = save_sample(studio.workspace, "sorter")
    config = RunConfig().replace(dataset_id=record.id)
    return [studio.runs.create(config.replace(name=f"Run <b>{at}</b>"), place=at) for at in range(2)]


def offered(studio: Studio, run_id: str) -> dict[str, str]:
    """The buttons one can press, by their names, with their labels."""
    found = train.parts(studio, run_id)
    return {
        name: found[name].get("value", "") for name in NAMES if found[name]["visible"] and found[name].get("interactive", True)
    }


def said(studio: Studio, run_id: str) -> str:
    found = train.parts(studio, run_id)
    return f"{found['purpose']['value']} {found['status']['value']}"


def pressing(run_id: str, act: str) -> SimpleNamespace:
    return SimpleNamespace(id=run_id, act=act)


def press(studio: Studio, page: Page, run_id: str, act: str, shown: str) -> dict:
    return train.reorder(studio, page.views["train"], page.shell, pressing(run_id, act), shown)


# ---- pausing


def test_pausing_says_so_and_can_still_become_a_stop(studio: Studio, page: Page, live: str) -> None:
    view = page.views["train"]
    found = train.pause(studio, view, page.shell, live)
    assert (found[view.pause]["value"], found[view.pause]["interactive"]) == ("Pausing", False)
    assert "It can go on from here later" in found[view.purpose]["value"]
    assert studio.runs.stop_requested(live) == "pause"
    assert offered(studio, live) == {"stop": "Stop and keep", "discard": "Stop and discard"}
    train.stop(studio, view, page.shell, live)
    assert studio.runs.stop_requested(live) == "keep"
    assert offered(studio, live) == {"discard": "Stop and discard"}


def test_a_paused_run_says_where_it_stands_and_that_one_can_chat(studio: Studio) -> None:
    run_id = make_run(studio, state="paused", step=40, total=80)
    assert "Paused at step 40 of 80. The computer is free for chatting." in said(studio, run_id)
    assert "Paused by you" in said(studio, run_id)
    assert offered(studio, run_id) == {"go_on": "Go on from step 40", "discard": "Discard"}
    assert train.parts(studio, run_id)["next"]["value"] == "Chat with it"
    assert chat_parts.held_by(studio) is None
    assert app.train_mark(studio.runs.status(run_id)) == "paused"


def test_a_paused_run_does_not_promise_a_computer_that_another_run_uses(studio: Studio, live: str) -> None:
    run_id = make_run(studio, state="paused", step=40, total=80)
    assert "Another run uses the computer now." in said(studio, run_id)
    assert "free" not in said(studio, run_id)
    assert offered(studio, run_id) == {"go_on": "Add to the queue", "discard": "Discard"}


def test_a_pause_after_a_full_disk_tells_why(studio: Studio) -> None:
    run_id = make_run(studio, state="paused", step=40, error={"what": "It could not be saved.", "why": "", "fix": ""})
    assert train.parts(studio, run_id)["failure"]["visible"]
    assert "by you" not in said(studio, run_id)
    assert app.train_mark(studio.runs.status(run_id)) == "!"


# ---- discarding


def test_discarding_asks_first_and_says_exactly_what_is_lost(studio: Studio, page: Page, live: str) -> None:
    view = page.views["train"]
    found = train.ask_discard(studio, view, page.shell, live)
    text = re.sub(r"<[^>]+>", " ", found[view.lost]["value"])
    assert "Your examples and the base model stay." in text
    assert "what it learned in 42 steps, its adapter, its curve and its sample answers." in text
    assert found[view.asking]["visible"]
    assert studio.runs.stop_requested(live) == ""
    kept = train.keep(studio, view, page.shell)
    assert (kept[view.asking]["visible"], kept[view.doomed]) == (False, None)
    assert train.keep(studio, view, page.shell, "another", live)[view.asking]["visible"] is False
    assert train.keep(studio, view, page.shell, live, live) == {}, "a late redraw does not close the question"
    found = train.discard(studio, view, page.shell, live)
    assert studio.runs.stop_requested(live) == "discard"
    assert (found[view.discard]["value"], found[view.asking]["visible"]) == ("Discarding", False)
    assert offered(studio, live) == {}
    assert "is then deleted. Your examples stay." in said(studio, live)
    assert "kept" not in found[view.purpose]["value"]


def test_a_run_that_learned_nothing_loses_nothing_more(studio: Studio, page: Page, waiting: list[str]) -> None:
    view = page.views["train"]
    text = train.ask_discard(studio, view, page.shell, waiting[0])[view.lost]["value"]
    assert "Lost for good: the settings of this run." in text
    assert "<b>0" not in text


def test_a_discarded_run_leaves_the_page(studio: Studio, page: Page) -> None:
    view, other = page.views["train"], make_run(studio, "Other")
    run_id = make_run(studio, "Paused", state="paused", step=40)
    seen = train.refresh(studio, view, page.shell, None, None, run_id)[view.seen]
    found = train.discard(studio, view, page.shell, run_id)
    assert found[page.shell.run_id] == other
    assert studio.runs.ids() == [other]
    assert studio.datasets.ids() == [studio.dataset_of(other)]
    assert train.tick(studio, view, page.shell, run_id, seen) == {page.shell.run_id: other}, "in another window too"
    assert train.refresh(studio, view, page.shell, None, None, run_id)[page.shell.run_id] == other
    assert train.discard(studio, view, page.shell, None) == {}


# ---- the queue


def test_the_queue_is_listed_in_order_and_escaped(studio: Studio, live: str, waiting: list[str]) -> None:
    found = train.parts(studio, live)
    assert found["queue"]["visible"]
    shown = found["queue_list"]["value"]
    assert [shown.index(run_id) for run_id in waiting] == sorted(shown.index(run_id) for run_id in waiting)
    assert "<b>0</b>" not in shown
    names = re.findall(r'aria-label="([^"]+)"( disabled)?', shown)
    assert names[0] == ("Move 1, Run &lt;b&gt;0&lt;/b&gt;, up", " disabled")
    assert [bool(off) for _, off in names] == [True, False, False, False, True, False]
    assert "starts by itself when “Live one” ends" in found["queue_head"]["value"]
    assert found["queue_start"]["visible"] is False
    assert found["next"]["value"] == "Chat opens after the queue"
    held = chat_parts.held_by(studio)
    assert "2 runs after it come first" in str(chat_parts.waiting(held))
    assert chat_parts.opens_at(held) == "Chat opens when it is free"


def test_after_a_restart_it_asks_before_it_starts(studio: Studio, waiting: list[str]) -> None:
    found = train.parts(studio, waiting[1])
    assert "2 runs are waiting." in found["queue_head"]["value"]
    assert (found["queue_start"]["value"], found["queue_start"]["visible"]) == ("Start the queue", True)
    assert offered(studio, waiting[1]) == {"leave": ""}
    assert "waits for its turn" in said(studio, waiting[1])
    assert (found["next"]["value"], found["next"]["interactive"]) == ("Chat opens when it is trained", False)
    assert telling.silence(replace(studio.runs.status(waiting[1]), updated_at=1.0)) is None
    assert app.train_mark(studio.runs.status(waiting[1])) == "waiting"


def test_while_one_is_paused_it_says_so(studio: Studio, waiting: list[str]) -> None:
    run_id = make_run(studio, "Bakery", state="paused", step=40)
    found = train.parts(studio, run_id)
    assert "because “Bakery” is paused" in found["queue_head"]["value"]
    assert found["queue_start"]["value"] == "Start the next one"


def test_the_buttons_of_a_row(studio: Studio, page: Page, live: str, waiting: list[str]) -> None:
    view, (first, second) = page.views["train"], waiting
    before = train.stamp(studio, live)
    found = press(studio, page, second, "up", live)
    assert studio.runs.turns().waiting == (second, first)
    assert view.queue_list in found
    assert train.stamp(studio, live) != before, "other windows notice"
    press(studio, page, second, "down", live)
    assert studio.runs.turns().waiting == (first, second)
    press(studio, page, first, "out", live)
    assert first not in studio.runs.ids()
    for run_id, act in (("../x", "up"), ("gone-000000", "out"), (second, "explode"), (None, None)):
        press(studio, page, run_id, act, live)
    assert studio.runs.turns().waiting == (second,)
    with pytest.raises(Busy):
        press(studio, page, live, "out", live)


def test_leaving_the_queue_keeps_what_was_learned(studio: Studio, page: Page) -> None:
    view = page.views["train"]
    run_id = make_run(studio, state="stopped", step=40)
    studio.runs.write_status(run_id, replace(studio.runs.status(run_id), state="queued", place=0))
    assert "Goes on from step 40" in str(queue_parts.rows(studio, studio.runs.turns()))
    train.leave(studio, view, page.shell, run_id)
    assert studio.runs.status(run_id).state == "stopped"


def test_starting_the_queue_shows_the_run(
    studio: Studio, page: Page, waiting: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    view, launched = page.views["train"], []
    monkeypatch.setattr("studio.training.jobs.TrainingJobs._launch", lambda jobs, run_id: launched.append(run_id))
    found = train.start_next(studio, view, page.shell)
    assert found[page.shell.run_id] == waiting[0]
    again = train.start_next(studio, view, page.shell)
    assert again[page.shell.run_id] == waiting[0], "pressing twice starts one"
    assert launched == [waiting[0]]


def test_a_reload_shows_what_trains_before_what_waits(studio: Studio, waiting: list[str]) -> None:
    assert studio.current_run() in waiting
    ended = make_run(studio)
    time.sleep(0.01)
    studio.runs.create(RunConfig(name="Later").replace(dataset_id=studio.dataset_of(ended)), place=9)
    assert studio.current_run() == ended
