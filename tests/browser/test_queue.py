"""A person queues runs, pauses one to chat with it, lets it go on, and throws one away; real trainings of a tiny model."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from playwright.sync_api import Page, expect

from studio.config import RunConfig
from studio.datasets import DatasetStore
from studio.records import Example
from studio.runs import RunStore
from studio.workspace import Workspace
from tests.browser.conftest import App, faults, sideways, start, tab

pytestmark = pytest.mark.browser
expect.set_options(timeout=90_000)
NAME = ".facts dt:text-is('Name') + dd:visible"


def furnish(workspace: Workspace) -> None:
    """Rows long enough that a run outlasts the test, and an old run of them and the tiny model."""
    turns = [
        ({"role": "user", "content": f"what is {at}"}, {"role": "assistant", "content": "blue sky and red brick " * 6})
        for at in range(108)
    ]
    examples = [Example(messages=turn, source_row=at) for at, turn in enumerate(turns, 2)]
    record = DatasetStore(workspace).create("words", examples, ["validation"] * 8 + ["train"] * 100, format="pairs", seed=1)
    runs = RunStore(workspace)
    config = RunConfig(name="Old one").replace(dataset_id=record.id, dataset_sha256=record.sha256, base_model="tiny")
    old = runs.create(config)
    runs.write_status(old, replace(runs.status(old), state="stopped"))


@pytest.fixture
def own_app(tiny_workspace: Workspace) -> Iterator[App]:
    """An app that may be ended, whose workspace has a tiny model, rows and an old run."""
    furnish(tiny_workspace)
    running = start(tiny_workspace.root)
    yield running
    if running.process.poll() is None:
        running.stop()


def press(page: Page, name: str, **about) -> None:
    page.get_by_role("button", name=name, **about).click()


def queue(app: App, *names: str, epochs: int = 1) -> list[str]:
    """Runs in the queue, as another window puts them there."""
    runs = RunStore(Workspace(app.workspace))
    config = runs.config(runs.ids()[-1]).replace(quantization="none", num_train_epochs=epochs)
    first = len(runs.turns().waiting)
    return [runs.create(config.replace(name=name), place=place) for place, name in enumerate(names, first)]


def learns(page: Page, beyond: int = 2) -> None:
    """Wait until the page shows a later step."""
    step = "() => parseInt(document.querySelector('.status dd')?.innerText)"
    page.wait_for_function(f"{step} > {beyond}", timeout=240_000)  # the app imports its libraries beside the training


def until(done: Callable[[], bool]) -> None:
    """Wait for what happens outside the page."""
    deadline = time.monotonic() + 90
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def one_more_then_in_order(page: Page) -> None:
    """Put a third run into the queue and take it out again; then move the second one up, with the keyboard."""
    name = page.get_by_label("Name of this run")
    name.fill("Third")
    expect(name).to_have_attribute("placeholder", "words")  # what it would be called otherwise
    press(page, "Add to the queue")
    expect(page.locator(".queue li b")).to_have_text(["Second", "Long one", "Third"])
    expect(page.get_by_text("3 runs are waiting. Nothing starts until you say so.")).to_be_visible()
    page.get_by_role("button", name="Take out 3, Third").click()
    expect(page.locator(".queue li")).to_have_count(2)

    page.get_by_role("button", name="Move 2, Long one, up").focus()
    page.keyboard.press("Enter")
    expect(page.locator(".queue li b").first).to_have_text("Long one")
    expect(page.get_by_role("button", name="Move 1, Long one, down")).to_be_focused()
    assert (faults(page), sideways(page)) == ([], 0)


def test_start_the_queue_pause_chat_go_on_lose_the_power_and_finish(own_app: App, visit) -> None:
    runs = RunStore(Workspace(own_app.workspace))
    (second,) = queue(own_app, "Second")
    (long,) = queue(own_app, "Long one", epochs=8)
    page = visit(own_app.address)
    tab(page, "2 Model")
    one_more_then_in_order(page)

    press(page, "Start the queue")
    expect(page.locator(NAME)).to_have_text("Long one")
    learns(page)
    press(page, "Pause")
    paused = re.compile(r"Paused at step \d+ of \d+\. The computer is free for chatting\.")
    expect(page.locator(".purpose:visible")).to_have_text(paused)
    expect(page.get_by_text("because “Long one” is paused")).to_be_visible()
    expect(page.get_by_role("button", name="Start the next one")).to_be_visible()
    expect(page.locator("[role=tab]:visible", has_text="3 Train paused")).to_be_visible()
    assert (faults(page), sideways(page)) == ([], 0)

    press(page, "Chat with it")
    page.get_by_label("Your message").fill("what is 3")
    press(page, "Send to both")
    expect(page.locator(".answer", has_text="tokens/s")).to_have_count(2)
    assert [runs.config(item).name for item in runs.turns().waiting] == ["Second"], "it waits while one chats"

    tab(page, "3 Train")
    step = runs.status(long).step
    press(page, f"Go on from step {step}")
    learns(page, step)
    until(lambda: max(runs.saved_steps(long), default=0) > step)
    page.close()
    own_app.process.kill()
    own_app.process.wait()
    assert (runs.status(long).state, runs.turns().waiting) == ("interrupted", (second,))

    again = start(own_app.workspace)
    try:
        page = visit(again.address)
        tab(page, "3 Train")
        expect(page.locator("#pane-train .phases .tag")).to_have_text("interrupted, kept")
        expect(page.get_by_text("1 run is waiting. Nothing starts until you say so.")).to_be_visible()
        page.get_by_role("button", name=re.compile("Go on from step")).click()
        expect(page.locator(".purpose:visible")).to_contain_text("has practised", timeout=240_000)
        until(lambda: runs.status(second).state == "finished")
        endless, waits = queue(again, "Endless", epochs=1000) + queue(again, "Waits")
        press(page, "Start the queue")
        expect(page.locator(NAME)).to_have_text("Endless")
        learns(page)
        page.close()
    finally:
        assert again.stop() == 0
    assert runs.status(long).state == "finished"
    assert (runs.status(endless).state, runs.turns().waiting) == ("stopped", (waits,)), "what was learned is kept, the queue too"
    steps = [at for at, _ in runs.curve(long, 10**6).training]
    assert steps == list(range(1, runs.status(long).step + 1)), "no step is missing or doubled"


def test_a_discarded_run_leaves_every_window_and_the_next_one_starts(tiny_app: App, visit) -> None:
    furnish(Workspace(tiny_app.workspace))
    runs = RunStore(Workspace(tiny_app.workspace))
    queue(tiny_app, "Bad idea", epochs=1000)
    queue(tiny_app, "Better idea")
    pages = [visit(tiny_app.address), visit(tiny_app.address, width=390, dark=True)]
    for page in pages:
        tab(page, "3 Train")
    press(pages[0], "Start the queue")
    press(pages[1], "Show the run that trains now")
    learns(pages[1])
    press(pages[1], "Stop and discard")
    expect(pages[1].locator(".ask:visible")).to_contain_text(
        "Your examples and the base model stay. Lost for good: what it learned in"
    )
    assert (faults(pages[1]), sideways(pages[1])) == ([], 0)
    press(pages[1], "Discard this run")
    for page in pages:
        expect(page.locator(NAME)).to_have_text("Better idea")
        expect(page.locator(".purpose:visible")).to_contain_text("has practised")
    assert sorted(runs.config(item).name for item in runs.ids()) == ["Better idea", "Old one"]
