"""3 Train: whether it runs, how far it is, what it learned so far. Everything shown comes from the run folder."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import gradio as gr

from studio.ui import charts, pieces, run_parts, telling
from studio.ui import words_runs as words
from studio.ui.guard import Wiring

if TYPE_CHECKING:
    from studio.ui.app import Shell
    from studio.ui.studio import Studio

LOG_CHARACTERS = 6000

LOG_TEMPLATE = (
    f'<details class="quiet"><summary>{words.SHOW_LOG}</summary>'
    '<pre class="log" tabindex="0" role="region" aria-label="The end of run.log"></pre></details>'
)
# textContent, so that what a library writes into the log can never become markup; an open log stays open and at its end
LOG_JS = f"""
const pre = element.querySelector('pre');
const fill = () => {{
  const end = pre.scrollTop + pre.clientHeight >= pre.scrollHeight - 8;
  pre.textContent = props.value || {words.NO_LOG!r};
  if (end) pre.scrollTop = pre.scrollHeight;
}};
watch('value', fill);
element.querySelector('details').addEventListener('toggle', () => {{ pre.scrollTop = pre.scrollHeight; }});
fill();
"""


@dataclass(frozen=True)
class View:
    """The parts of the Train tab."""

    purpose: gr.HTML
    notice: gr.HTML
    empty: gr.HTML
    page: gr.Row
    failure: gr.HTML
    status: gr.HTML
    stop: gr.Button
    go_on: gr.Button
    show_live: gr.Button
    curve_card: gr.Column
    curve: gr.HTML
    says: gr.HTML
    asked: gr.HTML
    side: gr.HTML
    log: gr.HTML
    next_note: gr.HTML
    next: gr.Button
    seen: gr.State


def build() -> View:
    """Lay the tab out."""
    purpose = pieces.html(pieces.purpose(words.TRAIN_PURPOSE))
    notice = pieces.notice_area()
    empty = pieces.html(run_parts.empty_card(), visible=False)
    with pieces.split(visible=False) as page:
        with pieces.work():
            failure = pieces.html("", visible=False)
            with pieces.card():
                status = pieces.html("")
                with pieces.buttons():
                    stop = gr.Button(words.STOP, size="sm", visible=False)
                    go_on = gr.Button(words.START_AGAIN, size="sm", visible=False)
                    show_live = gr.Button(words.SHOW_LIVE, size="sm", visible=False)
            with pieces.card() as curve_card:
                pieces.html(pieces.head(words.CURVE_TITLE, words.CURVE_NOTE))
                curve = charts.curve()
                says = pieces.html("")
            with pieces.card():
                pieces.html(pieces.head(words.ASKED_TITLE, words.ASKED_NOTE))
                asked = pieces.html("")
        with pieces.side():
            side = pieces.html("")
            log = gr.HTML("", html_template=LOG_TEMPLATE, js_on_load=LOG_JS, apply_default_css=False, padding=False)
    next_note, next_button = pieces.next_step(words.NEXT_TRAIN, words.NEXT_TRAIN_NOTE, enabled=False)
    return View(
        purpose=purpose,
        notice=notice,
        empty=empty,
        page=page,
        failure=failure,
        status=status,
        stop=stop,
        go_on=go_on,
        show_live=show_live,
        curve_card=curve_card,
        curve=curve,
        says=says,
        asked=asked,
        side=side,
        log=log,
        next_note=next_note,
        next=next_button,
        seen=gr.State({}),
    )


def connect(studio: Studio, view: View, shell: Shell) -> None:
    """Wire the tab. The page's one timer looks once a second, also for runs that were started elsewhere."""
    on = Wiring(studio, view, shell)
    on(view.stop.click, stop, [shell.run_id], queue=False)
    on(view.go_on.click, go_on, [shell.run_id])
    on(view.show_live.click, show_live)
    on(view.next.click, chat_with, [shell.run_id])
    moving = [getattr(view, name) for name in PARTS] + [view.seen]
    quick = {"outputs": moving, "queue": False, "keep_notice": True}
    on(shell.pulse.beat, tick, [shell.run_id, view.seen], **quick)


PARTS = (
    *("purpose", "empty", "page", "failure", "status", "stop", "go_on", "show_live", "curve_card", "curve", "says", "asked"),
    *("side", "log", "next_note", "next"),
)


# ---- handlers


def refresh(
    studio: Studio, view: View, shell: Shell, dataset_id: str | None, model_id: str | None, run_id: str | None
) -> dict[Any, Any]:
    """Everything on the tab, for the run that is selected."""
    return changed(view, parts(studio, run_id), {})


def tick(studio: Studio, view: View, shell: Shell, run_id: str | None, seen: dict[str, str]) -> dict[Any, Any]:
    """What changed since the page last looked; usually nothing or a few lines."""
    seen = seen if isinstance(seen, dict) else {}
    now = stamp(studio, run_id)
    if seen.get("stamp") == now:
        return {}
    return changed(view, parts(studio, run_id), seen)


