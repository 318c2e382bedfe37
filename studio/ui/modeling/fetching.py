"""Bringing the chosen model here: fetch, how far it is, stop, try again, and take it away again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import gradio as gr
from markupsafe import Markup

from studio.models.catalog import ModelEntry
from studio.ui import pieces
from studio.ui import words_hub as words
from studio.ui.guard import components, told
from studio.workspace import gib

if TYPE_CHECKING:
    from studio.ui.studio import Studio
    from studio.ui.tabs.model import View


PARTLY = 2**20  # bytes; what a note about a model takes is less


@dataclass(frozen=True)
class Fetching:
    """The area's components; one button each for what can be done with the model as it is."""

    state: gr.HTML
    now: gr.Button
    stop: gr.Button
    again: gr.Button
    remove: gr.Button
    sure: gr.Button


def build() -> Fetching:
    """Layout only."""
    state = pieces.html(elem_classes="hidden-empty")
    with pieces.buttons():
        now = gr.Button(words.FETCH_NOW, size="sm", visible=False)
        stop = gr.Button(words.FETCH_STOP, size="sm", visible=False)
        again = gr.Button(words.FETCH_AGAIN, size="sm", visible=False)
        remove = gr.Button(words.REMOVE, size="sm", visible=False, elem_classes="danger")
        sure = gr.Button(words.REMOVE_SURE, size="sm", visible=False, elem_classes="danger")
    return Fetching(state, now, stop, again, remove, sure)


def connect(on: Any, view: View, shell: Any) -> Any:
    """Wiring only. Returns the event after which another model is chosen: the tab draws itself anew then."""
    own = view.fetching
    here = {"outputs": [*components(own), view.state]}
    on(own.now.click, fetch, [shell.model_id], **here)
    on(own.again.click, fetch, [shell.model_id], **here)
    on(own.stop.click, stop, [shell.model_id], **here)
    on(own.remove.click, ask, [shell.model_id], **here)
    return on(own.sure.click, remove, [shell.model_id])


# ---- what is shown


def sign(studio: Studio, model_id: str) -> str:
    """A short text that changes whenever `show` would show something else."""
    progress, trouble = studio.fetch_progress(model_id), studio.fetch_trouble(model_id)
    return repr((progress, trouble and trouble.what, studio.fetching(model_id)))


def show(studio: Studio, view: View, entry: ModelEntry) -> dict[Any, Any]:
    """How the fetch of the chosen model stands, and what can be done."""
    own = view.fetching
    progress, trouble = studio.fetch_progress(entry.id), studio.fetch_trouble(entry.id)
    under_way = studio.fetching(entry.id) or (progress is not None and progress.phase != "ready")
    state: Any = ""
    if progress and under_way:
        share = 100 * progress.done / progress.total if progress.total else 0
        bar = pieces.bar(progress.sentence, [(share, "c-accent")], thin=True)
        state = Markup('<div class="fetch" role="status">{}{}</div>').format(pieces.small(progress.sentence), bar)
    elif trouble:
        state = told(trouble)
    elsewhere, size = not entry.ready and not under_way, 0 if under_way else studio.catalog.size(entry.id)
    if elsewhere and not trouble and size > PARTLY:
        state = pieces.small(words.FETCH_PARTLY.format(size=gib(size)))
    return {
        own.state: pieces.show(state),
        own.now: gr.update(value=words.fetch_now(entry.download_bytes), visible=elsewhere and not trouble),
        own.again: gr.update(visible=elsewhere and bool(trouble)),
        own.stop: gr.update(visible=studio.fetching(entry.id)),
        own.remove: gr.update(visible=entry.ready and entry.origin != "starter", value=words.REMOVE if size else words.FORGET),
        own.sure: gr.update(visible=False),
    }


# ---- handlers


def fetch(studio: Studio, view: View, shell: Any, model_id: str) -> dict[Any, Any]:
    """Begin, or go on with what is here already."""
    studio.prefetch(model_id)
    return {**show(studio, view, studio.catalog.get(model_id)), view.state: []}


def stop(studio: Studio, view: View, shell: Any, model_id: str) -> dict[Any, Any]:
    """End the fetch; what is here is kept, and told once it has ended."""
    studio.stop_fetching(model_id)
    return {view.fetching.stop: gr.update(visible=False), view.state: []}


def ask(studio: Studio, view: View, shell: Any, model_id: str) -> dict[Any, Any]:
    """Ask once more, and say what goes and what stays."""
    own, size = view.fetching, studio.catalog.size(model_id)
    sure = words.REMOVE_SURE.format(size=gib(size)) if size else words.FORGET_SURE
    return {own.remove: gr.update(visible=False), own.sure: gr.update(visible=True, value=sure)}


def remove(studio: Studio, view: View, shell: Any, model_id: str) -> dict[Any, Any]:
    """Delete what was fetched, or forget a folder, and go back to the starter."""
    studio.remove_model(model_id)
    return {shell.model_id: "starter", view.state: []}
