"""What a person does in the Model tab, in a real browser with the real app."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from studio.samples import save_sample
from studio.workspace import Workspace
from tests.browser.conftest import App, faults, reload, sideways, tab

pytestmark = pytest.mark.browser
expect.set_options(timeout=90_000)


@pytest.fixture(autouse=True)
def bakery(app: App) -> None:
    """The data set that the plans are made for."""
    save_sample(Workspace(app.workspace), "bakery")


def fact(page, name: str) -> str:
    return page.locator(f".facts dt:text-is('{name}') + dd:visible").inner_text()


def shares(page) -> str:
    """What the memory bar says of its parts."""
    return page.locator(".legend:visible", has_text="Work space").inner_text()


def test_the_plan_follows_every_change(app: App, visit) -> None:
    page = visit(app.address)
    tab(page, "2 Model")
    page.get_by_text("Run preview").wait_for()
    page.locator(".facts dt:text-is('Steps'):visible").wait_for()
    steps, disk, memory = fact(page, "Steps"), fact(page, "Disk"), shares(page)
    page.get_by_label("Thorough").check()
    page.wait_for_function(f"![...document.querySelectorAll('.facts dd')].some((item) => item.innerText === '{steps}')")
    page.locator("input[type=range]:visible").first.focus()
    for _ in range(4):
        page.keyboard.press("ArrowRight")
    page.get_by_role("radio", name="Off, 16 bit").check()
    page.wait_for_function(f"![...document.querySelectorAll('.facts dd')].some((item) => item.innerText === '{disk}')")
    assert shares(page) != memory
    assert page.locator(".model .tag").first.inner_text() in {"fits well", "tight", "too big"}
    assert (faults(page), sideways(page)) == ([], 0)


def test_all_faults_in_one_notice_and_then_none(app: App, visit) -> None:
    page = visit(app.address)
    page.get_by_label("Advanced", exact=True).check()
    tab(page, "2 Model")
    page.get_by_role("button", name="Train now").wait_for()
    page.get_by_role("spinbutton", name="Learning rate").fill("7")
    page.get_by_role("spinbutton", name="Seed").fill("-5")
    page.get_by_role("spinbutton", name="Weight decay").fill("3")
    notice = page.locator("#pane-model .notices [role=alert]")
    page.wait_for_function("document.querySelectorAll('#pane-model .notices [role=alert] li').length === 3")
    page.get_by_role("button", name="Train now").click()
    assert "Learning rate" in notice.inner_text()
    assert list((app.workspace / "runs").iterdir()) == []
    for label, value in (("Learning rate", "0.0005"), ("Seed", "42"), ("Weight decay", "0")):
        page.get_by_role("spinbutton", name=label).fill(value)
    page.wait_for_function("document.querySelectorAll('#pane-model .notices [role=alert]').length === 0")
    assert (faults(page), sideways(page)) == ([], 0)


def test_a_folder_that_is_no_model(app: App, visit) -> None:
    page = visit(app.address)
    tab(page, "2 Model")
    page.get_by_text("Use a model from a folder on this computer").click()
    page.get_by_label("Folder of the model").fill("/etc")
    page.get_by_role("button", name="Add this model").click()
    page.locator("#pane-model .notices [role=alert]").wait_for()
    expect(page.locator(".model")).to_have_count(1)  # the list may still be drawn when the answer comes


@pytest.mark.parametrize("dark", [False, True])
def test_a_phone_with_everything_shown(app: App, visit, dark: bool) -> None:
    page = visit(app.address, width=390, dark=dark)
    page.get_by_label("Advanced", exact=True).check()
    tab(page, "2 Model")
    page.locator(".facts dt:text-is('Steps'):visible").wait_for()
    assert (faults(page), sideways(page)) == ([], 0)


def test_a_preset_is_kept_and_used_again_after_a_reload(app: App, visit) -> None:
    page = visit(app.address)
    tab(page, "2 Model")
    page.locator(".facts dt:text-is('Steps'):visible").wait_for()
    rank = page.get_by_role("spinbutton", name=re.compile(r"Adapter size \(rank\)"))
    rank.fill("48")
    rank.press("Tab")
    page.get_by_text("1 setting differs").wait_for()
    page.get_by_role("button", name="Keep or bring settings").click()
    page.get_by_label("Name of the preset").fill("Large for poems")
    page.get_by_role("button", name="Save these settings").click()
    page.get_by_text("“Large for poems” is saved.").wait_for()
    assert (faults(page), sideways(page)) == ([], 0)

    reload(page)
    tab(page, "2 Model")
    page.locator(".facts dt:text-is('Steps'):visible").wait_for()
    assert rank.input_value() == "16"
    page.get_by_label("Your own presets").click()
    page.get_by_role("option", name="Large for poems").click()
    page.get_by_text("1 setting differs").wait_for()
    assert rank.input_value() == "48"
    page.get_by_role("button", name="Back to default: Adapter size (rank)").click()
    page.get_by_text("All settings are the defaults.").wait_for()
    assert rank.input_value() == "16"
