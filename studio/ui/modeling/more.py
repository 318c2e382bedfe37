"""More models to start from: those this app knows from their makers, and whatever the Hugging Face Hub has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import gradio as gr
from markupsafe import Markup

from studio.config import all_settings
from studio.models.catalog import ModelEntry
from studio.models.hub import Found
from studio.models.hub import search as ask_hub
from studio.models.published import find, published, search
from studio.ui import pieces
from studio.ui import words_hub as words
from studio.ui.guard import any_of, components, in_turn
from studio.ui.modeling import rows
from studio.ui.modeling.reckoning import plan_of

if TYPE_CHECKING:
    from studio.ui.studio import Studio
    from studio.ui.tabs.model import View

MOST = 40  # rows shown of either list


@dataclass(frozen=True)
class More:
    """The area's components."""

    area: gr.Accordion
    query: gr.Textbox
    which: gr.Radio
    licence: gr.Dropdown
    known: gr.HTML
    go: gr.Button
    found: gr.HTML
    token: gr.Textbox
    keep: gr.Button
    note: gr.HTML


def build() -> More:
    """Layout only."""
    with gr.Accordion(words.MORE_MODELS, open=False, elem_classes="quiet-details") as area:
        pieces.html(pieces.small(words.MORE_HINT))
        query = gr.Textbox(label=words.SEARCH, info=words.SEARCH_HINT, max_length=200, max_lines=1, value="", interactive=True)
        with pieces.pair():
            which = gr.Radio(
                [(words.SHOW_FITS, "fits"), (words.SHOW_ALL, "all")],
                value="fits",
                label=words.SHOW_WHICH,
                elem_classes="seg",
                interactive=True,
            )
            licence = gr.Dropdown(licences(), value="", label=words.LICENCES, filterable=False, interactive=True)
        known = pieces.html("", js_on_load=rows.ROWS_JS, elem_classes="hidden-empty")
        with pieces.buttons():
            go = gr.Button(words.SEARCH_HUB, size="sm")
        found = pieces.html("", js_on_load=rows.ROWS_JS, elem_classes="hidden-empty")
        with gr.Accordion(words.TOKEN_TITLE, open=False, elem_classes="quiet-details"):
            pieces.html(pieces.small(words.ASKS_CONSENT))
            token = gr.Textbox(label=words.TOKEN, info=words.TOKEN_HINT, type="password", max_length=200, interactive=True)
            with pieces.buttons():
                keep = gr.Button(words.TOKEN_KEEP, size="sm")
            note = pieces.html("", elem_classes="hidden-empty")
    return More(area, query, which, licence, known, go, found, token, keep, note)


def connect(on: Any, view: View, shell: Any, chosen: Sequence[Any]) -> None:
    """Wiring only; `chosen` are the ids and settings that estimates follow from."""
    own = view.more
    asked = [own.query, own.which, own.licence, *chosen]
    asking = any_of(own.area.expand, own.query.change, own.which.input, own.licence.input)
    on(asking, show_known, asked, outputs=[own.known], keep_notice=True, **in_turn("more"))
    away = {"concurrency_id": "hub", "concurrency_limit": 4}
    for trigger in (own.go.click, own.query.submit):
        on(trigger, search_hub, [own.query], outputs=components(own), show_progress_on=own.go, **away)
    on(own.keep.click, keep_token, [own.token], outputs=components(own))
    on(own.token.submit, keep_token, [own.token], outputs=components(own))


# ---- handlers


def show_known(studio: Studio, view: View, shell: Any, query: Any, which: Any, licence: Any, *values: Any) -> dict[Any, Any]:
    """The published models that match, best for this computer first."""
    dataset_id, model_id, *settings = values
    plan = plan_of(studio, view.form, dataset_id, model_id, settings)
    repos = {item.repo for item in search(pieces.typed(query), licence=pieces.typed(licence))}
    entries = [entry for entry in studio.catalog.published_entries() if entry.repo in repos]
    shown = [item for item in plan.ranked(entries) if which == "all" or item.fits != "no"][:MOST]
    if not shown:
        return {view.more.known: pieces.show(pieces.small(words.NOTHING_FITS))}
    free = plan.computer.working_memory
    made = [rows.row_of(item.entry, item.estimate, free, item.why) for item in shown]
    return {view.more.known: pieces.show(rows.radio_rows(made, model_id, words.MORE_MODELS, "more-model"))}


def search_hub(studio: Studio, view: View, shell: Any, query: Any) -> dict[Any, Any]:
    """Ask the Hub; nothing is fetched."""
    found = ask_hub(pieces.typed(query), token=studio.token.value())
    if not found:
        return {view.more.found: pieces.show(pieces.small(words.HUB_NOTHING))}
    made = [hub_row(item) for item in found[:MOST]]
    head = pieces.small(words.HUB_FOUND.format(count=pieces.count(len(found), "model")))
    return {view.more.found: pieces.show(head + rows.radio_rows(made, "", words.HUB_RESULTS, "hub-model"))}


def keep_token(studio: Studio, view: View, shell: Any, token: Any) -> dict[Any, Any]:
    """Take a token into memory; the box is emptied, so that it stays nowhere in the page."""
    studio.token.take(pieces.typed(token))
    return {view.more.token: "", view.more.note: pieces.show(pieces.small(words.TOKEN_KEPT))}


# ---- inside


def hub_row(item: Found) -> rows.Row:
    """A search result. How it fits is not known before the Hub was asked for its shape."""
    told = [f"{item.downloads:,} downloads"]
    if item.parameters:
        told.append(weights(item.parameters))
    if item.gated:
        told.append(words.GATED)
    return rows.Row(
        key=item.repo,
        title=item.repo,
        summary=", ".join(told),
        licence=item.licence or "licence unknown",
        why=item.trouble,
        tag="not usable" if item.trouble else "",
        off=bool(item.trouble),
    )


def licences() -> list[tuple[str, str]]:
    """The licences of the list, each once."""
    return [(words.ANY_LICENCE, ""), *((name, name) for name in sorted({item.licence for item in published() if item.licence}))]


def about_model(entry: ModelEntry) -> Markup:
    """What is known of the chosen model, for deciding before anything is fetched."""
    known = find(entry.repo) if entry.repo else None
    said = all_settings()
    facts = {
        words.FIELDS["allows"]: entry.allows,
        words.FIELDS["parameters"]: weights(entry.parameters),
        words.FIELDS["context"]: words.CONTEXT.format(count=entry.context) if entry.context else "",
        words.FIELDS["languages"]: ", ".join(known.languages) if known else "",
        words.FIELDS["strengths"]: known.strengths if known else "",
        **{f"{words.RECOMMENDED}: {said[name].label}": said[name].shown(value) for name, value in entry.settings.items()},
        words.FIELDS["repo"]: entry.repo,
        words.FIELDS["revision"]: entry.revision[:10],
    }
    asks = pieces.small(words.ASKS_CONSENT) if entry.gated and not entry.ready else ""
    return Markup('<details class="quiet"><summary>{}</summary>{}{}</details>').format(
        words.ABOUT_MODEL, pieces.facts(facts), asks
    )


def weights(count: int) -> str:
    """How many weights a model has, in words."""
    return f"{count / 1e9:.1f} billion weights" if count >= 1e9 else f"{count / 1e6:.0f} million weights"
