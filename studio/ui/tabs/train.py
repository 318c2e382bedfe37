"""3 Train: whether it runs, how far it is, what it learned so far. Everything shown comes from the run folder."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import gradio as gr

from studio.errors import NotFound
from studio.records import RESUMABLE_STATES, RunStatus
from studio.ui import charts, pieces, queue_parts, run_parts, telling
from studio.ui import words_runs as words
from studio.ui.guard import Wiring, in_turn

if TYPE_CHECKING:
    from studio.runs import Turns
    from studio.ui.app import Shell
    from studio.ui.studio import Studio

LOG_CHARACTERS = 6000
ENDING = {"pause": "pausing", "keep": "stopping", "discard": "stopping"}  # shown from the press on, before the trainer says so

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
    go_on: gr.Button
    pause: gr.Button
    stop: gr.Button
    leave: gr.Button
    show_live: gr.Button
    discard: gr.Button
    asking: gr.Column
    lost: gr.HTML
    keep: gr.Button
    really: gr.Button
    doomed: gr.State
    queue: gr.Column
    queue_head: gr.HTML
    queue_list: gr.HTML
    queue_start: gr.Button
    curve_card: gr.Column
    curve: gr.HTML
    says: gr.HTML
    asked: gr.HTML
    side: gr.HTML
    log: gr.HTML
    next_note: gr.HTML
    next: gr.Button
    seen: gr.JSON


def build() -> View:
    """Lay the tab out."""
    made: dict[str, Any] = {
        "purpose": pieces.html(pieces.purpose(words.TRAIN_PURPOSE)),
        "notice": pieces.notice_area(),
        "empty": pieces.html(run_parts.empty_card(), visible=False),
    }
    with pieces.split(visible=False) as made["page"]:
        with pieces.work():
            made["failure"] = pieces.html("", visible=False)
            with pieces.card():
                made["status"] = pieces.html("")
                act_on_it(made)
            made |= queue_parts.lay_out()
            with pieces.card() as made["curve_card"]:
                pieces.html(pieces.head(words.CURVE_TITLE, words.CURVE_NOTE))
                made["curve"] = charts.curve()
                made["says"] = pieces.html("", js_on_load=pieces.UNFOLDED_JS)
            with pieces.card():
                pieces.html(pieces.head(words.ASKED_TITLE, words.ASKED_NOTE))
                made["asked"] = pieces.html("")
        with pieces.side():
            made["side"] = pieces.html("")
            made["log"] = gr.HTML("", html_template=LOG_TEMPLATE, js_on_load=LOG_JS, apply_default_css=False, padding=False)
    made["next_note"], made["next"] = pieces.next_step(words.NEXT_TRAIN, words.NEXT_TRAIN_NOTE, enabled=False)
    return View(**made, doomed=gr.State(None), seen=pieces.held({}))


def act_on_it(made: dict[str, Any]) -> None:
    """The buttons for the run, and the question before it is discarded."""
    with pieces.buttons():
        made["go_on"] = gr.Button(words.START_AGAIN, size="sm", visible=False)
        made["pause"] = gr.Button(words.PAUSE, size="sm", visible=False)
        made["stop"] = gr.Button(words.STOP, size="sm", visible=False)
        made["leave"] = gr.Button(words.LEAVE_QUEUE, size="sm", visible=False)
        made["show_live"] = gr.Button(words.SHOW_LIVE, size="sm", visible=False)
        made["discard"] = gr.Button(words.DISCARD, size="sm", elem_classes="danger", visible=False)
    with gr.Column(visible=False, elem_classes="ask") as made["asking"]:
        made["lost"] = pieces.html("")
        with pieces.buttons():
            made["keep"] = gr.Button(words.KEEP_RUN, size="sm")
            made["really"] = gr.Button(words.REALLY_DISCARD, size="sm", elem_classes="danger")


def connect(studio: Studio, view: View, shell: Shell) -> None:
    """Wire the tab. The page's one timer looks once a second, also for runs that were started elsewhere."""
    on = Wiring(studio, view, shell)
    on(view.pause.click, pause, [shell.run_id], queue=False)
    on(view.stop.click, stop, [shell.run_id], queue=False)
    on(view.go_on.click, go_on, [shell.run_id])
    on(view.leave.click, leave, [shell.run_id])
    on(view.discard.click, ask_discard, [shell.run_id], queue=False)
    on(view.keep.click, keep, queue=False)
    on(shell.run_id.change, keep, [shell.run_id, view.doomed], queue=False, keep_notice=True)
    on(view.really.click, discard, [view.doomed])
    on(view.queue_list.select, reorder, [shell.run_id], event=True, **in_turn("train"))
    on(view.queue_start.click, start_next)
    on(view.show_live.click, show_live)
    on(view.next.click, chat_with, [shell.run_id])
    moving = [getattr(view, name) for name in PARTS] + [view.seen, shell.run_id]
    quick = {"outputs": moving, "queue": False, "keep_notice": True, "trigger_mode": "always_last"}
    on(shell.pulse.beat_train, tick, [shell.run_id, view.seen], **quick)


