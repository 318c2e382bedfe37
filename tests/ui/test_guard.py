"""Failures become a notice in words; tracebacks stay in the log."""

from __future__ import annotations

import functools
import logging
import re
from dataclasses import dataclass
from typing import Any

import gradio as gr
import pytest

from studio.errors import ConfigError, Stopped, StudioError
from studio.ui.guard import Wiring, components, guarded


@dataclass(frozen=True)
class View:
    notice: Any
    box: Any
    more: Any = ()


@functools.cache
def view() -> View:
    """Built once: handlers only ask which component is which."""
    with gr.Blocks():
        return View(gr.HTML(), gr.Textbox(), {"a": (gr.Number(), [gr.State()])})


def shown(result: dict, of: View) -> str:
    return result[of.notice]["value"]


def test_success_clears_the_notice() -> None:
    of = view()
    result = guarded(lambda studio, view, shell, value: {view.box: value})(None, of, None, "x")
    assert result[of.box] == "x"
    assert shown(result, of) == ""


def test_a_timer_leaves_the_notice_alone() -> None:
    of = view()
    result = guarded(lambda studio, view, shell: None)(None, of, None, keep_notice=True)
    assert "value" not in result[of.notice]


def test_a_handler_may_fill_the_notice_itself() -> None:
    of = view()
    assert guarded(lambda studio, view, shell: {view.notice: "mine"})(None, of, None)[of.notice] == "mine"


def test_what_why_and_what_to_do() -> None:
    of = view()

    def fail(studio: Any, view: View, shell: Any) -> dict:
        raise StudioError("It <b>broke</b>.", "Too hot.", "Cool it.")

    text = shown(guarded(fail)(None, of, None), of)
    assert "It &lt;b&gt;broke&lt;/b&gt;." in text
    assert "<dt>Why</dt><dd>Too hot.</dd>" in text
    assert "<dt>What to do</dt><dd>Cool it.</dd>" in text
    assert 'role="alert"' in text


def test_every_fault_of_a_config_is_listed() -> None:
    of = view()

    def fail(studio: Any, view: View, shell: Any) -> dict:
        raise ConfigError(["First.", "Second."])

    text = shown(guarded(fail)(None, of, None), of)
    assert text.count("<li>") == 2
    assert "First." in text
    assert "Second." in text


def test_the_unforeseen_shows_a_number_and_logs_the_traceback(caplog: pytest.LogCaptureFixture) -> None:
    of = view()

    def fail(studio: Any, view: View, shell: Any) -> dict:
        raise KeyError("/secret/path")

    with caplog.at_level(logging.ERROR, "studio.ui"):
        text = shown(guarded(fail)(None, of, None), of)
    number = re.search(r"error ([0-9a-f]{4})", text)[1]
    assert "secret" not in text
    assert "Traceback" not in text
    assert f"error {number}" in caplog.text
    assert "KeyError" in caplog.text


def test_stopping_is_no_failure() -> None:
    of = view()

    def stop(studio: Any, view: View, shell: Any) -> dict:
        raise Stopped

    assert "value" not in guarded(stop)(None, of, None)[of.notice]


def test_a_stream_keeps_what_it_gave_before_it_failed() -> None:
    of = view()

    def stream(studio: Any, view: View, shell: Any):
        yield {view.box: 1}
        raise StudioError("Broke.")

    first, second = guarded(stream)(None, of, None)
    assert first[of.box] == 1
    assert "Broke." in shown(second, of)


def test_components_are_found_in_every_corner() -> None:
    of = view()
    assert len(components(of)) == 4
    assert components(of)[:2] == [of.notice, of.box]


def test_wiring_adds_the_notice_to_the_outputs() -> None:
    with gr.Blocks() as demo:
        of = View(gr.HTML(), gr.Textbox())
        button = gr.Button()

        def handler(studio: Any, view: View, shell: Any, value: str) -> dict:
            return {view.box: studio + value}

        Wiring("core ", of, of)(button.click, handler, [of.box], outputs=[of.box])
    function = next(iter(demo.fns.values()))
    assert [block._id for block in function.outputs] == [of.box._id, of.notice._id]
    assert function.fn("x")[of.box] == "core x"
    assert function.api_visibility == "private"
