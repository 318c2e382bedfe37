"""4 Chat: ask the tuned model and its base the same thing. The engine is opened by the first question."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import gradio as gr

from studio.errors import StudioError
from studio.ui import chat_parts, conversation, pieces
from studio.ui import words_runs as words
from studio.ui.answering import LENGTHS, LONGEST_SYSTEM, TEMPERATURES, Answering, Question, answers
from studio.ui.conversation import SIDES
from studio.ui.guard import Wiring, told

if TYPE_CHECKING:
    from studio.ui.app import Shell
    from studio.ui.studio import Studio

OPEN_SECONDS = 0.2  # the wait before a model is loaded for who asked to wait
FRAME_SECONDS = 0.12  # between two updates of a streamed answer: quick to the eye, little work
DEFAULT_TEMPERATURE, DEFAULT_LENGTH = 0.0, 160
CHIPS = 3


@dataclass(frozen=True)
class View:
    """The parts of the Chat tab. `answering` is no component: it lets Stop reach the thread that writes."""

    purpose: gr.HTML
    notice: gr.HTML
    empty: gr.HTML
    page: gr.Row
    waiting: gr.HTML
    wait_row: gr.Row
    see: gr.Button
    wait: gr.Button
    meanwhile: gr.HTML
    who: gr.Dropdown
    mode: gr.Radio
    talk: gr.HTML
    composer: gr.Column
    chips_title: gr.HTML
    chips: list[gr.Button]
    message: gr.Textbox
    over: gr.Button
    stop: gr.Button
    send: gr.Button
    temperature: gr.Slider
    length: gr.Slider
    system: gr.Textbox
    side: gr.HTML
    next_note: gr.HTML
    next: gr.Button
    turns: gr.State
    writing: gr.State
    patient: gr.State
    seen: gr.JSON
    opener: gr.Timer
    answering: Answering


def build() -> View:
    """Lay the tab out."""
    made: dict[str, Any] = {
        "purpose": pieces.html(pieces.purpose(words.CHAT_PURPOSE)),
        "notice": pieces.notice_area(),
        "empty": pieces.html(chat_parts.empty_card(), visible=False),
    }
    with pieces.split(visible=False) as made["page"]:
        with pieces.work():
            made["waiting"] = pieces.html("", visible=False)
            with pieces.buttons(visible=False) as made["wait_row"]:
                made["see"] = gr.Button(words.SEE_TRAINING, size="sm")
                made["wait"] = gr.Button(words.WAIT_FOR_IT, size="sm")
            made["meanwhile"] = pieces.html("", visible=False)
            with pieces.card():
                with pieces.pair():
                    made["who"] = gr.Dropdown([], label=words.WHICH_RUN, interactive=True)
                    made["mode"] = gr.Radio(list(SIDES), value=words.BOTH, label=words.WHO, elem_classes="seg", interactive=True)
                made["talk"] = pieces.html(conversation.talk([]), js_on_load=chat_parts.TALK_JS)
            with pieces.card() as made["composer"]:
                composer(made)
            with pieces.card("advanced-only"):
                advanced(made)
        with pieces.side():
            made["side"] = pieces.html("")
    made["next_note"], made["next"] = pieces.next_step(words.NEXT_TRAIN, words.NEXT_TRAIN_NOTE, enabled=False)
    states = {"turns": gr.State([]), "writing": gr.State(None), "patient": gr.State(False), "seen": pieces.held({})}
    return View(**made, **states, opener=gr.Timer(OPEN_SECONDS, active=False), answering=Answering())


def composer(made: dict[str, Any]) -> None:
    """Suggestions, the box to write in, and its buttons."""
    made["chips_title"] = pieces.html("")
    with gr.Row(elem_classes="chips"):
        made["chips"] = [gr.Button("", size="sm", elem_classes="chip", visible=False) for _ in range(CHIPS)]
    made["message"] = gr.Textbox(
        label=words.MESSAGE,
        info=words.KEYS,
        placeholder=words.MESSAGE_HINT,
        lines=1,
        max_lines=8,
        elem_classes="message",
        interactive=True,
    )
    with pieces.buttons("end"):
        made["over"] = gr.Button(words.START_OVER, size="sm")
        made["stop"] = gr.Button(words.STOP_ANSWER, size="sm", visible=False)
        made["send"] = gr.Button(words.SEND_BOTH, variant="primary", size="sm")


def advanced(made: dict[str, Any]) -> None:
    """What only Advanced shows."""
    with pieces.pair():
        made["temperature"] = gr.Slider(
            *TEMPERATURES,
            value=DEFAULT_TEMPERATURE,
            step=0.1,
            label=words.TEMPERATURE,
            info=words.TEMPERATURE_HELP,
            buttons=[],
            interactive=True,
        )
        made["length"] = gr.Slider(
            *LENGTHS, value=DEFAULT_LENGTH, step=8, label=words.LENGTH, info=words.LENGTH_HELP, buttons=[], interactive=True
        )
    made["system"] = gr.Textbox(
        label=words.SYSTEM, info=words.SYSTEM_HELP, lines=2, max_lines=6, max_length=LONGEST_SYSTEM, interactive=True
    )


def connect(studio: Studio, view: View, shell: Shell) -> None:
    """Wire the tab. Answers have their own lane, so that nothing else waits for them."""
    on = Wiring(studio, view, shell)
    about = [view.turns, view.writing, view.mode, shell.run_id, view.temperature, view.length, view.system]
    lane = {"concurrency_id": "answers", "concurrency_limit": 4}
    moving = [view.talk, view.turns, view.writing, view.message, view.stop, view.send, *view.chips]
    on(view.send.click, send, [view.message, *about], outputs=moving, **lane)
    on(view.message.submit, send, [view.message, *about], outputs=moving, **lane)
    for chip in view.chips:
        on(chip.click, send, [chip, *about], outputs=moving, **lane)
    on(view.stop.click, stop, [view.writing], queue=False, outputs=[view.stop])
    on(view.over.click, start_over, [view.writing, view.system, shell.run_id], queue=False)
    on(view.mode.change, choose_mode, [view.mode], queue=False, outputs=[view.send], keep_notice=True)
    on(view.who.input, choose_run, [view.who], queue=False)
    on(shell.run_id.change, other_run, [view.turns, shell.run_id], queue=False, keep_notice=True)
    on(view.see.click, see_training, queue=False)
    on(view.wait.click, wait_for_it, queue=False)
    on(view.next.click, keep_it, queue=False)
    seen = [view.waiting, view.wait_row, view.see, view.wait, view.meanwhile, view.composer, view.who, view.side]
    seen += [view.purpose, view.empty, view.page, view.next_note, view.next, view.seen, view.opener]
    seen += [view.chips_title, *view.chips]
    quick = {"outputs": seen, "queue": False, "keep_notice": True, "trigger_mode": "always_last"}
    on(shell.pulse.beat_chat, look_again, [shell.run_id, view.patient, view.seen], **quick)
    opening = [view.talk, view.patient, view.wait, view.opener]
    on(view.opener.tick, open_now, [view.turns, shell.run_id, view.patient], outputs=opening, keep_notice=True, **lane)


# ---- handlers


def refresh(
    studio: Studio, view: View, shell: Shell, dataset_id: str | None, model_id: str | None, run_id: str | None
) -> dict[Any, Any]:
    """Who can be talked to, and whether the computer is free for it."""
    choices = chat_parts.talkable(studio)
    if not choices:
        return {
            view.purpose: pieces.show(pieces.purpose(words.CHAT_NONE)),
            view.empty: gr.update(visible=True),
            view.page: gr.update(visible=False),
            view.next_note: pieces.next_note(words.NEXT_TRAIN_NOTE),
            view.next: gr.update(value=words.NEXT_TRAIN, interactive=False),
        }
    chosen = run_id if run_id in {item for _, item in choices} else None
    title, questions = chat_parts.suggestions(studio, chosen) if chosen else ("", [])
    chips = {
        chip: gr.update(value=questions[at] if at < len(questions) else "", visible=at < len(questions))
        for at, chip in enumerate(view.chips)
    }
    return {
        view.purpose: pieces.show(pieces.purpose(words.CHAT_PURPOSE)),
        view.empty: gr.update(visible=False),
        view.page: gr.update(visible=True),
        view.who: gr.update(choices=choices, value=chosen),
        view.chips_title: pieces.show(chat_parts.chips_title(title)),
        **chips,
        view.side: pieces.show(chat_parts.who_answers(studio, chosen)),
        **waiting_parts(studio, view),
    }


def waiting_parts(studio: Studio, view: View) -> dict[Any, Any]:
    """The notice of who holds the computer, or the composer when it is free."""
    held = chat_parts.held_by(studio)
    meanwhile = chat_parts.meanwhile(studio, held) if held else ""
    if held:
        note, label, usable = "", chat_parts.opens_at(held), False
    else:
        note, label, usable = words.NEXT_LIBRARY_NOTE, words.NEXT_LIBRARY, True
    return {
        view.waiting: pieces.show(chat_parts.waiting(held) if held else "", visible=bool(held)),
        view.wait_row: gr.update(visible=bool(held)),
        view.see: gr.update(visible=bool(held and held.run_id)),
        view.meanwhile: pieces.show(meanwhile, visible=bool(meanwhile)),
        view.composer: gr.update(visible=not held),
        view.next_note: pieces.next_note(note),
        view.next: gr.update(value=label, interactive=usable),
    }


def send(studio: Studio, view: View, shell: Shell, *values: Any) -> Iterator[dict[Any, Any]]:
    """Ask, and stream the answers until they end or somebody presses Stop. `values` as in `Question`."""
    asked = Question(*values)
    if view.answering.active(asked.writing):
        raise StudioError(words.SAME_TIME, fix=words.SAME_TIME_FIX)
    turns, sides, options = asked.checked(studio)
    key = secrets.token_hex(4)
    cancel = view.answering.start(key)
    try:
        busy = {chip: gr.update(interactive=False) for chip in view.chips}
        yield {**talking(view, turns, writing=True), view.writing: key, view.message: "", **busy}
        shown = time.monotonic()
        for _ in answers(studio.engine, turns, sides, cancel, options):
            if time.monotonic() - shown >= FRAME_SECONDS:
                yield talking(view, turns, writing=True)
                shown = time.monotonic()
        yield {**talking(view, turns, writing=False), **idle(view)}
    except StudioError as error:
        yield {**unanswered(view, turns), view.notice: pieces.show(told(error))}
    except Exception:
        yield unanswered(view, turns)
        raise
    finally:
        view.answering.end(key)


def talking(view: View, turns: list, *, writing: bool) -> dict[Any, Any]:
    """The updates that show a conversation."""
    return {
        view.talk: pieces.show(conversation.talk(turns, writing=writing)),
        view.turns: turns,
        view.stop: gr.update(visible=writing, interactive=writing),
        view.send: gr.update(interactive=not writing),
    }


def idle(view: View) -> dict[Any, Any]:
    """Nothing is being written: the suggestions can be pressed again."""
    return {view.writing: None, **{chip: gr.update(interactive=True) for chip in view.chips}}


def unanswered(view: View, turns: list) -> dict[Any, Any]:
    """After a failure: words that came already stay, a question without any goes back into its box."""
    conversation.end_turn(turns[-1])
    nothing = not any(answer["text"] for answer in turns[-1]["answers"].values())
    kept = turns[:-1] if nothing else turns
    return {**talking(view, kept, writing=False), **idle(view), view.message: turns[-1]["user"] if nothing else ""}


def stop(studio: Studio, view: View, shell: Shell, writing: str | None) -> dict[Any, Any]:
    """End the answer that is being written; what is there stays."""
    view.answering.stop(writing)
    return {view.stop: gr.update(interactive=False)}


def start_over(studio: Studio, view: View, shell: Shell, writing: str | None, system: Any, run_id: str | None) -> dict[Any, Any]:
    """Forget this conversation."""
    view.answering.stop(writing)
    return {view.turns: [], view.talk: pieces.show(conversation.talk([])), view.message: ""}


def choose_mode(studio: Studio, view: View, shell: Shell, mode: str) -> dict[Any, Any]:
    """The button says to whom it sends."""
    return {view.send: gr.update(value=words.SEND_BOTH if mode == words.BOTH else words.SEND)}


def choose_run(studio: Studio, view: View, shell: Shell, run_id: str | None) -> dict[Any, Any]:
    """Another model: it becomes the selected run everywhere."""
    return {shell.run_id: run_id if run_id in studio.runs.ids() else None}


def other_run(studio: Studio, view: View, shell: Shell, turns: Any, run_id: str | None) -> dict[Any, Any]:
    """A conversation belongs to one model; another one starts afresh, told what it was trained with."""
    kept = conversation.known_turns(turns, run_id or "")
    try:
        system = studio.runs.config(run_id).data.system_prompt if run_id else ""
    except StudioError:
        system = ""
    return {view.turns: kept, view.talk: pieces.show(conversation.talk(kept)), view.system: system}


def see_training(studio: Studio, view: View, shell: Shell) -> dict[Any, Any]:
    """Open the Train tab at the run that holds the computer."""
    live = studio.jobs.running()
    return {**({shell.run_id: live} if live else {}), **shell.go("train")}


def wait_for_it(studio: Studio, view: View, shell: Shell) -> dict[Any, Any]:
    """Load the model by itself as soon as the computer is free."""
    return {
        view.wait: gr.update(value=words.WAITING_NOW, interactive=False),
        view.patient: True,
    }


def look_again(studio: Studio, view: View, shell: Shell, run_id: str | None, patient: Any, seen: Any) -> dict[Any, Any]:
    """Once a second: who holds the computer now? Little or nothing is sent while that stays the same."""
    held = chat_parts.held_by(studio)
    who, far = repr((run_id, held and held.key, patient)), repr(held and held.progress)
    before = seen if isinstance(seen, dict) else {}
    if before == {"who": who, "far": far}:
        return {}
    moved = waiting_parts(studio, view) if before.get("who") == who else refresh(studio, view, shell, None, None, run_id)
    found = {**moved, view.seen: {"who": who, "far": far}}
    if patient and not held:
        found[view.opener] = gr.Timer(active=True)
    return found


def open_now(studio: Studio, view: View, shell: Shell, turns: Any, run_id: str | None, patient: Any) -> Iterator[dict[Any, Any]]:
    """Load the model for who asked to wait."""
    asleep = {view.opener: gr.Timer(active=False)}
    over = {**asleep, view.patient: False, view.wait: gr.update(value=words.WAIT_FOR_IT, interactive=True)}
    if not patient or not run_id or studio.runs.adapter(run_id) is None or chat_parts.held_by(studio):
        yield over
        return
    yield {**asleep, view.talk: pieces.show(pieces.small(words.LOADING))}
    try:
        studio.engine.open(run_id)
    except StudioError as error:
        over[view.notice] = pieces.show(told(error))
    yield {**over, view.talk: pieces.show(conversation.talk(conversation.known_turns(turns, run_id)))}


def keep_it(studio: Studio, view: View, shell: Shell) -> dict[Any, Any]:
    """On to the Library, where the adapter can be downloaded."""
    return shell.go("library")
