"""A person watches a run: live, from a second window, failed, and stopped; with mouse, keyboard, and on a phone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from playwright.sync_api import expect

from studio.ui.studio import Studio
from tests.browser.conftest import App, faults, sideways, tab
from tests.ui.run_folders import make_run

pytestmark = pytest.mark.browser
expect.set_options(timeout=90_000)


@pytest.fixture
def studio(app: App) -> Studio:
    """The app's workspace, as another process sees it."""
    return Studio.open(app.workspace)


@pytest.fixture
def live(studio: Studio) -> Iterator[str]:
    """A run that this process holds, as a trainer started elsewhere would."""
    run_id = make_run(studio, state="running", step=42, total=80, eta_seconds=130.0)
    lock = studio.runs.lock(run_id)
    assert lock.acquire("a trainer")
    yield run_id
    lock.release()


def steps_on(studio: Studio, run_id: str, step: int) -> None:
    """One more step, as the trainer writes it."""
    studio.runs.append(run_id, "metrics", {"step": step, "loss": 1.2, "seconds": 0.5})
    studio.runs.write_status(run_id, replace(studio.runs.status(run_id), step=step))


def test_a_live_run_moves_by_itself_and_open_parts_stay_open(app: App, studio: Studio, live: str, visit) -> None:
    page = visit(app.address)
    expect(page.locator("[role=tab]:visible", has_text="3 Train 52 %")).to_be_visible()
    tab(page, "3 Train")
    expect(page.locator(".status dd").first).to_have_text("42 of 80")
    page.get_by_text("Show the numbers").click()
    page.get_by_text("Show the log").click()
    steps_on(studio, live, 43)
    expect(page.locator(".status dd").first).to_have_text("43 of 80")
    assert "Loss over 43 of 80 steps" in page.locator("canvas").get_attribute("aria-label")
    expect(page.locator(".numbers tbody tr").last).to_contain_text("43")
    assert page.evaluate("[...document.querySelectorAll('details.quiet')].map((item) => item.open)") == [True, True]
    expect(page.get_by_role("button", name="Chat opens in about 2 min")).to_be_disabled()


def test_a_second_window_sees_the_same_run_and_either_can_stop_it(app: App, studio: Studio, live: str, visit) -> None:
    pages = [visit(app.address), visit(app.address, width=390, dark=True)]
    for page in pages:
        tab(page, "3 Train")
        expect(page.locator(".status dd").first).to_have_text("42 of 80")
    pages[1].get_by_role("button", name="Stop and keep").click()
    for page in pages:
        expect(page.get_by_role("button", name="Stopping")).to_be_disabled()
        expect(page.locator(".purpose:visible")).to_have_text("The run is stopping. What it learned is kept.")
    assert studio.runs.stop_requested(live)


def test_the_curve_is_drawn_and_read_with_the_keyboard(app: App, studio: Studio, live: str, visit) -> None:
    page = visit(app.address)
    tab(page, "3 Train")
    canvas = page.locator("canvas")
    expect(canvas).to_be_visible()
    page.wait_for_function("document.querySelector('canvas').width > 600")
    page.wait_for_function(
        "() => { const c = document.querySelector('canvas');"
        " return c.getContext('2d').getImageData(0, 0, c.width, c.height).data.some((part) => part > 0); }"
    )
    canvas.focus()
    page.keyboard.press("ArrowLeft")
    expect(page.locator(".readout")).to_contain_text("Step 42")
    page.keyboard.press("Home")
    expect(page.locator(".readout")).to_contain_text("Before training")
    expect(page.locator(".curve [aria-live]")).to_contain_text("kept aside 3.10")
    page.keyboard.press("Escape")
    expect(page.locator(".readout")).to_be_hidden()
    picture = "() => document.querySelector('canvas').toDataURL()"
    before = page.evaluate(picture)
    page.get_by_label("Log scale").check()
    page.wait_for_function(f"(before) => ({picture})() !== before", arg=before)


def test_a_failure_is_told_without_running_its_text(app: App, studio: Studio, visit) -> None:
    error = {"what": "Training stopped early.", "why": "<img src=x onerror=alert(1)>", "fix": "Close programs.", "id": "7f3a"}
    make_run(studio, state="failed", step=42, error=error)
    page = visit(app.address)
    expect(page.locator("[role=tab]:visible", has_text="3 Train !")).to_be_visible()
    tab(page, "3 Train")
    expect(page.get_by_role("alert")).to_contain_text("Error 7f3a")
    expect(page.get_by_role("alert")).to_contain_text("<img src=x")
    expect(page.get_by_role("button", name="Go on from step 40")).to_be_visible()
    expect(page.get_by_role("button", name="Chat with it")).to_be_enabled()


def test_a_trainer_that_dies_is_noticed(app: App, studio: Studio, visit) -> None:
    run_id = make_run(studio, state="running", step=42, total=80)
    lock = studio.runs.lock(run_id)
    assert lock.acquire("a trainer")
    page = visit(app.address)
    tab(page, "3 Train")
    expect(page.get_by_role("button", name="Stop and keep")).to_be_visible()
    lock.release()
    expect(page.get_by_role("button", name="Go on from step 40")).to_be_visible()
    expect(page.locator(".purpose:visible")).to_contain_text("interrupted")


def test_everybody_can_read_it(app: App, studio: Studio, live: str, visit) -> None:
    for width, dark in ((1440, False), (390, True)):
        page = visit(app.address, width=width, dark=dark)
        tab(page, "3 Train")
        expect(page.locator(".status dd").first).to_have_text("42 of 80")
        assert sideways(page) <= 0
        assert faults(page) == []
        page.close()