PARTS = (
    *("purpose", "empty", "page", "failure", "status", "go_on", "pause", "stop", "leave", "show_live", "discard", "queue"),
    *("queue_head", "queue_list", "queue_start", "curve_card", "curve", "says", "asked", "side", "log", "next_note", "next"),
)


# ---- handlers


def refresh(
    studio: Studio, view: View, shell: Shell, dataset_id: str | None, model_id: str | None, run_id: str | None
) -> dict[Any, Any]:
    """Everything on the tab, for the run that is selected."""
    return shown(studio, view, shell, run_id)


def tick(studio: Studio, view: View, shell: Shell, run_id: str | None, seen: dict[str, str]) -> dict[Any, Any]:
    """What changed since the page last looked; usually nothing or a few lines."""
    seen = seen if isinstance(seen, dict) else {}
    try:
        if seen.get("stamp") == stamp(studio, run_id):
            return {}
    except NotFound:
        seen = {}
    return shown(studio, view, shell, run_id, seen)


def shown(studio: Studio, view: View, shell: Shell, run_id: str | None, seen: dict[str, str] | None = None) -> dict[Any, Any]:
    """What of the run's tab the page does not have yet. When the run was deleted, the one that trains or is next is selected."""
    try:
        return changed(view, parts(studio, run_id), seen or {})
    except NotFound:
        turns = studio.runs.turns()
        return {shell.run_id: next(filter(None, (turns.live, *turns.waiting)), None) or studio.current_run()}


def pause(studio: Studio, view: View, shell: Shell, run_id: str | None) -> dict[Any, Any]:
    """Ask the run to give the computer back for a while."""
    if run_id:
        studio.jobs.stop(run_id, "pause")
    return shown(studio, view, shell, run_id)


def stop(studio: Studio, view: View, shell: Shell, run_id: str | None) -> dict[Any, Any]:
    """Ask the run to stop and keep what it learned."""
    if run_id:
        studio.jobs.stop(run_id)
    return shown(studio, view, shell, run_id)


def ask_discard(studio: Studio, view: View, shell: Shell, run_id: str | None) -> dict[Any, Any]:
    """Say what would be lost, and ask once more."""
    if not run_id:
        return {}
    return {view.lost: pieces.show(run_parts.lost(studio, run_id)), view.asking: gr.update(visible=True), view.doomed: run_id}


def keep(studio: Studio, view: View, shell: Shell, run_id: str | None = None, doomed: str | None = None) -> dict[Any, Any]:
    """Close the question. When the page turns to the very run it is about (it was asked before the page knew), it stays."""
    return {} if doomed and doomed == run_id else {view.asking: gr.update(visible=False), view.doomed: None}


def discard(studio: Studio, view: View, shell: Shell, doomed: str | None) -> dict[Any, Any]:
    """Delete the run that was asked about; a live one stops first."""
    if not doomed:
        return {}
    if studio.engine.opened == doomed:
        studio.engine.close()
    studio.jobs.discard(doomed)
    return {**shown(studio, view, shell, doomed), **keep(studio, view, shell)}


def leave(studio: Studio, view: View, shell: Shell, run_id: str | None) -> dict[Any, Any]:
    """Take the run that is shown out of the queue."""
    if run_id:
        studio.jobs.cancel(run_id)
    return shown(studio, view, shell, run_id)


def reorder(studio: Studio, view: View, shell: Shell, event: gr.EventData, run_id: str | None) -> dict[Any, Any]:
    """A button in the list of waiting runs: up, down or out."""
    pressed, act = str(getattr(event, "id", "")), str(getattr(event, "act", ""))
    if act in ("up", "down"):
        studio.jobs.move(pressed, -1 if act == "up" else 1)
    elif act == "out":
        studio.jobs.cancel(pressed)
    return shown(studio, view, shell, run_id)


def start_next(studio: Studio, view: View, shell: Shell) -> dict[Any, Any]:
    """Start the next waiting run, and look at it."""
    started = studio.jobs.start_next()
    return {**shown(studio, view, shell, started), shell.run_id: started} if started else {}


def go_on(studio: Studio, view: View, shell: Shell, run_id: str | None) -> dict[Any, Any]:
    """Resume the run from its newest save."""
    if run_id:
        studio.jobs.resume(run_id)
    return shown(studio, view, shell, run_id)


def show_live(studio: Studio, view: View, shell: Shell) -> dict[Any, Any]:
    """Turn to the run that trains now, when another one is being looked at."""
    live = studio.jobs.running()
    return {**shown(studio, view, shell, live), shell.run_id: live} if live else {}


