"""1 Data: from a sample, a file or a pasted table to a data set."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import gradio as gr

from studio.data.detect import FORMATS
from studio.data.spill import Telling
from studio.drafts import Opened
from studio.errors import Stopped, StudioError
from studio.records import Dataset
from studio.samples import save_sample
from studio.ui import data_layout, pieces, words
from studio.ui.data_parts import show_dataset, show_draft, show_row, show_start
from studio.ui.guard import Wiring, components, in_turn, told
from studio.ui.studio import Studio
from studio.ui.workbench import findings, hub, origin, proposals, table, taking, versions


@dataclass(frozen=True)
class View:
    """The tab's components. `at` is the row that is shown; `changed` names what is shown and its state (see `workbench`)."""

    notice: gr.HTML
    draft_id: gr.State
    at: gr.State
    changed: gr.State
    start: gr.Column
    saved_area: gr.Column
    saved: gr.Dropdown
    samples: gr.HTML
    upload: gr.File
    paste_link: gr.Button
    paste_area: gr.Column
    paste: gr.Textbox
    paste_go: gr.Button
    taking: taking.TakingView
    working: taking.TakingView
    hub: hub.HubBox
    filled: gr.Column
    file: gr.HTML
    other: gr.Button
    again: gr.Button
    sheet: gr.Dropdown
    reading: gr.Column
    header: gr.Radio
    encoding: gr.Dropdown
    delimiter: gr.Dropdown
    columns: gr.Column
    columns_head: gr.HTML
    format: gr.Dropdown
    roles: tuple[gr.Dropdown, ...]
    me: gr.Dropdown
    strip_template: gr.Checkbox
    tools_as_text: gr.Checkbox
    example_head: gr.HTML
    before: gr.Button
    after: gr.Button
    example: gr.HTML
    see_tokens: gr.Checkbox
    tokens: gr.HTML
    findings: findings.Findings
    table: table.Table
    proposals: proposals.ProposalsView
    origin: origin.Origin
    versions: versions.Versions
    shares: gr.HTML
    share_more: gr.Row
    validation: gr.Slider
    seed: gr.Number
    name: gr.Textbox
    summary: gr.HTML
    next_note: gr.HTML
    next: gr.Button


def build() -> View:
    """Layout only."""
    made: dict[str, Any] = {"draft_id": gr.State(None), "at": gr.State(0), "changed": gr.State("")}
    pieces.html(pieces.purpose(words.DATA_PURPOSE))
    made["notice"] = pieces.notice_area()
    # which of the two is shown is known once the page has asked: neither flashes by before that
    with gr.Column(elem_classes="work", min_width=0, visible=False) as made["start"]:
        data_layout.build_start(made)
    with gr.Column(elem_classes="work", min_width=0, visible=False) as made["filled"], pieces.split():
        with pieces.work():
            data_layout.build_file(made)
            data_layout.build_columns(made)
            data_layout.build_example(made)
            made["proposals"] = proposals.build()
            made["findings"] = findings.build()
            made["table"] = table.build()
            data_layout.build_shares(made)
            made["origin"] = origin.build()
            made["versions"] = versions.build()
        with pieces.side():
            made["working"] = taking.build()
            made["summary"] = pieces.html()
    made["next_note"], made["next"] = pieces.next_step(words.FIRST_DATA, words.NOTHING_LEAVES, enabled=False)
    return View(**made)


