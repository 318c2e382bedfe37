"""A person talks to a tuned model: real answers of a tiny one, stopping, waiting for a training, and hostile text."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from studio.ui.studio import Studio
from tests.browser.conftest import App, faults, sideways, start, tab
from tests.ui.run_folders import make_run
from tests.ui.test_chat_tab import trained  # noqa: F401 - a fixture

pytestmark = pytest.mark.browser
expect.set_options(timeout=90_000)
HOSTILE = "<img src=x onerror=alert(1)> [x](javascript:alert(1)) ![y](http://evil.invalid/y.png) \x1b[31m"


@pytest.fixture(scope="module")
def chat_app(trained: tuple[Path, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:  # noqa: F811
    """An app whose workspace holds a run of a tiny model that can really answer."""
    running = start(shutil.copytree(trained[0], tmp_path_factory.mktemp("chat") / "copy"))
    yield running
    if running.process.poll() is None:
        running.stop()


def test_both_answer_and_nothing_written_becomes_markup(chat_app: App, visit) -> None:
    page = visit(chat_app.address)
    tab(page, "4 Chat")
    box = page.get_by_label("Your message")
    box.fill("first line")
    box.press("Shift+Enter")
    box.type(HOSTILE)
    box.press("Enter")
    turn = page.locator(".turn").last
    expect(turn.locator(".bubble")).to_contain_text("<img src=x onerror=alert(1)>")
    expect(turn.locator(".answer").first).to_contain_text("Base")
    expect(turn.locator(".tools").nth(1)).to_contain_text("tokens/s, first word after", timeout=90_000)
    expect(turn.locator(".caret")).to_have_count(0)
    expect(page.get_by_role("button", name="Send to both")).to_be_enabled()
    assert box.input_value() == ""
    assert page.locator(".turn img, .turn a, .turn script").count() == 0
    assert faults(page) == []

    page.get_by_role("radio", name="Tuned").check()
    page.get_by_role("button", name="Send", exact=True).wait_for()
    page.locator("button.chip").first.click()
    expect(page.locator(".turn")).to_have_count(2)
    expect(page.locator(".turn").last.locator(".tools")).to_contain_text("tokens/s")
    expect(page.locator(".turn").last.locator(".answer")).to_have_count(1)
    page.get_by_role("button", name="Start over").click()
    expect(page.locator(".turn")).to_have_count(0)


def test_too_long_is_refused_with_a_sentence(chat_app: App, visit) -> None:
    page = visit(chat_app.address, width=390, dark=True)
    tab(page, "4 Chat")
    page.get_by_label("Your message").fill("x" * 9000)
    page.get_by_role("button", name="Send to both").click()
    expect(page.get_by_role("alert")).to_contain_text("9,000 characters")
    assert len(page.get_by_label("Your message").input_value()) == 9000
    assert sideways(page) <= 0
    assert faults(page) == []


def test_the_chat_waits_for_a_training_and_opens_by_itself(chat_app: App, visit) -> None:
    studio = Studio.open(chat_app.workspace)
    live = make_run(studio, "Bakery voice", state="running", step=42, eta_seconds=130.0)
    lock = studio.runs.lock(live)
    assert lock.acquire("a trainer")
    page = visit(chat_app.address, width=390, dark=True)
    tab(page, "4 Chat")
    expect(page.get_by_role("status").filter(has_text="Chat is waiting")).to_contain_text("Step 42 of 80")
    expect(page.get_by_label("Your message")).to_be_hidden()
    assert faults(page) == []
    page.get_by_role("button", name="See the training").click()
    expect(page.locator(".status dd").first).to_have_text("42 of 80")
    lock.release()
    tab(page, "4 Chat")
    expect(page.get_by_label("Your message")).to_be_visible()
