"""What a person does in the Data tab, in a real browser with the real app."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import App, begin, faults, reload, sideways

pytestmark = pytest.mark.browser

NASTY = '"<img src=x onerror=alert(1)> {{value}} ${alert(2)}";"<script>alert(3)</script> [x](javascript:alert(4))"'
ROWS = f"customer_question;our_reply\n{NASTY}\n" + "".join(f"Question {n}?;Answer {n}.\n" for n in range(1, 13)) + "Nothing?;\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "replies.csv"
    path.write_text(ROWS, encoding="utf-8")
    return path


def test_a_file_is_read_mapped_shown_and_saved(app: App, visit, file: Path) -> None:
    page = visit(app.address)
    begin(page)
    assert page.get_by_role("button", name="First add some examples").is_disabled()
    page.locator("input[type=file]").first.set_input_files(file)
    page.get_by_text("14 rows read").wait_for()
    assert page.get_by_label("Question", exact=True).input_value() == "customer_question"
    page.get_by_text("see why").click()
    page.get_by_text("The answer is empty.").wait_for()
    assert "<img src=x onerror=alert(1)> {{value}} ${alert(2)}" in page.locator(".bubble.user").inner_text()
    assert "<script>alert(3)</script>" in page.locator(".bubble.bot").inner_text()
    page.get_by_role("button", name="After").click()
    page.locator(".bubble", has_text="Question 1?").wait_for()
    page.get_by_label("Show what the model sees").check()
    page.get_by_text("once the model is on this computer").wait_for()
    assert list((app.workspace / "uploads").rglob("*.csv")) == []

    reload(page)  # the draft is on disk
    page.get_by_text("14 rows read").wait_for()
    page.get_by_label("Answer", exact=True).click()
    page.get_by_role("option", name="customer_question").click()
    page.get_by_text("As you chose.").wait_for()
    assert page.get_by_label("Question", exact=True).input_value() == "our_reply"
    assert (faults(page), sideways(page)) == ([], 0)


def test_a_sample_is_one_click_and_names_its_download(app: App, visit) -> None:
    page = visit(app.address)
    begin(page)
    page.get_by_text("Fetches the starter model once").first.wait_for()
    assert (faults(page), sideways(page)) == ([], 0)
    page.locator("[data-sample=captions]").click()
    page.get_by_role("button", name="Train now").wait_for()
    page.locator("[role=tab]:visible", has_text="1 Data ✓").wait_for()
    expect(page.get_by_label("Name of this run")).to_have_attribute("placeholder", "Captions in a maker's voice")
    expect(page.get_by_label("Voice")).to_be_checked()
    page.locator("#pane-model .fetch, #pane-model [role=alert]").first.wait_for()
    page.get_by_role("button", name="Fetch it again").wait_for()  # the tests are offline
    assert (faults(page), sideways(page)) == ([], 0)


def test_a_pasted_table_and_a_failure_that_is_told(app: App, visit) -> None:
    page = visit(app.address)
    begin(page)
    page.get_by_role("button", name="Paste a table instead").click()
    page.get_by_role("button", name="Read this table").click()
    notice = page.get_by_role("alert")
    notice.wait_for()
    assert "Paste some rows into it." in notice.inner_text()
    page.get_by_label("Your table").fill("question\tanswer\nA?\tB.\nC?\tD.\nE?\tF.")
    page.get_by_role("button", name="Read this table").click()
    page.get_by_text("3 rows read").wait_for()
    assert notice.count() == 0


def test_keys_alone_move_through_tabs_and_choices(app: App, visit) -> None:
    page = visit(app.address)
    begin(page)
    page.locator("[role=tab]:visible").first.focus()
    page.keyboard.press("ArrowRight")
    page.get_by_text("Pick a model to start from").wait_for()
    assert page.evaluate("document.activeElement.textContent.trim()").startswith("2 Model")
    page.keyboard.press("End")
    assert page.evaluate("document.activeElement.textContent.trim()") == "Library"
    page.keyboard.press("Home")
    page.get_by_text("Show good examples").wait_for()
    page.get_by_label("Simple", exact=True).focus()
    page.keyboard.press("ArrowRight")
    assert page.get_by_label("Advanced", exact=True).is_checked()
    reload(page)
    page.locator("[role=tab]:visible").first.wait_for()
    page.wait_for_function("document.documentElement.classList.contains('show-advanced')")
    panel = page.locator("#pane-data")
    assert page.locator(f"#{panel.get_attribute('aria-labelledby')}").count() == 1


@pytest.mark.parametrize("dark", [False, True])
def test_a_phone_in_light_and_dark(app: App, visit, file: Path, dark: bool) -> None:
    page = visit(app.address, width=390, dark=dark)
    begin(page)
    page.get_by_text("Try it with a sample").wait_for()
    assert (faults(page), sideways(page)) == ([], 0)
    page.locator("input[type=file]").first.set_input_files(file)
    page.get_by_text("14 rows read").wait_for()
    expect(page.get_by_role("button", name="More rows")).to_be_enabled()  # else its colour changes while it is looked at
    assert (faults(page), sideways(page)) == ([], 0)
