"""Questions and answers that a model proposes from a document: each beside its passage, used only when a person keeps it."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import gradio as gr
from markupsafe import Markup

from studio.drafts import Opened
from studio.errors import StudioError
from studio.inference.base import BaseModel
from studio.inference.endpoint import LocalEndpoint
from studio.inference.proposals import Kept, Proposals
from studio.inference.proposing import Progress
from studio.ui import pieces
from studio.ui import words_data as words
from studio.ui.data_parts import show_draft
from studio.ui.guard import components

if TYPE_CHECKING:
    from studio.ui.studio import Studio
    from studio.ui.tabs.data import View

SHOWN = 8  # proposals on the page at once
POLL = 0.7  # seconds
LONGEST_PASSAGE = 600  # letters of a passage under its question
MINE, OTHER = "mine", "other"

PROPOSALS_JS = """
element.addEventListener('click', ({target}) => {
  const button = target.closest('button[data-id]');
  if (button) trigger('select', {...button.dataset});
});
"""


@dataclass(frozen=True)
class ProposalsView:
    """The card's components."""

    card: gr.Column
    writer: gr.Radio
    address: gr.Textbox
    model: gr.Dropdown
    note: gr.HTML
    begin: gr.Button
    stop: gr.Button
    progress: gr.HTML
    list: gr.HTML
    use: gr.Button


def build() -> ProposalsView:
    """Layout only."""
    with pieces.card(visible=False) as card:
        pieces.html(pieces.head(words.PROPOSALS_TITLE, words.PROPOSALS_NOTE))
        with gr.Accordion(words.PROPOSALS_OPEN, open=False, elem_classes="quiet-details"):
            writer = gr.Radio(words.WRITERS, value=MINE, label=words.WRITER, elem_classes="seg", interactive=True)
            with pieces.pair():
                address = gr.Textbox(
                    "http://127.0.0.1:11434", label=words.ADDRESS, info=words.ADDRESS_HELP, max_length=200, visible=False
                )
                model = gr.Dropdown(
                    [], label=words.WRITER_MODEL, info=words.WRITER_MODEL_HELP, visible=False, interactive=True, filterable=False
                )
            note = pieces.html(pieces.small(words.SMALL_WRITER))
            with pieces.buttons():
                begin = gr.Button(words.PROPOSE, size="sm", variant="primary")
                stop = gr.Button(words.PROPOSE_STOP, size="sm", visible=False)
            progress = pieces.html("", elem_classes="hidden-empty")
            listed = pieces.html("", js_on_load=PROPOSALS_JS, elem_classes="hidden-empty")
            with pieces.buttons():
                use = gr.Button(words.PROPOSALS_USE, size="sm", variant="primary", visible=False)
    return ProposalsView(card, writer, address, model, note, begin, stop, progress, listed, use)


def connect(on: Any, view: View, shell: Any) -> None:
    """Wiring only."""
    own = view.proposals
    watching = {"concurrency_id": "proposing", "concurrency_limit": 8, "keep_notice": True, "trigger_mode": "always_last"}
    outputs = [own.card, own.note, own.begin, own.stop, own.progress, own.list, own.use]
    on(view.changed.change, watch, [view.draft_id, shell.model_id], outputs=outputs, **watching)
    here = {"outputs": components(own)}
    for trigger in (own.writer.input, own.address.submit, own.address.blur):
        on(trigger, choose_writer, [own.writer, own.address, shell.model_id], **here)
    started = on(own.begin.click, begin, [view.draft_id, shell.model_id, own.writer, own.address, own.model], **here)
    on(started.success, watch, [view.draft_id, shell.model_id], outputs=outputs, **watching)
    on(own.stop.click, stop, [view.draft_id], **here)
    on(own.list.select, judge, [view.draft_id], event=True, **here)
    on(own.use.click, use, [view.draft_id, shell.model_id, view.see_tokens])


# ---- handlers


def watch(studio: Studio, view: View, shell: Any, draft_id: Any, model_id: Any) -> Iterator[dict[Any, Any]]:
    """The card of a document, and how far the proposing is while it goes on."""
    own = view.proposals
    if not draft_id or not is_document(studio.drafts.open(draft_id)):
        yield {own.card: gr.update(visible=False)}
        return
    yield {own.card: gr.update(visible=True), **state(studio, view, draft_id)}
    while (now := studio.proposing.progress(draft_id)) and now.state == "working":
        time.sleep(POLL)
        if not studio.drafts.folder(draft_id).is_dir():
            return
        yield state(studio, view, draft_id)
    yield state(studio, view, draft_id)


def choose_writer(studio: Studio, view: View, shell: Any, writer: Any, address: Any, model_id: Any) -> dict[Any, Any]:
    """The fields of the other program, with the models it offers."""
    own, other = view.proposals, writer == OTHER
    changes = {
        own.address: gr.update(visible=other),
        own.model: gr.update(visible=other),
        own.note: pieces.show("" if other else pieces.small(BaseModel(studio.catalog, studio.lease, model_id).note)),
    }
    if other:
        models = LocalEndpoint(str(address or "")).models()
        changes[own.model] = gr.update(visible=True, choices=models, value=models[0])
    return changes


