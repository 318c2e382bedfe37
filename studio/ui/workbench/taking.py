"""How far long work on rows is, and a way to end it. The page stays free meanwhile: the work is in a thread of its own."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import gradio as gr
from markupsafe import Markup

from studio.data.spill import Telling
from studio.ui import pieces
from studio.ui import words_data as words

if TYPE_CHECKING:
    from studio.ui.studio import Studio

POLL = 0.4  # seconds; quicker work shows nothing
Result = TypeVar("Result")
AWAY = {"concurrency_id": "taking", "concurrency_limit": 4}  # several pages may read at once, and redraw meanwhile


@dataclass(frozen=True)
class TakingView:
    """The area's components. `key` names the work that this page waits for."""

    key: gr.State
    progress: gr.HTML
    stop: gr.Button


@dataclass
class Taking(Generic[Result]):
    """One piece of work on its way, behind the page."""

    telling: Telling
    done: threading.Event = field(default_factory=threading.Event)
    result: Result | None = None
    error: BaseException | None = None


def build() -> TakingView:
    """Layout only."""
    key = gr.State("")
    progress = pieces.html("", elem_classes="hidden-empty")
    with pieces.buttons():
        stop = gr.Button(words.STOP_WORK[""], size="sm", visible=False)
    return TakingView(key, progress, stop)


def connect(on: Any, own: TakingView) -> None:
    """Wiring only."""
    on(own.stop.click, stopping(own), [own.key], outputs=[own.stop], concurrency_id="taking-stop", concurrency_limit=8)


def taken(studio: Studio, own: TakingView, work: Callable[[Telling], Result]) -> Iterator[dict[Any, Any] | Result]:
    """Updates for the page while the work goes on, and at the end what it gave. Raises what the work raises.

    A page that is closed meanwhile ends the work.
    """
    taking, key, seen = Taking[Result](Telling()), secrets.token_hex(8), False
    studio.background.taking[key] = taking.telling
    threading.Thread(target=bring, args=(taking, work), name="taking", daemon=True).start()
    try:
        while not taking.done.wait(POLL):
            seen, ends = True, words.STOP_WORK.get(taking.telling.work, words.STOP_WORK[""])
            yield {own.key: key, own.progress: pieces.show(bar(taking.telling)), own.stop: gr.update(visible=True, value=ends)}
    finally:
        taking.telling.stop()
        studio.background.taking.pop(key, None)
    if seen:
        yield {own.progress: pieces.show(""), own.stop: gr.update(visible=False, interactive=True)}
    if taking.error:
        raise taking.error
    assert taking.result is not None
    yield taking.result


def stopping(own: TakingView) -> Callable:
    """A handler that ends the work that this page waits for."""

    def stop(studio: Studio, view: Any, shell: Any, key: Any) -> dict[Any, Any]:
        telling = studio.background.taking.get(key) if isinstance(key, str) else None
        if telling:
            telling.stop()
        return {own.stop: gr.update(interactive=False)}

    return stop


def bring(taking: Taking[Result], work: Callable[[Telling], Result]) -> None:
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