def connect(studio: Studio, view: View, shell: Any) -> None:
    """Wiring only."""
    on = partial(Wiring(studio, view, shell), **in_turn("data"))
    row = [view.draft_id, shell.dataset_id, shell.model_id, view.at, view.see_tokens]
    on(view.samples.select, use_sample, event=True, trigger_mode="once", show_progress_on=view.samples)
    upload = [view.upload, shell.model_id, view.see_tokens]
    on(view.upload.upload, take_file, upload, show_progress_on=view.upload, **taking.AWAY)
    on(view.paste_link.click, show_paste)
    on(view.paste_go.click, take_text, [view.paste, shell.model_id, view.see_tokens], show_progress_on=view.paste)
    on(view.saved.input, use_saved, [view.saved])
    on(view.other.click, use_other, [view.draft_id])
    on(view.again.click, read_anew, [shell.dataset_id, shell.model_id, view.see_tokens], show_progress_on=view.file)
    on(view.before.click, step_row(-1), row, trigger_mode="multiple")
    on(view.after.click, step_row(1), row, trigger_mode="multiple")
    on(view.see_tokens.input, step_row(0), row, show_progress_on=view.tokens)
    draft = [view.draft_id, shell.model_id, view.see_tokens]
    on(view.sheet.input, change(read_with("sheet")), [*draft, view.sheet], show_progress_on=view.file)
    on(view.header.input, change(read_with("header")), [*draft, view.header], show_progress_on=view.file)
    on(view.encoding.input, change(read_with("encoding")), [*draft, view.encoding], show_progress_on=view.file)
    on(view.delimiter.input, change(read_with("delimiter")), [*draft, view.delimiter], show_progress_on=view.file)
    on(view.format.input, change(choose_format), [*draft, view.format])
    for slot, box in enumerate(view.roles):
        on(box.input, change(choose_role(slot)), [*draft, box])
    for choice in ("me", "strip_template", "tools_as_text"):
        box = getattr(view, choice)
        on(box.input, change(settle(choice)), [*draft, box])
    share = [*draft, view.validation, view.seed]
    on(view.validation.release, change(share_out), share)
    on(view.seed.submit, change(share_out), share)
    on(view.seed.blur, change(share_out), share)
    on(view.next.click, save, [view.draft_id, shell.dataset_id, view.name], show_progress_on=view.next_note)
    for card in (hub, proposals, findings, table, origin, versions):
        card.connect(on, view, shell)
    for area in (view.taking, view.working):
        taking.connect(on, area)
    cards = components((view.table, view.origin, view.versions))
    how = [view.table.search, view.table.sort, view.table.only, view.table.start]
    on(view.changed.change, show_cards, [view.draft_id, shell.dataset_id, *how], outputs=cards, keep_notice=True)


# ---- what is shown


def refresh(studio: Studio, view: View, shell: Any, dataset_id: str | None, model_id: str, run_id: str | None) -> dict[Any, Any]:
    """The chosen data set; else a draft that was left open; else the ways to begin."""
    if dataset_id == "":
        return {}  # the page has not looked yet what is chosen; nothing may flash by
    if dataset_id in studio.datasets.ids():
        return show_dataset(studio, view, studio.datasets.get(dataset_id))
    if draft_id := studio.drafts.newest():
        try:
            return show_draft(studio, view, studio.drafts.open(draft_id), model_id)
        except StudioError:
            studio.drafts.delete(draft_id)  # it can no longer be read; its file is with its owner
    return show_start(studio, view)


def show_cards(studio: Studio, view: View, shell: Any, draft_id: Any, dataset_id: Any, *how: Any) -> dict[Any, Any]:
    """The cards that show what is there, in one answer: each answer of its own costs the page a walk through all it has."""
    return {
        **table.show_again(studio, view, shell, draft_id, dataset_id, *how),
        **origin.show(studio, view, shell, draft_id, dataset_id),
        **versions.show(studio, view, shell, draft_id, dataset_id),
    }


# ---- handlers


def use_sample(studio: Studio, view: View, shell: Any, event: gr.EventData) -> dict[Any, Any]:
    """One click: the sample's data set, the starter on its way, on to the model."""
    record = save_sample(studio.workspace, str(getattr(event, "id", "")))
    studio.prefetch("starter")
    return {
        **show_dataset(studio, view, record),
        shell.dataset_id: record.id,
        shell.model_id: "starter",
        **shell.go("model"),
    }


def take_file(studio: Studio, view: View, shell: Any, path: Any, model_id: str, tokens: bool) -> Iterator[dict[Any, Any]]:
    """Read one or several uploaded files into a draft, telling how far it is."""
    files = [str(item) for item in path] if isinstance(path, list) else str(path)
    try:
        for found in taking.taken(studio, view.taking, lambda telling: studio.drafts.take_upload(files, telling)):
            if isinstance(found, Opened):
                found = show_draft(studio, view, found, model_id, tokens=tokens) | {view.upload: None}
            yield found
    except StudioError as error:
        yield {view.notice: pieces.show(told(error)), view.upload: None}
    except Stopped:
        yield {view.upload: None}


def show_paste(studio: Studio, view: View, shell: Any) -> dict[Any, Any]:
    """Open the box to paste into."""
    return {view.paste_area: gr.update(visible=True)}


def take_text(studio: Studio, view: View, shell: Any, text: Any, model_id: str, tokens: bool) -> dict[Any, Any]:
    """Read a pasted table into a draft."""
    if not isinstance(text, str) or not text.strip():
        raise StudioError("There is no table yet.", "The box is empty.", "Paste some rows into it.")
    if len(text) > data_layout.MAX_PASTE:
        raise StudioError(
            "This table was not read.", "It is longer than five million characters.", "Save it as a file and drop that."
        )
    opened = studio.drafts.take_text(text)
    return {**show_draft(studio, view, opened, model_id, tokens=tokens), view.paste_area: gr.update(visible=False)}


