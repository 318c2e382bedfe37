"""From a question on the page to streamed answers: checks what a form sent, asks the engine, and can be stopped."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from studio.errors import Busy, NotFound, StudioError
from studio.ui import chat_parts, conversation
from studio.ui import words_runs as words

if TYPE_CHECKING:
    from studio.inference.engine import Answer, ChatEngine
    from studio.ui.studio import Studio

TEMPERATURES = (0.0, 2.0)
LENGTHS = (8, 1024)  # tokens
LONGEST_SYSTEM = 2000  # characters, as DataConfig.system_prompt


@dataclass(frozen=True)
class Question:
    """What the page sends with a question; nothing of it is trusted."""

    message: Any
    turns: Any
    writing: Any
    mode: Any
    run_id: Any
    temperature: Any
    length: Any
    system: Any

    def checked(self, studio: Studio) -> tuple[list[dict[str, Any]], tuple[str, ...], dict[str, Any]]:
        """(the turns with the new one last, the sides that answer, options for the engine), or a StudioError."""
        if not self.run_id or studio.runs.adapter(self.run_id) is None:
            why, fix = "It was deleted, or it never learned enough to be kept.", "Pick another one."
            raise NotFound("This model cannot be asked any more.", why, fix)
        turns = conversation.known_turns(self.turns, self.run_id)
        text = conversation.checked_message(self.message, turns)
        options = self.options()
        if held := chat_parts.held_by(studio):
            raise Busy("Nothing was sent.", f"{held.who} holds this computer.", "Wait until it is done, or stop it.", held.who)
        sides = conversation.SIDES.get(self.mode, conversation.SIDES[words.BOTH])
        note = words.WRITING if studio.engine.opened == self.run_id else words.LOADING
        return [*turns, conversation.new_turn(self.run_id, text, sides, note)], sides, options

    def options(self) -> dict[str, Any]:
        """What goes to the engine beside the messages. Raises StudioError on what the form cannot hold."""
        if not isinstance(self.system, str) or len(self.system) > LONGEST_SYSTEM:
            why = f"“{words.SYSTEM}” may have at most {LONGEST_SYSTEM} characters."
            raise StudioError("Nothing was sent.", why, "Shorten it.")
        return {
            "temperature": conversation.checked_number(self.temperature, words.TEMPERATURE, *TEMPERATURES),
            "max_new_tokens": conversation.checked_number(self.length, words.LENGTH, *LENGTHS, whole=True),
            "system_prompt": conversation.clean(self.system),
        }


def answers(
    engine: ChatEngine,
    turns: list[dict[str, Any]],
    sides: tuple[str, ...],
    cancel: threading.Event,
    options: dict[str, Any],
) -> Iterator[None]:
    """Open the engine and fill the newest turn with what comes from it; yields after every change."""
    turn = turns[-1]
    engine.open(turn["run"])
    for side in sides:
        turn["answers"][side]["note"] = words.WAITS_TURN
    for group, messages in together(turns, sides):
        for side in group:
            turn["answers"][side]["note"] = words.WRITING
        yield
        for found in engine.stream(messages, sides=group, cancel=cancel, run_id=turn["run"], **options):
            for side, answer in found.items():
                note = ending(answer) if answer.done else words.WRITING
                turn["answers"][side] |= {"text": conversation.clean(answer.text), "done": answer.done, "note": note}
            yield
        if cancel.is_set():
            break
    conversation.end_turn(turn, words.CUT)


def ending(answer: Answer) -> str:
    """The line below an answer that ended: why, when it did not end by itself, and how fast it was."""
    why = {"cancelled": words.CUT, "length": words.REACHED_LENGTH}.get(answer.ended, "")
    return f"{why} {conversation.speed(answer.tokens_per_second, answer.first_token_seconds)}".strip()


def together(turns: list[dict[str, Any]], sides: tuple[str, ...]) -> list[tuple[tuple[str, ...], list[dict[str, str]]]]:
    """Sides that have the same history are answered in one go, the others one after the other."""
    histories = {side: conversation.history(turns, side) for side in sides}
    if len({repr(item) for item in histories.values()}) == 1:
        return [(sides, histories[sides[0]])]
    return [((side,), histories[side]) for side in sides]


class Answering:
    """The answers being written now, by an id that a page may hold: lets its Stop button reach the generating thread."""

    def __init__(self) -> None:
        self._gate = threading.Lock()
        self._running: dict[str, threading.Event] = {}

    def start(self, key: str) -> threading.Event:
        """Note a new answer. Its event ends it."""
        with self._gate:
            self._running[key] = threading.Event()
            return self._running[key]

    def active(self, key: str | None) -> bool:
        """Whether this answer is still being written."""
        return isinstance(key, str) and key in self._running

    def stop(self, key: str | None) -> None:
        """End an answer; nothing happens when it ended already."""
        with self._gate:
            if isinstance(key, str) and key in self._running:
                self._running[key].set()

    def end(self, key: str) -> None:
        """Forget an answer that is complete, and end its generation if it was left early."""
        self.stop(key)
        with self._gate:
            self._running.pop(key, None)
