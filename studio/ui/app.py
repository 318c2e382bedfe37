"""The shell of the page: header, tabs, what is selected, and what happens when it opens or a second passes."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import Any

import gradio as gr

from studio.errors import StudioError
from studio.models.hardware import hardware
from studio.records import RunStatus
from studio.ui import pieces, words
from studio.ui.guard import Wiring, components, in_turn
from studio.ui.pulse import heartbeat
from studio.ui.studio import Studio
from studio.ui.tabs import chat, data, library, model, train
from studio.ui.telling import percent

TABS = {"data": data, "model": model, "train": train, "chat": chat, "library": library}
# Opening a tab refreshes it. These show an id that can change while they are open.
SHOWN_WHILE_OPEN = {"data": "dataset_id", "train": "run_id", "chat": "run_id"}
KEEP_UPLOADS = (3600, 6 * 3600)  # seconds: how often is looked, and how old a temporary file may get
ADVANCED_JS = "(value) => { window.studio.advanced(value === 'Advanced'); }"
REMEMBERED_JS = "() => window.studio.remembered()"


@dataclass(frozen=True)
class Shell:
    """What all tabs share. States hold ids only (None: nothing chosen; `dataset_id` begins as "": not looked up yet)."""

    notice: gr.HTML
    tabs: gr.Tabs
    panes: dict[str, gr.Tab]
    dataset_id: gr.State
    model_id: gr.State
    run_id: gr.State
    labels: gr.JSON
    advanced: gr.Radio
    pulse: gr.HTML

    def go(self, tab: str) -> dict[Any, Any]:
        """The update that opens another tab: merge it into a handler's result."""
        return {self.tabs: gr.update(selected=tab)}


@dataclass(frozen=True)
class Page:
    """The whole page: for launching it, and for tests that look inside."""

    demo: gr.Blocks
    shell: Shell
    views: dict[str, Any]


def build(studio: Studio) -> gr.Blocks:
    """The page, ready to launch."""
    return assemble(studio).demo


def assemble(studio: Studio) -> Page:
    """Lay the page out, then wire it.

    Each tab module has `build() -> View`, `connect(studio, view, shell)` and `refresh(studio, view, shell, dataset_id,
    model_id, run_id)`, which is called when its tab is opened, and see SHOWN_WHILE_OPEN. A tab without `refresh` draws itself.
    Each event costs the browser, for every input it ever had, a walk through the page, also in tabs that nobody sees.
    """
    with gr.Blocks(title=words.TITLE, analytics_enabled=False, delete_cache=KEEP_UPLOADS, fill_width=True) as demo:
        with gr.Row(elem_classes="top"):
            pieces.html(pieces.brand(words.TITLE, words.HERE.format(hardware=hardware().sentence())))
            advanced = gr.Radio(
                [words.SIMPLE, words.ADVANCED],
                value=words.SIMPLE,
                label=words.HOW_MUCH,
                show_label=False,
                elem_classes="seg",
                interactive=True,
            )
        notice = pieces.notice_area()
        views, panes = {}, {}
        with gr.Tabs(overflow_behavior="wrap", selected="data", elem_id="steps") as tabs:
            for key, module in TABS.items():
                with gr.Tab(words.TAB_LABELS[key], id=key, elem_id=f"pane-{key}") as pane:
                    views[key] = module.build()
                panes[key] = pane
        shell = Shell(
            notice=notice,
            tabs=tabs,
            panes=panes,
            dataset_id=gr.State(""),
            model_id=gr.State("starter"),
            run_id=gr.State(None),
            labels=pieces.held([]),
            advanced=advanced,
            pulse=heartbeat(studio),
        )
        connect(demo, studio, shell, views)
    demo.queue(max_size=64, default_concurrency_limit=4, api_open=False)
    return Page(demo, shell, views)


