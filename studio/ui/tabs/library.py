"""Library: every run and data set, to open, rename, delete, or take away as a zip."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from studio.errors import Busy, NotFound, StudioError
from studio.ui import library_parts, pieces
from studio.ui import words_runs as words
from studio.ui.guard import Wiring, in_turn
from studio.workspace import display_name, gib, slug

if TYPE_CHECKING:
    from studio.ui.app import Shell
    from studio.ui.studio import Studio

# Picking a row tells the page its id; after a change the marks follow what was drawn, not what was clicked before
PICK_JS = """
element.addEventListener('change', ({target}) => { if (target.type === 'radio') trigger('select', {id: target.value}); });
watch('value', () => element.querySelectorAll('input').forEach((item) => { item.checked = item.hasAttribute('checked'); }));
"""


@dataclass(frozen=True)
class Shelf:
    """A table with the buttons for the row that is picked. `picked` holds its id."""

    table: gr.HTML
    picked: gr.State
    row: gr.Row
    open: gr.Button
    rename: gr.Button
    delete: gr.Button
    renaming: gr.Column
    name: gr.Textbox
    save: gr.Button
    keep_name: gr.Button
    deleting: gr.Column
    lost: gr.HTML
    really: gr.Button
    keep: gr.Button


@dataclass(frozen=True)
class View:
    """The parts of the Library."""

    notice: gr.HTML
    runs: Shelf
    data: Shelf
    make_zip: gr.Button
    zip: gr.DownloadButton
    side: gr.HTML

    @property
    def chosen(self) -> tuple[gr.State, gr.State]:
        """What a refresh must know of the person's choices, beside the ids."""
        return self.runs.picked, self.data.picked


def build() -> View:
    """Lay the tab out."""
    pieces.html(pieces.purpose(words.LIBRARY_PURPOSE))
    notice = pieces.notice_area()
    with pieces.split():
        with pieces.work():
            with pieces.card():
                pieces.html(pieces.head(words.RUNS, words.PICK_RUN))
                runs, (make_zip, download) = shelf(words.REALLY_RUN, adapter=True)
            with pieces.card():
                pieces.html(pieces.head(words.DATA_SETS, words.PICK_DATA))
                data, _ = shelf(words.REALLY_DATA)
        with pieces.side():
            side = pieces.html("")
    return View(notice=notice, runs=runs, data=data, make_zip=make_zip, zip=download, side=side)


def shelf(really: str, *, adapter: bool = False) -> tuple[Shelf, list[Any]]:
    """One table with its buttons; `adapter` adds those for downloading, returned beside it."""
    made: dict[str, Any] = {"table": pieces.html("", js_on_load=PICK_JS), "picked": gr.State(None)}
    extra = []
    with pieces.buttons(visible=False) as made["row"]:
        made["open"] = gr.Button(words.OPEN, size="sm", variant="primary", interactive=False)
        made["rename"] = gr.Button(words.RENAME, size="sm", interactive=False)
        if adapter:
            extra.append(gr.Button(words.DOWNLOAD_ADAPTER, size="sm", interactive=False))
            extra.append(gr.DownloadButton(words.DOWNLOAD_ADAPTER, size="sm", visible=False, elem_id="adapter-zip"))
        made["delete"] = gr.Button(words.DELETE, size="sm", elem_classes="danger", interactive=False)
    with gr.Column(visible=False, elem_classes="ask") as made["renaming"]:
        made["name"] = gr.Textbox(label=words.NEW_NAME, max_lines=1, max_length=80, interactive=True)
        with pieces.buttons():
            made["save"] = gr.Button(words.SAVE_NAME, size="sm", variant="primary")
            made["keep_name"] = gr.Button(words.CANCEL, size="sm")
    with gr.Column(visible=False, elem_classes="ask") as made["deleting"]:
        made["lost"] = pieces.html("")
        with pieces.buttons():
            made["keep"] = gr.Button(words.CANCEL, size="sm")
            made["really"] = gr.Button(really, size="sm", elem_classes="danger")
    return Shelf(**made), extra


