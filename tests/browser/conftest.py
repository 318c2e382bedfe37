"""The real app in a process of its own, and a real Chromium. Skips where there is none."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
AXE = Path(__file__).with_name("node_modules") / "axe-core" / "axe.min.js"
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser") or ""
ARGUMENTS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--disable-dev-shm-usage"),
]
START_SECONDS = 120
PATIENCE = 90_000  # milliseconds for one thing to appear: the libraries load behind the page, on two cores


def missing(what: str) -> None:
    """Skip, or fail where STUDIO_BROWSER=required says that browser tests must run."""
    if os.environ.get("STUDIO_BROWSER") == "required":
        pytest.fail(what)
    pytest.skip(what)


@dataclass
class App:
    """A running app. `stop()` ends it as Ctrl-C would."""

    address: str
    workspace: Path
    process: subprocess.Popen
    output: Path

    def said(self) -> str:
        """What it printed so far."""
        return self.output.read_text(encoding="utf-8")

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(45)


def start(workspace: Path, *arguments: str, offline: bool = True) -> App:
    """Start `python app.py` and wait for its line with the address. `offline`: pip finds nothing, so nothing is fetched."""
    with socket.socket() as probe:  # tests beside this one start apps too, and would choose the same first free port
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "app.py", "--workspace", str(workspace), "--no-open", "--port", str(port), *arguments]
    surroundings = {**os.environ, **({"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": ""} if offline else {})}
    workspace.mkdir(parents=True, exist_ok=True)
    output = workspace.parent / f"{workspace.name}.out"  # a file: a pipe that nobody reads would stop the app once it is full
    with open(output, "w", encoding="utf-8") as handle:
        process = subprocess.Popen(command, cwd=ROOT, env=surroundings, stdout=handle, stderr=subprocess.STDOUT)
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        if found := re.search(r"http://\S+(?=[. ])", output.read_text(encoding="utf-8")):
            return App(found[0].rstrip("."), workspace, process, output)
        time.sleep(0.1)
    process.kill()
    raise AssertionError(f"the app did not start: {output.read_text(encoding='utf-8')}")


@pytest.fixture(scope="session")
def one_app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """The app that tests share: starting one takes longer than most tests. It must end well after all of them."""
    running = start(tmp_path_factory.mktemp("app") / "workspace")
    yield running
    assert running.stop() == 0


@pytest.fixture
def app(one_app: App) -> Iterator[App]:
    """The shared app with nothing in its workspace. Tests that stop it, or need a workspace of their own, start another."""
    assert one_app.process.poll() is None, "a test before this one ended the app"
    yield one_app
    for what in ("runs/*", "datasets/*", "cache/draft-*"):
        for folder in one_app.workspace.glob(what):
            removed(folder)


@pytest.fixture
def tiny_app(app: App, tiny_entry: Path) -> Iterator[App]:
    """The shared app with a tiny model registered under the id "tiny"."""
    folder = shutil.copytree(tiny_entry, app.workspace / "models" / "tiny")
    yield app
    removed(folder)


def removed(folder: Path) -> None:
    """Delete a folder that the app may still be writing a last note into."""
    deadline = time.monotonic() + 10
    while folder.exists():
        try:
            shutil.rmtree(folder)
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


@pytest.fixture(scope="session")
def chromium() -> Iterator:
    """One window of one browser for all tests: it has the page's scripts compiled already, which took a third of opening it."""
    if not CHROMIUM:
        missing("no chromium on this computer")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as player:
        browser = player.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        window = browser.new_context(locale="en-GB")
        window.set_default_timeout(PATIENCE)
        yield window
        browser.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo):
    """Let fixtures know at their end that the test failed."""
    report = yield
    if report.failed:
        item.failed = True
    return report


@pytest.fixture
def visit(chromium, request: pytest.FixtureRequest) -> Iterator[Callable]:
    """visit(address, width=1440, dark=False) -> Page. At the end: no console error, no dialog, no request elsewhere."""
    pages, seen = [], []

    def open_page(address: str, *, width: int = 1440, dark: bool = False):
        page = chromium.new_page()
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme="dark" if dark else "light")
        if not pages:  # nothing is remembered of the tests before
            stored = {"origin": address.rstrip("/"), "storageTypes": "all"}
            chromium.new_cdp_session(page).send("Storage.clearDataForOrigin", stored)
        pages.append(page)
        page.on("console", lambda message: seen.append(f"console: {message.text}") if message.type == "error" else None)
        page.on("response", lambda got: seen.append(f"{got.status}: {got.url}") if got.status >= 500 else None)
        page.on("pageerror", lambda error: seen.append(f"error: {error}"))
        page.on("dialog", lambda dialog: (seen.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        local = (address, "data:", "blob:")
        page.on("request", lambda asked: None if asked.url.startswith(local) else seen.append(f"elsewhere: {asked.url}"))
        page.open_answers = set()
        page.on("request", lambda asked: page.open_answers.add(asked) if "/queue/data" in asked.url else None)
        for ended in ("requestfinished", "requestfailed"):
            page.on(ended, lambda asked: page.open_answers.discard(asked))
        page.goto(address)
        page.locator("[role=tab]:visible").first.wait_for()
        return page

    yield open_page
    still = [page for page in pages if not page.is_closed()]
    for page in still if getattr(request.node, "failed", False) else ():  # what CI prints is all there is to go by
        print(f"--- {page.url} as the failed test left it\n{page.locator('body').inner_text()}")
    for page in still:
        page.close()
    assert not seen, seen


def begin(page) -> None:
    """The Data tab as on an empty page, whatever was open."""
    tab(page, "1 Data")
    other = page.get_by_role("button", name="Use other data")
    page.locator(".samples:visible, .fileline:visible").first.wait_for()
    if other.is_visible():
        other.click()
    page.locator(".samples:visible").wait_for()


def reload(page) -> None:
    """Load the page again once it waits for no answer: Gradio's client breaks its open stream off and logs that as an error."""
    while page.open_answers:
        page.wait_for_timeout(20)
    page.reload()


def tab(page, name: str) -> None:
    """Open a tab by the words on it."""
    page.locator("[role=tab]:visible", has_text=name).click()


def faults(page) -> list[str]:
    """What axe finds against WCAG 2.2 AA in the page as it is, once colours have stopped changing."""
    if not AXE.is_file():
        missing("axe-core is not installed: npm ci in tests/browser")
    page.evaluate(AXE.read_text(encoding="utf-8"))
    page.evaluate(
        "() => Promise.all(document.getAnimations().filter((item) => item instanceof CSSTransition)"
        ".map((item) => item.finished.catch(() => null)))"
    )
    rules = ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa"]
    found = page.evaluate("(tags) => axe.run(document, {runOnly: tags})", rules)
    return [f"{item['id']}: {node['html'][:160]}" for item in found["violations"] for node in item["nodes"]]


def sideways(page) -> int:
    """Pixels by which the page is wider than the window."""
    return page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