def connect(demo: gr.Blocks, studio: Studio, shell: Shell, views: dict[str, Any]) -> None:
    """Wire the shell, then each tab."""
    on = Wiring(studio, shell, shell)
    ids = [shell.dataset_id, shell.model_id, shell.run_id]
    demo.load(None, None, [shell.advanced], js=REMEMBERED_JS, show_progress="hidden")
    shell.advanced.change(None, [shell.advanced], None, js=ADVANCED_JS, show_progress="hidden", api_visibility="private")
    on(demo.load, choose_current, outputs=ids)  # changes dataset_id at least, from "" to an id or None, so the Data tab refreshes
    marked = [*shell.panes.values(), shell.labels]
    for trigger in (shell.pulse.beat_tabs, shell.dataset_id.change, shell.run_id.change):
        # always_last, here and in the tabs: a beat during a slow look must not be lost, or what that look saw would stay
        quick = {"queue": False, "keep_notice": True, "trigger_mode": "always_last"}
        on(trigger, tick, [*ids, shell.labels], outputs=marked, **quick)
    for key, module in TABS.items():
        tab = Wiring(studio, views[key], shell)
        about = {"keep_notice": True, **in_turn(key)}
        known = [*ids, *getattr(views[key], "chosen", ())]
        shown = [*components(views[key]), *ids]
        if refresh := getattr(module, "refresh", None):
            tab(shell.panes[key].select, refresh, known, outputs=shown, **about)
        if name := SHOWN_WHILE_OPEN.get(key):
            tab(getattr(shell, name).change, refresh, known, outputs=shown, trigger_mode="always_last", **about)
        module.connect(studio, views[key], shell)


# ---- handlers


def choose_current(studio: Studio, view: Shell, shell: Shell) -> dict[Any, Any]:
    """What is selected when the page opens: the live run with its own data and model, else the newest."""
    run_id = studio.current_run()
    model_id = "starter"
    if run_id:
        try:
            chosen = studio.runs.config(run_id).model.base_model
            studio.catalog.get(chosen)
            model_id = chosen
        except StudioError:
            model_id = "starter"  # the run's model was removed since
    studio.warm()
    # an open draft is shown after a reload, so that nothing unsaved is hidden behind a saved set
    dataset_id = None if studio.drafts.newest() and not studio.live() else studio.current_dataset(run_id)
    return {shell.run_id: run_id, shell.dataset_id: dataset_id, shell.model_id: model_id}


def tick(
    studio: Studio, view: Shell, shell: Shell, dataset_id: str | None, model_id: str, run_id: str | None, shown: Any
) -> dict[Any, Any]:
    """Bring the marks on the tabs up to date; nothing is sent while they stay the same."""
    labels = tab_labels(studio, dataset_id, run_id)
    if tuple(shown or ()) == tuple(labels.values()):
        return {}
    changes: dict[Any, Any] = {shell.panes[key]: gr.update(label=label) for key, label in labels.items()}
    return {**changes, shell.labels: list(labels.values())}


def tab_labels(studio: Studio, dataset_id: str | None, run_id: str | None) -> dict[str, str]:
    """Name and mark of each tab: ✓ done, 52 % running, ! needs you, nothing while not begun."""
    labels = dict(words.TAB_LABELS)
    if dataset_id in studio.datasets.ids():
        labels["data"] += " ✓"
    shown = studio.live() or run_id
    if shown:
        with contextlib.suppress(StudioError):  # it was deleted since
            labels["train"] += f" {train_mark(studio.runs.status(shown))}"
            labels["model"] += " ✓"
    return labels


def train_mark(status: RunStatus) -> str:
    """A percentage while it runs, ! when it needs somebody, ✓ when something was learned; paused and waiting are words."""
    if status.live:
        return f"{percent(status)} %"
    if status.waiting or status.state == "paused":
        return "!" if status.error else "waiting" if status.waiting else "paused"
    return "!" if status.state in {"failed", "interrupted"} else "✓"