def stop(studio: Studio, view: View, shell: Shell, run_id: str | None) -> dict[Any, Any]:
    """Ask the run to stop and keep what it learned."""
    if run_id:
        studio.jobs.stop(run_id)
    return changed(view, parts(studio, run_id), {})


def go_on(studio: Studio, view: View, shell: Shell, run_id: str | None) -> dict[Any, Any]:
    """Resume the run from its newest save."""
    if run_id:
        studio.jobs.resume(run_id)
    return changed(view, parts(studio, run_id), {})


def show_live(studio: Studio, view: View, shell: Shell) -> dict[Any, Any]:
    """Turn to the run that trains now, when another one is being looked at."""
    live = studio.jobs.running()
    return {**changed(view, parts(studio, live), {}), shell.run_id: live} if live else {}


def chat_with(studio: Studio, view: View, shell: Shell, run_id: str | None) -> dict[Any, Any]:
    """Open the chat with this run."""
    return {shell.run_id: run_id, **shell.go("chat")}


# ---- what is shown


def stamp(studio: Studio, run_id: str | None) -> str:
    """A short text that changes whenever the page of this run would; costs a few file look-ups."""
    if not run_id:
        return f"none {studio.jobs.running()}"
    status = studio.runs.status(run_id)
    other = None if status.live else studio.jobs.running()
    folder = studio.runs.folder(run_id)
    sizes = []
    for name in ("config.json", "metrics.jsonl", "samples.jsonl", "run.log", "stop.json"):
        path = folder / name
        sizes.append(path.stat().st_size if path.exists() else -1)
    quiet = int((telling.silence(status) or 0) // telling.SILENT_AFTER)
    return repr((run_id, other, status.state, status.updated_at, sizes, quiet))


def changed(view: View, now: dict[str, Any], seen: dict[str, str]) -> dict[Any, Any]:
    """The updates for the parts that differ from what the page has, and the new note of what it has."""
    marks = {name: hashlib.sha256(repr(value).encode()).hexdigest()[:12] for name, value in now.items() if name != "stamp"}
    updates = {getattr(view, name): now[name] for name, mark in marks.items() if seen.get(name) != mark}
    return {**updates, view.seen: {**marks, "stamp": now["stamp"]}}


def parts(studio: Studio, run_id: str | None) -> dict[str, Any]:
    """An update for every part of the tab, by the name of its field in View, and the stamp they belong to."""
    if not run_id:
        return nothing()
    now = stamp(studio, run_id)  # before reading: what is written meanwhile is shown at the next tick
    runs = studio.runs
    status, config, metrics, samples = runs.status(run_id), runs.config(run_id), runs.metrics(run_id), runs.samples(run_id)
    saved = max(runs.saved_steps(run_id), default=None)
    live = None if status.live else studio.jobs.running()
    adapter = runs.adapter(run_id) is not None
    asked_to_stop = status.live and runs.stop_requested(run_id)
    if asked_to_stop:
        status = replace(status, state="stopping")  # the trainer itself says so only after its step
    drawn = charts.payload(metrics, status)
    note, button, usable = run_parts.next_step(status, adapter=adapter)
    resumable = not status.live and runs.resumable(run_id)
    return {
        "stamp": now,
        "purpose": pieces.show(pieces.purpose(telling.purpose(status, saved))),
        "empty": gr.update(visible=False),
        "page": gr.update(visible=True),
        "failure": pieces.show(run_parts.failure(status, saved), visible=bool(status.error and status.state == "failed")),
        "status": pieces.show(run_parts.progress(status)),
        "stop": gr.update(
            value=words.STOPPING if asked_to_stop else words.STOP, interactive=not asked_to_stop, visible=status.live
        ),
        "go_on": gr.update(
            value=words.GO_ON.format(step=saved) if saved else words.START_AGAIN,
            visible=resumable,
            interactive=live is None,
            variant="primary" if status.state in ("failed", "interrupted") and not adapter else "secondary",
        ),
        "show_live": gr.update(visible=bool(live) and live != run_id),
        "curve_card": gr.update(visible=bool(drawn["points"] or drawn["validation"])),
        "curve": gr.update(value=drawn),
        "says": pieces.show(run_parts.says(charts.says(drawn))),
        "asked": pieces.show(run_parts.asked(samples, status)),
        "side": pieces.show(run_parts.about(studio, run_id, config, status, saved, metrics)),
        "log": gr.update(value=runs.log(run_id)[-LOG_CHARACTERS:]),
        "next_note": pieces.next_note(note),
        "next": gr.update(value=button, interactive=usable),
    }


def nothing() -> dict[str, Any]:
    """The tab before the first run."""
    return {
        "stamp": "none",
        "purpose": pieces.show(pieces.purpose(telling.purpose(None))),
        "empty": gr.update(visible=True),
        "page": gr.update(visible=False),
        "next_note": pieces.next_note(words.NEXT_TRAIN_NOTE),
        "next": gr.update(value=words.NEXT_TRAIN, interactive=False),
    }
