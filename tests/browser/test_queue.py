"""A person queues runs, pauses one to chat with it, lets it go on, and throws one away; real trainings of a tiny model."""

from __future__ import annotations

import re
from collections.abc import Iterator
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


@pytest.fixture
def app(tiny_workspace: Workspace) -> Iterator[App]:
    """An app whose workspace has a tiny model, rows long enough that a run outlasts the test, and an old run of both."""
    turns = [
        ({"role": "user", "content": f"what is {at}"}, {"role": "assistant", "content": "blue sky and red brick " * 12})
        for at in range(168)
    ]
    examples = [Example(messages=turn, source_row=at) for at, turn in enumerate(turns, 2)]
    record = DatasetStore(tiny_workspace).create("words", examples, ["validation"] * 8 + ["train"] * 160, format="pairs", seed=1)
    runs = RunStore(tiny_workspace)
    config = RunConfig(name="Old one").replace(dataset_id=record.id, dataset_sha256=record.sha256, base_model="tiny")
    old = runs.create(config)
    runs.write_status(old, replace(runs.status(old), state="stopped"))
    running = start(tiny_workspace.root)
    yield running
    if running.process.poll() is None:
        running.stop()


def press(page: Page, name: str, **about) -> None:
    page.get_by_role("button", name=name, **about).click()


def add(page: Page, name: str, label: str, epochs: int) -> None:
    """Start or queue a run of that name from the Model tab."""
    tab(page, "2 Model")
    expect(page.get_by_role("button", name=label)).to_be_enabled()
    page.get_by_label("Off, 16 bit").check()
    page.get_by_label("Rounds through the data").fill(str(epochs))
    page.get_by_label("Rounds through the data").press("Tab")
    page.get_by_label("Name of this run").fill(name)
    press(page, label)
    page.locator("#pane-train .status:visible").wait_for()


def queued(page: Page) -> list[str]:
    return page.locator(".queue li b").all_inner_texts()


def test_queue_pause_chat_go_on_and_discard(app: App, visit) -> None:
    runs = RunStore(Workspace(app.workspace))
    page = visit(app.address)
    page.get_by_label("Advanced", exact=True).check()
    add(page, "Long one", "Train now", 1000)
    expect(page.get_by_role("button", name="Pause")).to_be_enabled()
    long = runs.turns().live
    for name in ("Second", "Third"):
        add(page, name, "Add to the queue", 1)
    expect(page.locator(".queue li")).to_have_count(2)
    assert queued(page) == ["Second", "Third"]
    expect(page.locator(".facts dt:text-is('Name') + dd:visible")).to_have_text("Long one")

    up = page.get_by_role("button", name="Move 2, Third, up")
    up.focus()
    page.keyboard.press("Enter")
    expect(page.locator(".queue li b").first).to_have_text("Third")
    expect(page.get_by_role("button", name="Move 1, Third, down")).to_be_focused()
    assert (faults(page), sideways(page)) == ([], 0)

    page.wait_for_function("() => parseInt(document.querySelector('.status dd')?.innerText) >= 3")
    press(page, "Pause")
    expect(page.locator(".purpose:visible")).to_have_text(
        re.compile(r"Paused at step \d+ of \d+\. The computer is free for chatting\.")
    )
    expect(page.get_by_text("because “Long one” is paused")).to_be_visible()
    expect(page.get_by_role("button", name="Start the next one")).to_be_visible()
    expect(page.locator("[role=tab]:visible", has_text="3 Train paused")).to_be_visible()
    step = runs.status(long).step

    press(page, "Chat with it")
    page.get_by_label("Your message").fill("what is 3")
    press(page, "Send to both")
    expect(page.locator(".answer", has_text="tokens/s")).to_have_count(2)
    assert [runs.config(item).name for item in runs.turns().waiting] == ["Third", "Second"], "they wait while one chats"

    tab(page, "3 Train")
    press(page, f"Go on from step {step}")
    page.wait_for_function(f"() => parseInt(document.querySelector('.status dd')?.innerText) > {step}")
    press(page, "Stop and keep")
    expect(page.locator("#pane-train .phases .tag")).to_have_text("stopped, kept")
    expect(page.locator(".queue:visible")).to_have_count(0)  # both began by themselves, one after the other
    tab(page, "Library")
    expect(page.locator("#pane-library .tag", has_text="finished")).to_have_count(2)
    assert [curve for curve, _ in runs.curve(long, 10**6).training] == list(range(1, runs.status(long).step + 1))


def test_a_second_window_sees_the_queue_and_a_discarded_run_leaves_both(app: App, visit) -> None:
    runs = RunStore(Workspace(app.workspace))
    pages = [visit(app.address), visit(app.address, width=390, dark=True)]
    for page in pages:
        page.get_by_label("Advanced", exact=True).check()
    add(pages[0], "Bad idea", "Train now", 1000)
    add(pages[0], "Not needed", "Add to the queue", 1)
    tab(pages[1], "3 Train")
    press(pages[1], "Show the run that trains now")
    expect(pages[1].locator(".queue li b")).to_have_text("Not needed")
    pages[1].wait_for_function("() => parseInt(document.querySelector('.status dd')?.innerText) >= 2")
    press(pages[1], "Stop and discard")
    question = pages[1].locator("#pane-train .ask:visible")
    expect(question).to_contain_text("Your examples and the base model stay. Lost for good: what it learned in")
    assert (faults(pages[1]), sideways(pages[1])) == ([], 0)
    press(pages[1], "Take out 1, Not needed")
    expect(pages[0].locator(".queue:visible")).to_have_count(0)
    press(pages[1], "Discard this run")
    for page in pages:
        expect(page.locator(".facts dt:text-is('Name') + dd:visible")).to_have_text("Old one")
        expect(page.locator(".purpose:visible")).to_contain_text("Your examples and settings are safe.")
    assert [runs.config(item).name for item in runs.ids()] == ["Old one"]


def test_after_a_restart_the_queue_asks_before_it_starts(app: App, visit) -> None:
    runs = RunStore(Workspace(app.workspace))
    page = visit(app.address)
    page.get_by_label("Advanced", exact=True).check()
    add(page, "Long one", "Train now", 1000)
    add(page, "Waits", "Add to the queue", 1)
    page.close()
    assert app.stop() == 0
    again = start(app.workspace)
    try:
        page = visit(again.address)
        tab(page, "3 Train")
        expect(page.get_by_text("1 run is waiting. Nothing starts until you say so.")).to_be_visible()
        assert runs.live() is None
        press(page, "Start the queue")
        expect(page.locator(".facts dt:text-is('Name') + dd:visible")).to_have_text("Waits")
        expect(page.locator(".purpose:visible")).to_contain_text("has practised")
        expect(page.locator(".queue:visible")).to_have_count(0)
    finally:
        assert again.stop() == 0