def connect(studio: Studio, view: View, shell: Shell) -> None:
    """Wire both shelves alike, then the download."""
    on = partial(Wiring(studio, view, shell), **in_turn("library"))  # a refresh on its way must not undo what was picked since
    for kind in KINDS:
        own: Shelf = getattr(view, kind)
        on(own.table.select, of(kind, pick), event=True)
        on(own.open.click, of(kind, open_it), [own.picked])
        on(own.rename.click, of(kind, ask_name), [own.picked])
        on(own.save.click, of(kind, rename), [own.picked, own.name])
        on(own.name.submit, of(kind, rename), [own.picked, own.name])
        on(own.delete.click, of(kind, ask_delete), [own.picked])
        on(own.really.click, of(kind, delete), [own.picked, shell.run_id, shell.dataset_id])
        on(own.keep.click, of(kind, leave_it), [own.picked])
        on(own.keep_name.click, of(kind, leave_it), [own.picked])
    made = on(view.make_zip.click, make_zip, [view.runs.picked], concurrency_id="zip", show_progress_on=view.make_zip)
    made.success(None, None, None, js=pieces.press_js("adapter-zip"), show_progress="hidden")


def of(kind: str, handler: Callable) -> Callable:
    """A handler for one of the two shelves."""

    def bound(studio: Studio, view: View, shell: Shell, *values: Any) -> dict[Any, Any]:
        return handler(studio, view, shell, kind, *values)

    bound.__name__ = f"{handler.__name__}_{kind}"
    return bound


# ---- handlers; `kind` is "runs" or "data"


def refresh(
    studio: Studio,
    view: View,
    shell: Shell,
    dataset_id: str | None,
    model_id: str | None,
    run_id: str | None,
    *chosen: str | None,
) -> dict[Any, Any]:
    """Both tables and the disk; the run and the data set that were picked stay picked while they exist."""
    run, data = chosen or (None, None)
    return {**shown(studio, view, "runs", run), **shown(studio, view, "data", data), **disk(studio, view)}


def disk(studio: Studio, view: View) -> dict[Any, Any]:
    """The card about the disk."""
    return {view.side: pieces.show(library_parts.disk(studio))}


def shown(studio: Studio, view: View, kind: str, picked: str | None) -> dict[Any, Any]:
    """One shelf as it stands, with the buttons for what is picked; questions are closed."""
    own: Shelf = getattr(view, kind)
    ids = KINDS[kind].ids(studio)
    picked = picked if picked in ids else None
    busy = picked is not None and KINDS[kind].busy(studio, picked) != ""
    updates = {
        own.table: pieces.show(KINDS[kind].table(studio, picked)),
        own.picked: picked,
        own.row: gr.update(visible=bool(ids)),
        own.open: gr.update(interactive=picked is not None),
        own.rename: gr.update(interactive=picked is not None),
        own.delete: gr.update(interactive=picked is not None and not busy),
        own.renaming: gr.update(visible=False),
        own.deleting: gr.update(visible=False),
    }
    if kind == "runs":
        has = picked is not None and studio.runs.adapter(picked) is not None
        updates |= {view.make_zip: gr.update(interactive=has, visible=True), view.zip: gr.update(value=None, visible=False)}
    return updates


def pick(studio: Studio, view: View, shell: Shell, kind: str, event: gr.EventData) -> dict[Any, Any]:
    """A row was picked."""
    return shown(studio, view, kind, str(getattr(event, "id", "")))


def open_it(studio: Studio, view: View, shell: Shell, kind: str, picked: str | None) -> dict[Any, Any]:
    """Go to where the picked one is shown."""
    known(studio, kind, picked)
    if kind == "runs":
        dataset = studio.dataset_of(picked)
        chosen = {shell.dataset_id: dataset} if dataset in studio.datasets.ids() else {}
        return {shell.run_id: picked, **chosen, **shell.go("train")}
    return {shell.dataset_id: picked, **shell.go("data")}


def ask_name(studio: Studio, view: View, shell: Shell, kind: str, picked: str | None) -> dict[Any, Any]:
    """Open the box for a new name."""
    own: Shelf = getattr(view, kind)
    known(studio, kind, picked)
    return {
        own.renaming: gr.update(visible=True),
        own.deleting: gr.update(visible=False),
        own.name: gr.update(value=KINDS[kind].name(studio, picked)),
    }


def rename(studio: Studio, view: View, shell: Shell, kind: str, picked: str | None, name: Any) -> dict[Any, Any]:
    """Give the picked one its new name."""
    known(studio, kind, picked)
    if not isinstance(name, str) or not display_name(name, ""):
        raise StudioError("The name was not changed.", "A name needs at least one letter or digit.", "Write another one.")
    KINDS[kind].store(studio).rename(picked, name)
    return shown(studio, view, kind, picked)


def ask_delete(studio: Studio, view: View, shell: Shell, kind: str, picked: str | None) -> dict[Any, Any]:
    """Say what would be lost, and ask once more."""
    own: Shelf = getattr(view, kind)
    known(studio, kind, picked)
    refuse_busy(studio, kind, picked)
    return {
        own.deleting: gr.update(visible=True),
        own.renaming: gr.update(visible=False),
        own.lost: pieces.show(KINDS[kind].lost(studio, picked)),
    }


