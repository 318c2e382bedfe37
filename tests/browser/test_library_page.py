"""A person looks after what they made: picks with the keyboard, renames, downloads, deletes."""

from __future__ import annotations

import zipfile

import pytest
from playwright.sync_api import expect

from studio.ui.studio import Studio
from tests.browser.conftest import App, faults, sideways, tab
from tests.ui.run_folders import make_run

pytestmark = pytest.mark.browser
expect.set_options(timeout=90_000)


def test_looking_after_runs(app: App, visit, tmp_path) -> None:
    studio = Studio.open(app.workspace)
    make_run(studio, "Second <b>try</b>")
    first = make_run(studio, "First try")
    page = visit(app.address)
    tab(page, "Library")
    expect(page.get_by_role("button", name="Download adapter")).to_be_disabled()
    page.get_by_label("Pick First try").focus()
    page.keyboard.press("Space")
    expect(page.get_by_role("button", name="Download adapter")).to_be_enabled()
    assert faults(page) == []

    with page.expect_download(timeout=60_000) as waiting:
        page.get_by_role("button", name="Download adapter").click()
    saved = tmp_path / waiting.value.suggested_filename
    waiting.value.save_as(saved)
    assert saved.name == "first-try-adapter.zip"
    with zipfile.ZipFile(saved) as archive:
        assert "HOW-TO.md" in archive.namelist()

    page.get_by_role("button", name="Rename").first.click()
    page.get_by_label("New name").first.fill("Best so far")
    page.get_by_label("New name").first.press("Enter")
    expect(page.get_by_label("Pick Best so far")).to_be_checked()
    assert studio.runs.config(first).name == "Best so far"

    page.get_by_role("button", name="Delete", exact=True).first.click()
    expect(page.get_by_text("is deleted for good")).to_be_visible()
    page.get_by_role("button", name="Cancel").last.click()
    assert first in studio.runs.ids()
    page.get_by_role("button", name="Delete", exact=True).first.click()
    page.get_by_role("button", name="Delete this run").click()
    expect(page.get_by_label("Pick Best so far")).to_have_count(0)
    assert first not in studio.runs.ids()

    page.get_by_label("Pick Second <b>try</b>").check()
    page.get_by_role("button", name="Open").first.click()
    expect(page.locator(".side:visible")).to_contain_text("Second <b>try</b>")


def test_the_library_on_a_phone(app: App, visit) -> None:
    studio = Studio.open(app.workspace)
    make_run(studio, "A run with quite a long name that has to break somewhere")
    page = visit(app.address, width=390, dark=True)
    tab(page, "Library")
    page.get_by_label("Pick A run").check()
    expect(page.get_by_role("button", name="Open").first).to_be_enabled()
    assert sideways(page) <= 0
    assert faults(page) == []
