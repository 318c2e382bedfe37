"""Every handler goes through here: failures become a notice in the tab, never a traceback on the screen."""

from __future__ import annotations

import dataclasses
import functools
import inspect
import logging
import secrets
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import gradio as gr
from gradio.blocks import Block, Blocks

from studio.errors import ConfigError, Stopped, StudioError
from studio.ui import pieces, words

log = logging.getLogger("studio.ui")
# Gradio drops what happens to a control while its handler is at work, unless the event is a change: the last value would be lost.
OF_VALUES = ("input", "release", "blur")


def told(error: BaseException) -> Any:
    """The notice for a failure. What nobody foresaw gets a number; its traceback goes to the log alone."""
    if isinstance(error, ConfigError):
        return pieces.several(error.what, error.faults, error.fix)
    if isinstance(error, StudioError):
        return pieces.notice(error.what, error.why, error.fix)
    number = secrets.token_hex(2)
    log.error("error %s", number, exc_info=error)
    return pieces.notice(words.UNFORESEEN.format(number=number), words.UNFORESEEN_WHY, words.UNFORESEEN_FIX)


def guarded(handler: Callable) -> Callable:
    """Wrap handler(studio, view, shell, *values), which returns {component: update} (or yields several, or None).

    A StudioError fills `view.notice`; the next success clears it, except when the caller passes `keep_notice=True`
    (for what happens by itself, such as a timer). Stopped changes nothing.
    """

    def finish(view: Any, updates: dict | None, keep: bool) -> dict:
        updates = dict(updates or {})
        updates.setdefault(view.notice, gr.skip() if keep else pieces.show(""))
        return updates

    if inspect.isgeneratorfunction(handler):

        @functools.wraps(handler)
        def stream(studio: Any, view: Any, shell: Any, *values: Any, keep_notice: bool = False) -> Iterator[dict]:
            try:
                for updates in handler(studio, view, shell, *values):
                    yield finish(view, updates, keep_notice)
            except Stopped:
                yield finish(view, None, True)
            except Exception as error:  # noqa: BLE001 - this is the one boundary between the core and the screen
                yield {view.notice: pieces.show(told(error))}

        return stream

    @functools.wraps(handler)
    def call(studio: Any, view: Any, shell: Any, *values: Any, keep_notice: bool = False) -> dict:
        try:
            return finish(view, handler(studio, view, shell, *values), keep_notice)
        except Stopped:
            return finish(view, None, True)
        except Exception as error:  # noqa: BLE001 - this is the one boundary between the core and the screen
            return {view.notice: pieces.show(told(error))}

    return call


class Wiring:
    """Binds handlers of one tab to events: `on(view.button.click, handler, [inputs])`.

    A handler takes (studio, view, shell, *values) and returns {component: update} for what it changes. By default every
    component of the view and of the shell may be changed. With `event=True` the handler gets the gr.EventData after shell.

    Nothing is lost while a handler is at work: it runs once more for the newest value of a control, and once for each event
    that says something of its own (`event=True`). Only a button counts once until its handler ends. Where several controls
    share a handler, `any_of(...)` makes them one trigger, so that an older answer never comes after a newer one.
    Of a text box `change` or `blur` is to be used: it tells `input` only with a key that writes a letter, not when something
    is deleted, pasted or dictated.
    """

    def __init__(self, studio: Any, view: Any, shell: Any) -> None:
        self.studio, self.view, self.shell = studio, view, shell
        self.all = components(view) + components(shell)

    def __call__(
        self,
        trigger: Callable,
        handler: Callable,
        inputs: Sequence[Block] = (),
        *,
        outputs: Sequence[Block] | None = None,
        keep_notice: bool = False,
        event: bool = False,
        **about: Any,
    ) -> Any:
        """Attach the guarded handler; `about` goes to Gradio's listener (queue, js, show_progress_on, concurrency_id...)."""
        safe = guarded(handler)
        studio, view, shell = self.studio, self.view, self.shell
        if inspect.isgeneratorfunction(safe):

            def bound(*values: Any) -> Iterator[dict]:
                yield from safe(studio, view, shell, *values, keep_notice=keep_notice)

        elif event:

            def bound(data: gr.EventData, *values: Any) -> dict:
                return safe(studio, view, shell, data, *values, keep_notice=keep_notice)

            bound.__annotations__["data"] = gr.EventData

        else:

            def bound(*values: Any) -> dict:
                return safe(studio, view, shell, *values, keep_notice=keep_notice)

        bound.__name__ = handler.__name__
        targets = self.all if outputs is None else [*outputs, *([] if view.notice in outputs else [view.notice])]
        about.setdefault("show_progress", "full" if "show_progress_on" in about else "hidden")
        about.setdefault("show_progress_on", [])  # else the page tells every output, at every event, that something goes on
        about.setdefault("api_visibility", "private")
        if event:
            about.setdefault("trigger_mode", "multiple")
        elif getattr(trigger, "event_name", "") in OF_VALUES:
            about.setdefault("trigger_mode", "always_last")
        return trigger(bound, list(inputs), targets, **about)


def any_of(*triggers: Callable) -> Callable:
    """One trigger of several. Needs `in_turn`: the page may send two events before it knows that one is on its way."""
    return functools.partial(gr.on, list(triggers), trigger_mode="always_last")


def in_turn(tab: str) -> dict[str, Any]:
    """For handlers that redraw a whole tab: one at a time, in the order they were asked for, so that the last one stands."""
    return {"concurrency_id": f"redraw-{tab}", "concurrency_limit": 1}


def components(owner: Any) -> list[Block]:
    """All Gradio components held by a dataclass, also those inside its dicts, lists, tuples and dataclasses."""
    found: list[Block] = []

    def collect(value: Any) -> None:
        if isinstance(value, Block):
            if not isinstance(value, Blocks) and value not in found:
                found.append(value)
        elif isinstance(value, dict):
            for item in value.values():
                collect(item)
        elif isinstance(value, (list, tuple)):
            for item in value:
                collect(item)
        elif dataclasses.is_dataclass(value):
            for item in dataclasses.fields(value):
                collect(getattr(value, item.name))

    collect(owner)
    return found