def delete(
    studio: Studio, view: View, shell: Shell, kind: str, picked: str | None, run_id: str | None, dataset_id: str | None
) -> dict[Any, Any]:
    """Delete the picked one; when it was selected, the page turns to another."""
    known(studio, kind, picked)
    refuse_busy(studio, kind, picked)
    if kind == "runs" and studio.engine.opened == picked:
        studio.engine.close()
    (studio.jobs if kind == "runs" else studio.datasets).delete(picked)
    updates = {**refresh(studio, view, shell, None, None, None)}
    if kind == "runs" and run_id == picked:
        updates[shell.run_id] = studio.current_run()
    if kind == "data" and dataset_id == picked:
        updates[shell.dataset_id] = studio.current_dataset(None)
    return updates


def leave_it(studio: Studio, view: View, shell: Shell, kind: str, picked: str | None) -> dict[Any, Any]:
    """Close the questions; nothing changes."""
    return shown(studio, view, kind, picked)


def make_zip(studio: Studio, view: View, shell: Shell, picked: str | None) -> dict[Any, Any]:
    """Write the adapter's zip and offer it; the page saves it right away."""
    from studio.export.adapter import adapter_zip  # noqa: PLC0415 - the page paints before the export is needed

    known(studio, "runs", picked)
    config = studio.runs.config(picked)
    try:
        dataset = studio.datasets.get(config.data.dataset_id)
    except StudioError:
        dataset = None  # deleted since: the zip names its hash only
    base = studio.catalog.get(config.model.base_model)
    folder = studio.catalog.folder(base.id) if base.ready else None
    made = adapter_zip(studio.runs.folder(picked), base, folder, dataset)
    served = copy_to_serve(studio, picked, made)
    label = f"Save {served.name}, {gib(served.stat().st_size)}"
    return {view.make_zip: gr.update(visible=False), view.zip: gr.update(value=str(served), label=label, visible=True)}


def copy_to_serve(studio: Studio, run_id: str, path: Path) -> Path:
    """A copy below uploads/, the only folder that is served; the one made before is replaced."""
    folder = studio.workspace.root / "uploads" / f"adapter-{slug(run_id)}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return Path(shutil.copyfile(path, folder / path.name))


# ---- the two kinds


@dataclass(frozen=True)
class Kind:
    """What differs between the two shelves."""

    store: Callable[[Studio], Any]
    ids: Callable[[Studio], list[str]]
    table: Callable[[Studio, str | None], Any]
    name: Callable[[Studio, str], str]
    lost: Callable[[Studio, str], str]
    busy: Callable[[Studio, str], str]


def run_busy(studio: Studio, run_id: str) -> str:
    """Why a run cannot be deleted now; empty when it can."""
    return "It is training." if studio.runs.status(run_id).live else ""


def dataset_busy(studio: Studio, dataset_id: str) -> str:
    """Why a data set cannot be deleted now; empty when it can."""
    turns = studio.runs.turns()
    if turns.live and studio.dataset_of(turns.live) == dataset_id:
        return "The run that trains now learns from it."
    waits = any(studio.dataset_of(run_id) == dataset_id for run_id in turns.waiting)
    return "A run in the queue is to learn from it." if waits else ""


KINDS = {
    "runs": Kind(
        store=lambda studio: studio.runs,
        ids=lambda studio: studio.runs.ids(),
        table=library_parts.runs_table,
        name=library_parts.run_name,
        lost=library_parts.lost_with_run,
        busy=run_busy,
    ),
    "data": Kind(
        store=lambda studio: studio.datasets,
        ids=lambda studio: studio.datasets.ids(),
        table=library_parts.datasets_table,
        name=lambda studio, item: studio.datasets.get(item).name,
        lost=library_parts.lost_with_dataset,
        busy=dataset_busy,
    ),
}


def known(studio: Studio, kind: str, picked: Any) -> None:
    """Raise NotFound unless the picked one exists."""
    if not isinstance(picked, str) or picked not in KINDS[kind].ids(studio):
        raise NotFound("That does not exist any more.", "It was deleted, maybe in another window.", "Pick another one.")


def refuse_busy(studio: Studio, kind: str, picked: str) -> None:
    """Raise Busy when something uses it."""
    if why := KINDS[kind].busy(studio, picked):
        raise Busy("It was not deleted.", why, "Stop that run first, or wait until it is done.")