def use_saved(studio: Studio, view: View, shell: Any, dataset_id: Any) -> dict[Any, Any]:
    """Take up a data set made before."""
    record = studio.datasets.get(dataset_id)
    return {**show_dataset(studio, view, record), shell.dataset_id: record.id}


def use_other(studio: Studio, view: View, shell: Any, draft_id: Any) -> dict[Any, Any]:
    """Back to the beginning; what was saved stays in the list."""
    if draft_id:
        if studio.proposing.progress(draft_id):
            studio.proposing.stop()
        studio.drafts.delete(draft_id)
    return {**refresh(studio, view, shell, None, "starter", None), shell.dataset_id: None}


def read_anew(studio: Studio, view: View, shell: Any, dataset_id: Any, model_id: str, tokens: bool) -> dict[Any, Any]:
    """Open a copy of a saved set's file, to read it another way."""
    opened = studio.drafts.take_dataset(dataset_id)
    return {**show_draft(studio, view, opened, model_id, tokens=tokens), shell.dataset_id: None}


def step_row(by: int) -> Callable:
    """A handler that shows the row `by` further on (0: the same)."""

    def show(studio: Studio, view: View, shell: Any, draft_id: Any, dataset_id: Any, *about: Any) -> dict:
        model_id, at, tokens = about
        rows = studio.drafts.open(draft_id).converted.examples if draft_id else studio.rows(dataset_id)
        return show_row(studio, view, rows, (at if isinstance(at, int) else 0) + by, model_id, bool(tokens))

    return show


def change(act: Callable[..., Opened]) -> Callable:
    """A handler that changes the draft; where that cannot be, the page shows the draft as it still is, and says why.

    `act` takes the studio, a `Telling`, the draft's id and the values.
    """

    def handle(
        studio: Studio, view: View, shell: Any, draft_id: Any, model_id: str, tokens: bool, *values: Any
    ) -> Iterator[dict[Any, Any]]:
        notice = {}
        try:
            for found in taking.taken(studio, view.working, lambda telling: act(studio, telling, draft_id, *values)):
                if isinstance(found, Opened):
                    found = show_draft(studio, view, found, model_id, tokens=bool(tokens))
                yield found
            return
        except Stopped:
            pass
        except StudioError as error:
            notice = {view.notice: pieces.show(told(error))}
        yield {**show_draft(studio, view, studio.drafts.open(draft_id), model_id, tokens=bool(tokens)), **notice}

    return handle


def read_with(option: str) -> Callable[..., Opened]:
    """Read the file again with one option changed."""

    def act(studio: Studio, telling: Telling, draft_id: Any, value: Any) -> Opened:
        if option == "header":
            value = {"auto": None, "yes": True, "no": False}.get(value)
        return studio.drafts.read_again(draft_id, telling, **{option: value})

    return act


def choose_format(studio: Studio, telling: Telling, draft_id: Any, chosen: Any) -> Opened:
    """Take the rows for another kind of examples."""
    return studio.drafts.choose_format(draft_id, chosen, telling)


def choose_role(slot: int) -> Callable[..., Opened]:
    """Give the role of one dropdown another column."""

    def act(studio: Studio, telling: Telling, draft_id: Any, column: Any) -> Opened:
        roles = FORMATS[studio.drafts.open(draft_id).mapping.format].roles
        if slot >= len(roles):
            raise StudioError("This column cannot be chosen.", "", "Pick another.")
        return studio.drafts.choose_column(draft_id, roles[slot].key, column or "", telling)

    return act


def settle(choice: str) -> Callable[..., Opened]:
    """Settle what is chosen beside the columns."""

    def act(studio: Studio, telling: Telling, draft_id: Any, value: Any) -> Opened:
        return studio.drafts.choose(draft_id, telling, **{choice: value})

    return act


def share_out(studio: Studio, telling: Telling, draft_id: Any, validation: Any, seed: Any) -> Opened:
    """Share the rows out anew."""
    return studio.drafts.share_out(draft_id, telling, validation=validation, seed=seed)


def save(studio: Studio, view: View, shell: Any, draft_id: Any, dataset_id: Any, name: Any) -> Iterator[dict[Any, Any]]:
    """Make the data set, start fetching the starter, go on to the model."""
    if not draft_id:
        studio.datasets.get(dataset_id)
        yield shell.go("model")
        return
    written = name if isinstance(name, str) else ""
    with contextlib.suppress(Stopped):
        for found in taking.taken(studio, view.working, lambda telling: studio.drafts.save(draft_id, written, telling)):
            if isinstance(found, Dataset):
                studio.prefetch("starter")
                found = {**show_dataset(studio, view, found), shell.dataset_id: found.id, **shell.go("model")}
            yield found
