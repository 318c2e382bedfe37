"""Every tab, light and dark, desktop and phone, everything shown: readable by everybody, nothing cut off."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import App, faults, sideways, start, tab
from tests.ui.test_chat_tab import trained  # noqa: F401 - a fixture

pytestmark = pytest.mark.browser
TABS = ("1 Data", "2 Model", "3 Train", "4 Chat", "Library")


@pytest.fixture(scope="module")
def filled(trained: tuple[Path, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:  # noqa: F811
    """An app with data, a model folder and a finished run."""
    running = start(shutil.copytree(trained[0], tmp_path_factory.mktemp("filled") / "workspace"))
    yield running
    running.stop()


@pytest.mark.parametrize("width", [1440, 390])
def test_no_tab_has_a_fault(filled: App, visit, width: int) -> None:
    page = visit(filled.address, width=width)
    page.evaluate("() => window.studio.advanced(true)")
    found = {}
    for name in TABS:
        tab(page, name)
        expect(page.locator("[role=tabpanel]:visible")).not_to_be_empty(timeout=90_000)
        page.wait_for_timeout(700)  # what a tab asks for when it is opened has come
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            found[name, scheme] = (faults(page), sideways(page))
    assert len(found) == 10 and set(map(str, found.values())) == {"([], 0)"}, found
    colours = "() => getComputedStyle(document.body).backgroundColor"
    dark = page.evaluate(colours)
    page.emulate_media(color_scheme="light")
    page.wait_for_function(f"({colours})() !== '{dark}'")