def chat_with(studio: Studio, view: View, shell: Shell, run_id: str | None) -> dict[Any, Any]:
    """Open the chat with this run."""
    return {shell.run_id: run_id, **shell.go("chat")}


# ---- what is shown


def stamp(studio: Studio, run_id: str | None, status: RunStatus | None = None, turns: Turns | None = None) -> str:
    """A short text that changes whenever the page of this run would. `status` and `turns`: those shown, where known."""
    if not run_id:
        return f"none {studio.jobs.running()}"
    status, turns = status or studio.runs.status(run_id), turns or studio.runs.turns()
    folder = studio.runs.folder(run_id)
    paths = [folder / name for name in ("config.json", "metrics.jsonl", "samples.jsonl", "run.log", "stop.json")]
    sizes = [path.stat().st_size if path.exists() else -1 for path in paths]
    quiet = int((telling.silence(status) or 0) // telling.SILENT_AFTER)
    return repr((run_id, turns, status.state, status.updated_at, sizes, quiet))


def changed(view: View, now: dict[str, Any], seen: dict[str, str]) -> dict[Any, Any]:
    """The updates for the parts that differ from what the page has, and the new note of what it has."""
    marks = {name: hashlib.sha256(repr(value).encode()).hexdigest()[:12] for name, value in now.items() if name != "stamp"}
    updates = {getattr(view, name): now[name] for name, mark in marks.items() if seen.get(name) != mark}
    return {**updates, view.seen: {**marks, "stamp": now["stamp"]}}


def parts(studio: Studio, run_id: str | None) -> dict[str, Any]:
    """An update for every part of the tab, by the name of its field in View, and the stamp they belong to."""
    if not run_id:
        return nothing()
    runs = studio.runs
    status, turns = runs.status(run_id), runs.turns()
    now = stamp(studio, run_id, status, turns)  # before reading more: what is written meanwhile is shown at the next tick
    config, metrics, samples = runs.config(run_id), runs.metrics(run_id), runs.samples(run_id)
    saved, adapter = max(runs.saved_steps(run_id), default=None), runs.adapter(run_id) is not None
    live = None if status.live else turns.live
    asked = runs.stop_requested(run_id) if status.live else ""
    if asked:
        status = replace(status, state=ENDING[asked], detail=words.DISCARD_NOW if asked == "discard" else status.detail)
    drawn = charts.payload(metrics, status)
    note, button, usable = run_parts.next_step(status, adapter=adapter, queue=bool(turns.waiting))
    purpose = words.DISCARD_LIVE if asked == "discard" else telling.purpose(status, saved, free=live is None)
    return {
        "stamp": now,
        "purpose": pieces.show(pieces.purpose(purpose)),
        "empty": gr.update(visible=False),
        "page": gr.update(visible=True),
        "failure": pieces.show(run_parts.failure(status, saved), visible=bool(status.error) and not status.live),
        "status": pieces.show(run_parts.progress(status)),
        **buttons(status, asked, live, saved, adapter=adapter),
        **queue_parts.parts(studio, turns),
        "curve_card": gr.update(visible=bool(drawn["points"] or drawn["validation"])),
        "curve": gr.update(value=drawn),
        "says": pieces.show(run_parts.says(status, metrics) + run_parts.adapter_used(studio, run_id, status)),
        "asked": pieces.show(run_parts.asked(samples, status)),
        "side": pieces.show(run_parts.about(studio, run_id, config, status, saved, metrics)),
        "log": gr.update(value=runs.log(run_id)[-LOG_CHARACTERS:]),
        "next_note": pieces.next_note(note),
        "next": gr.update(value=button, interactive=usable),
    }


def buttons(status: RunStatus, asked: str, live: str | None, saved: int | None, *, adapter: bool) -> dict[str, Any]:
    """What can be done with the run. `asked`: how it was asked to stop; `live`: another run that trains."""
    paused, ended_badly = status.state == "paused", status.state in ("failed", "interrupted") and not adapter
    again = words.GO_ON.format(step=saved) if saved else words.START_AGAIN
    return {
        "go_on": gr.update(
            value=words.GO_ON_LATER if live else again,
            visible=status.state in RESUMABLE_STATES,
            variant="primary" if (paused or ended_badly) and not live else "secondary",
        ),
        "pause": gr.update(value=words.PAUSING if asked == "pause" else words.PAUSE, visible=status.live, interactive=not asked),
        "stop": gr.update(
            value=words.STOPPING if asked == "keep" else words.STOP,
            visible=status.live and asked != "discard",
            interactive=asked in ("", "pause"),
        ),
        "leave": gr.update(visible=status.waiting),
        "show_live": gr.update(visible=bool(live)),
        "discard": gr.update(
            value=words.DISCARDING if asked == "discard" else words.DISCARD if status.live else words.DISCARD_PAUSED,
            visible=status.live or paused,
            interactive=asked != "discard",
        ),
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