def begin(studio: Studio, view: View, shell: Any, *values: Any) -> dict[Any, Any]:
    """Let the model read the document, passage after passage."""
    draft_id, model_id, writer, address, model = values
    opened = studio.drafts.open(draft_id)
    if writer == OTHER:
        if not isinstance(model, str) or not model:
            raise StudioError("Nothing was begun.", "No model is chosen.", "Start the other program, then choose its model.")
        endpoint = LocalEndpoint(str(address or ""), model)
        source: Any = lambda: contextlib.nullcontext(endpoint)  # noqa: E731 - made anew inside the thread
    else:
        if not studio.catalog.get(model_id).ready:
            raise StudioError("Nothing was begun.", "The model is not on this computer yet.", "Fetch it in step 2 first.")
        source = lambda: BaseModel(studio.catalog, studio.lease, model_id, studio.engine.close)  # noqa: E731
    studio.proposing.start(studio.drafts.folder(draft_id), passages_of(opened), source)
    return state(studio, view, draft_id)


def stop(studio: Studio, view: View, shell: Any, draft_id: Any) -> dict[Any, Any]:
    """End it; what was written stays."""
    studio.proposing.stop()
    return {view.proposals.stop: gr.update(interactive=False)}


def judge(studio: Studio, view: View, shell: Any, event: gr.EventData, draft_id: Any) -> dict[Any, Any]:
    """Keep a proposal, or throw it away."""
    asked = getattr(event, "_data", None) or {}
    state_of = {"keep": "kept", "away": "thrown away"}.get(str(asked.get("act")))
    if state_of is None:
        raise StudioError("Nothing was decided.", "This decision is not known.", "Keep it or throw it away.")
    Proposals(studio.drafts.folder(draft_id)).decide([str(asked.get("id"))], state_of)
    return state(studio, view, draft_id)


def use(studio: Studio, view: View, shell: Any, draft_id: Any, model_id: Any, tokens: Any) -> dict[Any, Any]:
    """Make the kept pairs the data, which says of itself that a model wrote them."""
    draft = studio.drafts.get(draft_id)
    proposals = Proposals(studio.drafts.folder(draft_id))
    lines = [json.dumps({"messages": list(item.example.messages)}, ensure_ascii=False) for item in proposals.kept()]
    if not lines:
        raise StudioError("There is nothing to learn from.", "No proposal is kept yet.", "Keep some first.")
    studio.proposing.stop()
    opened = studio.drafts.take_text("\n".join(lines), provenance=proposals.provenance(draft.name).to_json())
    return show_draft(studio, view, opened, model_id, tokens=bool(tokens))


# ---- what is shown


def is_document(opened: Opened) -> bool:
    """Whether the rows are passages of a document rather than examples."""
    return opened.mapping.format == "text" and len(opened.rows) > 0


def passages_of(opened: Opened) -> list[SimpleNamespace]:
    """The passages as the proposer reads them."""
    headings = {
        number: str(row.get("heading") or "") for number, row in zip(opened.reading.row_numbers, opened.reading.rows, strict=True)
    }
    return [
        SimpleNamespace(heading=headings.get(row.source_row, ""), text=row.text, place=f"row {row.source_row:,}")
        for row in opened.rows
    ]


def state(studio: Studio, view: View, draft_id: str) -> dict[Any, Any]:
    """Progress, the proposals that wait for a decision, and the way on."""
    own, now = view.proposals, studio.proposing.progress(draft_id)
    found = Proposals(studio.drafts.folder(draft_id)).all()
    waiting = [item for item in found if item.state == "open"]
    kept = sum(item.state == "kept" for item in found)
    working = bool(now and now.state == "working")
    return {
        own.begin: gr.update(visible=not working),
        own.stop: gr.update(visible=working, interactive=True),
        own.progress: pieces.show(how_far(now)),
        own.list: pieces.show(listed(waiting, kept) if found else ""),
        own.use: gr.update(visible=kept > 0, value=f"{words.PROPOSALS_USE} ({kept:,})"),
    }


def how_far(now: Progress | None) -> Markup:
    """The sentence, with a bar while it goes on."""
    if now is None:
        return Markup("")
    share = 100 * now.done / max(1, now.total)
    bar = pieces.bar(f"{share:.0f} % of the passages", [(share, "c-accent")], thin=True) if now.state == "working" else ""
    reason = pieces.small(f"{now.error['why']} {now.error['fix']}") if now.error else ""
    return Markup('<div role="status">{}{}{}</div>').format(pieces.small(now.sentence), bar, reason)


def listed(waiting: Sequence[Kept], kept: int) -> Markup:
    """The first proposals that wait, each with its passage and two buttons."""
    made = []
    for item in waiting[:SHOWN]:
        sure = "" if item.sure else pieces.tag(words.CHECK_ANSWER, "warn")
        buttons = [
            Markup('<button type="button" class="btn small" data-id="{}" data-act="{}" aria-label="{}: {}">{}</button>').format(
                item.id, act, label, pieces.short(item.question, 80), label
            )
            for act, label in (("keep", words.KEEP), ("away", words.THROW_AWAY))
        ]
        made.append(
            Markup(
                '<li class="proposal"><b>{}</b> {}<p>{}</p><details class="quiet"><summary>{}</summary><p class="small muted">{}'
                '</p></details><div class="acts">{}</div></li>'
            ).format(
                item.question,
                sure,
                item.answer,
                words.PASSAGE.format(place=item.heading or item.place),
                pieces.short(item.passage, LONGEST_PASSAGE),
                pieces.join(buttons),
            )
        )
    told = words.PROPOSALS_LEFT.format(waiting=f"{len(waiting):,}", kept=f"{kept:,}")
    return Markup('{}<ol class="rowlist">{}</ol>').format(pieces.small(told), pieces.join(made))
