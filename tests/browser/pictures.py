"""Makes the pictures of the README from a real run: `python -m tests.browser.pictures WORKSPACE`.

WORKSPACE needs a finished run, such as `python app.py --demo --workspace WORKSPACE` leaves behind.
"""

from __future__ import annotations

import sys
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from tests.browser.conftest import ARGUMENTS, CHROMIUM, ROOT, start, tab

FOLDER = ROOT / "assets" / "pictures"
QUESTION = "Can you tell me the name of the head baker?"


def settle(page: Page) -> None:
    """Wait until nothing moves any more, and go to the top."""
    page.wait_for_timeout(2500)
    page.evaluate("window.scrollTo(0, 0)")
    page.mouse.move(0, 0)


def shoot(page: Page, name: str) -> None:
    """One picture of the window, as PNG."""
    settle(page)
    FOLDER.mkdir(exist_ok=True)
    page.screenshot(path=FOLDER / f"{name}.png")


def main(workspace: Path) -> None:
    """Open the app on a workspace and take the five pictures."""
    app = start(workspace)
    try:
        with sync_playwright() as player:
            browser = player.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
            for dark in (False, True):
                scheme = "dark" if dark else "light"
                page = browser.new_page(viewport={"width": 1200, "height": 900}, color_scheme=scheme)
                page.goto(app.address)
                page.locator("[role=tab]:visible").first.wait_for()
                page.wait_for_timeout(15_000)  # the large libraries load behind the page
                if dark:
                    tab(page, "Library")
                    shoot(page, "library-dark")
                    continue
                tab(page, "1 Data")
                page.get_by_label("Show what the model sees").check()
                page.locator(".tokens mark").first.wait_for(timeout=60_000)
                shoot(page, "data-light")
                page.locator(".finding, #pane-data .checks").first.wait_for(timeout=60_000)
                settle(page)
                page.get_by_role("heading", name="Worth a look").scroll_into_view_if_needed()
                page.evaluate("window.scrollBy(0, document.querySelector('.rowlist').getBoundingClientRect().top - 560)")
                page.screenshot(path=FOLDER / "rows-light.png")
                tab(page, "3 Train")
                shoot(page, "train-light")
                tab(page, "4 Chat")
                page.get_by_label("Your message").fill(QUESTION)
                page.get_by_role("button", name="Send to both").click()
                page.locator(".answer", has_text="tokens/s").nth(1).wait_for(timeout=240_000)
                shoot(page, "chat-light")
            browser.close()
    finally:
        app.stop()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
