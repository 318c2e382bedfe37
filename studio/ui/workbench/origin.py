"""Where the rows come from: a short form whose answers belong to the data, before and after it is saved."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import gradio as gr
from gradio.components import Component

from studio import provenance
from studio.fields import Setting, settings_of
from studio.records import Provenance
from studio.ui import pieces
from studio.ui import words_data as words
from studio.ui.guard import components

if TYPE_CHECKING:
    from studio.ui.studio import Studio
    from studio.ui.tabs.data import View


@dataclass(frozen=True)
class Origin:
    """The card's components. `boxes` has a control for each question, by its name."""

    card: gr.Column
    head: gr.HTML
    boxes: dict[str, Component]
    keep: gr.Button
    kept: gr.HTML


def build() -> Origin:
    """Layout only."""
    boxes: dict[str, Component] = {}
    with pieces.card() as card:
        head = pieces.html(pieces.head(words.ORIGIN_TITLE))
        pieces.html(pieces.small(words.ORIGIN_WHY))
        with gr.Accordion(words.ORIGIN_OPEN, open=False, elem_classes="quiet-details"):
            with pieces.pair():
                for name, item in settings_of(provenance.Questions).items():
                    boxes[name] = box(item)
            with pieces.buttons():
                keep = gr.Button(words.ORIGIN_KEEP, size="sm", variant="primary")
            kept = pieces.html("", elem_classes="hidden-empty")
    return Origin(card, head, boxes, keep, kept)


def box(item: Setting) -> Component:
    """The control of one question."""
    about = {"label": item.label, "info": item.help, "interactive": True}
    if item.advanced:
        about["elem_classes"] = "advanced-only"
    if item.choices:
        choices = [(label, key) for key, label in item.choices]
        return gr.Dropdown(choices, value=item.default, filterable=False, **about)
    return gr.Textbox(item.default, max_length=int(item.maximum or 200), lines=1, max_lines=4, **about)


def connect(on: Any, view: View, shell: Any) -> None:
    """Wiring only."""
    data = [view.draft_id, shell.dataset_id]
    here = {"outputs": components(view.origin)}
    on(view.origin.keep.click, keep, [*data, *view.origin.boxes.values()], **here)


# ---- handlers


def show(studio: Studio, view: View, shell: Any, draft_id: Any, dataset_id: Any) -> dict[Any, Any]:
    """What is answered by now."""
    found = of(studio, draft_id, dataset_id)
    if found is None:
        return {}
    return {
        **told(view, found),
        view.origin.kept: pieces.show(""),
        **{view.origin.boxes[name]: gr.update(value=answer) for name, answer in provenance.answers(found).items()},
    }


def keep(studio: Studio, view: View, shell: Any, draft_id: Any, dataset_id: Any, *values: Any) -> dict[Any, Any]:
    """Keep the answers, with the draft or with the saved set."""
    answers = dict(zip(view.origin.boxes, values, strict=True))
    found = studio.drafts.tell_origin(draft_id, **answers) if draft_id else provenance.say(studio.datasets, dataset_id, **answers)
    return {**told(view, found), view.origin.kept: pieces.show(pieces.small(words.ORIGIN_KEPT))}


# ---- what is shown


def of(studio: Studio, draft_id: Any, dataset_id: Any) -> Provenance | None:
    """What is known of the open draft, or of the saved set; None where there is neither."""
    if draft_id:
        return studio.drafts.origin(draft_id)
    if dataset_id not in studio.datasets.ids():
        return None
    return provenance.of_record(studio.datasets.get(dataset_id).provenance)


def told(view: View, found: Provenance) -> dict[Any, Any]:
    """How many answers there are, beside the card's title."""
    asked = [name for name, item in settings_of(provenance.Questions).items() if not item.advanced]
    answered = len(asked) - len(provenance.missing(found))
    note = words.ORIGIN_ALL if answered == len(asked) else words.ORIGIN_SOME.format(answered=answered, asked=len(asked))
    return {view.origin.head: pieces.show(pieces.head(words.ORIGIN_TITLE, note))}
