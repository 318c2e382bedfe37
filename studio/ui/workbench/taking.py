"""How far the reading of a file is, and a way to end it. The page stays free meanwhile: the work is in a thread of its own."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import gradio as gr
from markupsafe import Markup

from studio.data.spill import Telling
from studio.drafts import Opened
from studio.ui import pieces
from studio.ui import words_data as words

if TYPE_CHECKING:
    from studio.ui.studio import Studio
    from studio.ui.tabs.data import View

POLL = 0.4  # seconds
AWAY = {"concurrency_id": "taking", "concurrency_limit": 4}  # several pages may read at once, and redraw meanwhile


@dataclass(frozen=True)
class TakingView:
    """The area's components. `key` names the reading that this page waits for."""

    key: gr.State
    progress: gr.HTML
    stop: gr.Button


@dataclass
class Taking:
    """One reading on its way, behind the page."""

    telling: Telling
    done: threading.Event = field(default_factory=threading.Event)
    result: Opened | None = None
    error: BaseException | None = None


def build() -> TakingView:
    """Layout only."""
    key = gr.State("")
    progress = pieces.html("", elem_classes="hidden-empty")
    with pieces.buttons():
        stop = gr.Button(words.READ_STOP, size="sm", visible=False)
    return TakingView(key, progress, stop)


def connect(on: Any, view: View, shell: Any) -> None:
    """Wiring only."""
    own = view.taking
    on(own.stop.click, stop, [own.key], outputs=[own.stop], concurrency_id="taking-stop", concurrency_limit=8)


def taken(studio: Studio, view: View, work: Callable[[Telling], Opened]) -> Iterator[dict[Any, Any] | Opened]:
    """Updates for the page while the work goes on, and at the end what it gave. Raises what the work raises.

    A page that is closed meanwhile ends the work.
    """
    own, taking, key = view.taking, Taking(Telling()), secrets.token_hex(8)
    studio.background.taking[key] = taking.telling
    threading.Thread(target=bring, args=(taking, work), name="taking", daemon=True).start()
    try:
        while not taking.done.wait(POLL):
            yield {own.key: key, own.progress: pieces.show(bar(taking.telling)), own.stop: gr.update(visible=True)}
    finally:
        taking.telling.stop()
        studio.background.taking.pop(key, None)
    yield {own.progress: pieces.show(""), own.stop: gr.update(visible=False, interactive=True)}
    if taking.error:
        raise taking.error
    assert taking.result is not None
    yield taking.result


def stop(studio: Studio, view: View, shell: Any, key: Any) -> dict[Any, Any]:
    """End the reading that this page waits for."""
    telling = studio.background.taking.get(key) if isinstance(key, str) else None
    if telling:
        telling.stop()
    return {view.taking.stop: gr.update(interactive=False)}


def bring(taking: Taking, work: Callable[[Telling], Opened]) -> None:
    """Do the work, and keep what comes of it."""
    try:
        taking.result = work(taking.telling)
    except Exception as error:  # noqa: BLE001 - told on the screen, like any failure of a handler
        taking.error = error
    finally:
        taking.done.set()


def bar(telling: Telling) -> Markup:
    """What is done now, and how far it is."""
    share = 100 * telling.done / telling.whole if telling.whole else 0
    line = words.READ_ROWS.format(work=words.READ_WORKS[telling.work], share=share, rows=telling.rows)
    return Markup('<div role="status">{}{}</div>').format(pieces.small(line), pieces.bar(line, [(share, "c-accent")], thin=True))
