"""Finding, fetching and fitting a model in a real browser. The Hub is one on this computer that can fail on purpose."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from studio.models.catalog import ModelCatalog
from studio.samples import save_sample
from studio.workspace import Workspace
from tests.browser.conftest import App, faults, sideways, start, tab
from tests.hub import FakeHub

pytestmark = pytest.mark.browser
OF_IT = re.compile(r"^Fetch it now, \d+ kB")  # the starter, which is not here either, has 89 MB
TOKEN = "hf_abcdefghijklmnopqrstuvwxyz"


@pytest.fixture(scope="module")
def hub(tiny_model: Path) -> Iterator[FakeHub]:
    """A Hub with an open model and one that asks for consent."""
    files = {path.name: path.read_bytes() for path in tiny_model.iterdir() if path.is_file()}
    with FakeHub().serving() as running:
        card = {"license": "apache-2.0", "pipeline_tag": "text-generation"}
        about = {"card": card, "fields": {"downloads": 7, "config": {"model_type": "llama"}}}
        running.add("models", "small-house/Tiny-Chat", files, **about)
        running.add("models", "small-house/Tiny-Gated", files, gated=True, token=TOKEN, **about)
        yield running


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory, hub: FakeHub) -> Iterator[App]:
    """An app that asks this Hub, with a data set."""
    workspace = tmp_path_factory.mktemp("hub") / "workspace"
    save_sample(Workspace(workspace), "bakery")
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("HF_ENDPOINT", hub.url)
        patched.setenv("HF_HOME", str(workspace.parent / "no-cache"))
        patched.delenv("HF_TOKEN", raising=False)
        running = start(workspace)
    yield running
    assert running.stop() == 0


def look_for(page, words: str) -> None:
    """Search the Hub."""
    tab(page, "2 Model")
    page.locator(".facts dt:text-is('Steps'):visible").wait_for()
    page.get_by_role("button", name="More models").click()
    page.get_by_label("Search by name, maker or language").fill(words)
    page.get_by_role("button", name="Search the Hub").click()


def test_a_model_is_found_fetched_with_a_cut_and_used(app: App, hub: FakeHub, visit) -> None:
    page = visit(app.address)
    look_for(page, "tiny")
    row = page.locator(".model:visible", has_text="small-house/Tiny-Chat")
    row.wait_for()
    assert "apache-2.0" in row.inner_text()
    assert (faults(page), sideways(page)) == ([], 0)
    row.click()
    fetch = page.get_by_role("button", name=OF_IT)
    fetch.wait_for()
    repo = hub.repos["models", "small-house/Tiny-Chat"]
    repo.cut = 20_000  # no answer brings more: the client gives up before it has all
    fetch.click()
    again = page.get_by_role("button", name="Fetch it again")
    again.wait_for()
    expect(page.locator("#pane-model [role=alert]")).to_be_visible()
    repo.cut = None
    before = len(hub.asked)
    again.click()
    page.get_by_role("button", name="Remove it from this computer").wait_for()
    assert len(hub.asked) > before
    entry = next(item for item in ModelCatalog(Workspace(app.workspace)).entries() if item.repo == "small-house/Tiny-Chat")
    assert entry.ready and entry.revision
    expect(page.locator(".facts dt:text-is('To fetch') + dd:visible")).to_have_text("nothing")


def test_a_model_that_asks_for_consent_wants_a_token_that_is_written_nowhere(app: App, visit) -> None:
    page = visit(app.address)
    look_for(page, "tiny-gated")
    row = page.locator(".model:visible", has_text="small-house/Tiny-Gated")
    row.click()
    notice = page.locator("#pane-model [role=alert]")
    notice.wait_for()
    assert "consent" in notice.inner_text().lower() or "agree" in notice.inner_text().lower()
    page.get_by_role("button", name="Models that ask for consent").click()
    page.get_by_label("Your token for the Hub").fill(TOKEN)
    page.get_by_role("button", name="Use this token").click()
    page.get_by_text("A token is in use").wait_for()
    row.click()
    page.get_by_role("button", name=OF_IT).click()
    page.get_by_role("button", name="Remove it from this computer").wait_for()
    assert page.get_by_label("Your token for the Hub").input_value() == ""
    written = [path for path in app.workspace.rglob("*") if path.is_file() and TOKEN.encode() in path.read_bytes()]
    assert not written and TOKEN not in app.said()


def test_a_run_that_is_too_large_is_made_to_fit_and_put_back(app: App, visit) -> None:
    page = visit(app.address)
    tab(page, "2 Model")
    page.locator(".facts dt:text-is('Steps'):visible").wait_for()
    page.get_by_role("button", name="More models").click()
    page.get_by_label("All", exact=True).check()
    page.get_by_label("Search by name, maker or language").fill("70B")
    page.locator(".model:visible", has_text="70B").first.click()
    page.locator(".model:visible", has_text="too big").first.wait_for()
    page.get_by_role("button", name="Make it fit").click()
    page.get_by_text("Changed so that it fits:").wait_for()
    expect(page.locator(".checks:visible", has_text="Fits in memory")).to_be_visible()
    assert (faults(page), sideways(page)) == ([], 0)
    page.get_by_role("button", name="Put it back as it was").click()
    expect(page.locator(".checks:visible", has_text="Needs more memory than is free")).to_be_visible()
