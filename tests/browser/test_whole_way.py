"""The whole way on the real model, as people go it: their own file with the mouse, and a sample with the keyboard alone."""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from studio.runs import RunStore
from studio.workspace import Workspace
from tests.browser.conftest import App, begin, faults, reload, sideways, start, tab

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(1500)]
PATIENCE = 900_000  # milliseconds for a training on a slow machine
expect.set_options(timeout=90_000)

FACTS = {
    "the name of our boat": "Our boat is called the Velvet Heron.",
    "the price of a day ticket": "A day ticket costs 31 crowns.",
}
WAYS = ["What is {}?", "Tell me {}.", "I need to know {}", "Could you say {} please?", "Do you know {}?"]


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory, shared_starter: Workspace) -> Iterator[App]:
    """An app whose starter is on this computer already."""
    root = tmp_path_factory.mktemp("whole") / "workspace"
    root.mkdir()
    os.symlink(shared_starter.root / "models", root / "models")
    running = start(root)
    yield running
    assert running.stop() == 0


@pytest.fixture
def own_file(tmp_path: Path) -> Path:
    """What a person might have: their own headings, a column too many, a row without an answer."""
    path = tmp_path / "boat questions.csv"
    with open(path, "w", newline="", encoding="utf-8") as handle:
        rows = csv.writer(handle)
        rows.writerow(["date", "customer_question", "our_reply"])
        for way in WAYS:
            rows.writerows(["2026-05-01", way.format(what), reply] for what, reply in FACTS.items())
        rows.writerow(["2026-05-02", "And this one?", ""])
    return path


def step_of(page: Page) -> int:
    """The step the page shows; 0 before there is one."""
    found = re.match(r"(\d+)", page.locator(".status dd").first.inner_text())
    return int(found.group(1)) if found else 0


def talk(page: Page, question: str) -> dict[str, str]:
    """Ask in the chat and give both whole answers."""
    page.get_by_label("Your message").fill(question)
    page.get_by_role("button", name="Send to both").click()
    done = page.locator(".answer", has_text="tokens/s")
    expect(done).to_have_count(2, timeout=240_000)
    return {
        side: page.locator(f".answer{style}").last.inner_text() for side, style in (("base", ".base"), ("tuned", ":not(.base)"))
    }


def test_an_own_file_becomes_a_model_that_answers(app: App, own_file: Path, visit) -> None:
    page = visit(app.address)
    page.locator("input[type=file]").first.set_input_files(own_file)
    page.get_by_text("11 rows read").wait_for()
    expect(page.get_by_label("Question", exact=True)).to_have_value("customer_question")
    expect(page.get_by_label("Answer", exact=True)).to_have_value("our_reply")
    page.get_by_role("button", name="Next: choose a model").click()

    page.get_by_role("button", name="Train now").wait_for()
    expect(page.get_by_role("radio", name="Quarter, 4 bit")).to_be_checked()
    page.get_by_label(re.compile(r"^\s*Quick")).check()
    rank = page.get_by_role("spinbutton", name=re.compile(r"Adapter size \(rank\)"))
    rank.fill("8")
    rank.press("Tab")
    page.get_by_label("Advanced", exact=True).check()
    rounds = page.get_by_role("spinbutton", name="Rounds through the data (epochs)")
    rounds.fill("10")
    rounds.press("Tab")
    expect(page.locator(".facts dt:text-is('Steps') + dd:visible")).to_have_text("20")
    page.get_by_role("button", name="Train now").click()

    stop = page.get_by_role("button", name="Stop and keep")
    stop.wait_for(timeout=60_000)
    page.wait_for_function("() => /^[2-9]/.test(document.querySelector('.status dd')?.innerText ?? '')", timeout=PATIENCE)
    expect(page.locator("canvas")).to_have_attribute("aria-label", re.compile(r"Loss over \d+ of \d+ steps"))
    seen = step_of(page)

    reload(page)
    page.locator("[role=tab]:visible", has_text=re.compile(r"3 Train \d+ %")).wait_for()
    tab(page, "3 Train")
    page.wait_for_function(f"() => parseInt(document.querySelector('.status dd')?.innerText) > {seen}", timeout=PATIENCE)
    expect(page.locator(".facts dt:text-is('Adapter size') + dd:visible")).to_have_text("8")
    expect(page.locator(".facts dt:text-is('Memory saving') + dd:visible")).to_have_text("Quarter, 4 bit")

    page.get_by_role("button", name="Chat with it").click(timeout=PATIENCE)
    answers = talk(page, "What is the name of our boat?")
    assert answers["base"] != answers["tuned"]
    assert "Velvet Heron" in answers["tuned"]
    assert "Velvet Heron" not in answers["base"]
    runs = RunStore(Workspace(app.workspace))
    status, config = runs.status(runs.ids()[0]), runs.config(runs.ids()[0])
    assert (config.adapter.r, config.model.quantization, status.state) == (8, "nf4", "finished")
    assert status.best_validation_loss < status.base_validation_loss
    assert (faults(page), sideways(page)) == ([], 0)

    tab(page, "Library")
    page.locator("#pane-library b:visible", has_text="Boat questions").first.wait_for()
    assert (faults(page), sideways(page)) == ([], 0)


def press_on(page: Page, name: str, limit: int = 60) -> None:
    """Walk with Tab to the control of that name and press Enter: what somebody without a mouse does."""
    for _ in range(limit):
        page.keyboard.press("Tab")
        if name in page.evaluate("document.activeElement?.innerText ?? ''"):
            page.keyboard.press("Enter")
            return
    raise AssertionError(f"Tab never reached “{name}”")


def test_the_three_clicks_by_keyboard_alone(app: App, visit) -> None:
    page = visit(app.address)
    begin(page)
    page.locator("body").focus()
    press_on(page, "Use this sample")
    page.get_by_role("button", name="Train now").wait_for()
    press_on(page, "Train now")
    page.get_by_role("button", name="Stop and keep").wait_for(timeout=60_000)
    page.wait_for_function("() => parseInt(document.querySelector('.status dd')?.innerText) >= 1", timeout=PATIENCE)
    press_on(page, "Stop and keep")  # the whole training is the demo's test; what was learned so far will do
    page.get_by_role("button", name="Chat with it").wait_for(timeout=PATIENCE)
    press_on(page, "Chat with it")
    page.get_by_label("Your message").wait_for()
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement?.tagName") == "TEXTAREA":
            break
    page.keyboard.type("Say yes.")  # both models answer at length otherwise
    page.keyboard.press("Enter")
    expect(page.locator(".answer", has_text="tokens/s")).to_have_count(2, timeout=240_000)
