"""The card of the Train tab with the runs that wait: their order, when they start, and the buttons that change it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import gradio as gr
from markupsafe import Markup

from studio.config import ModelConfig
from studio.errors import StudioError
from studio.fields import settings_of
from studio.runs import Turns
from studio.ui import pieces
from studio.ui import words_runs as words

if TYPE_CHECKING:
    from studio.ui.studio import Studio

LONGEST_NAME = 60  # characters of a run's name in a row

# The list is drawn anew after every press; who is in it with the keyboard stays on the same run.
QUEUE_JS = """
let inside = null;
element.addEventListener('click', ({target}) => {
  const button = target.closest('button[data-act]');
  if (button && !button.disabled) trigger('select', {...button.dataset});
});
element.addEventListener('focusin', ({target}) => { inside = {...target.dataset}; });
element.addEventListener('focusout', () => {
  setTimeout(() => {
    const now = document.activeElement;
    if (now !== document.body && !element.contains(now)) inside = null;
  }, 0);
});
document.addEventListener('pointerdown', ({target}) => { if (!element.contains(target)) inside = null; });
watch('value', () => {
  if (!inside) return;
  const usable = [...element.querySelectorAll('button:not(:disabled)')];
  const mine = usable.filter((item) => item.dataset.id === inside.id);
  const next = mine.find((item) => item.dataset.act === inside.act) || mine[0] || usable[0];
  if (next) next.focus();
});
"""


def lay_out() -> dict[str, Any]:
    """The card's components, by their names in the tab's View."""
    made: dict[str, Any] = {}
    with pieces.card(visible=False) as made["queue"]:
        made["queue_head"] = pieces.html("")
        made["queue_list"] = pieces.html("", js_on_load=QUEUE_JS)
        with pieces.buttons():
            made["queue_start"] = gr.Button(words.START_QUEUE, size="sm", variant="primary", visible=False)
    return made


def parts(studio: Studio, turns: Turns) -> dict[str, Any]:
    """An update for every component of the card."""
    if not turns.waiting:
        return {"queue": gr.update(visible=False)}
    count = pieces.count(len(turns.waiting), "run")
    return {
        "queue": gr.update(visible=True),
        "queue_head": pieces.show(
            Markup('{}<p class="muted">{}</p>').format(pieces.head(words.QUEUE_TITLE, count), sentence(studio, turns))
        ),
        "queue_list": pieces.show(rows(studio, turns)),
        "queue_start": gr.update(
            value=words.START_NEXT if turns.paused else words.START_QUEUE,
            visible=turns.live is None,
            variant="secondary" if turns.paused else "primary",  # going on with the paused run is the first thing offered
        ),
    }


def sentence(studio: Studio, turns: Turns) -> str:
    """When the next one starts."""
    if turns.live:
        return words.QUEUE_LIVE.format(name=name_of(studio, turns.live))
    if turns.paused:
        return words.QUEUE_PAUSED.format(name=name_of(studio, turns.paused[0]))
    runs = pieces.count(len(turns.waiting), "run")
    return words.QUEUE_STILL.format(runs=runs, are="is" if len(turns.waiting) == 1 else "are")


def rows(studio: Studio, turns: Turns) -> Markup:
    """The waiting runs, next first, each with its buttons."""
    made, last = [], len(turns.waiting)
    for place, run_id in enumerate(turns.waiting, 1):
        name = name_of(studio, run_id)
        buttons = [
            button(run_id, "up", "↑", f"Move {place}, {name}, up", usable=place > 1),
            button(run_id, "down", "↓", f"Move {place}, {name}, down", usable=place < last),
            button(run_id, "out", words.TAKE_OUT, f"{words.TAKE_OUT} {place}, {name}"),
        ]
        made.append(
            Markup('<li><div><b>{}</b><div class="small muted">{}</div></div><span class="acts">{}</span></li>').format(
                name, about(studio, run_id), pieces.join(buttons)
            )
        )
    return Markup('<ol class="queue">{}</ol>').format(pieces.join(made))


def button(run_id: str, act: str, text: str, name: str, *, usable: bool = True) -> Markup:
    """One button of a row."""
    kind = "btn small danger" if act == "out" else "btn icon small"
    return Markup('<button type="button" class="{}" data-id="{}" data-act="{}" aria-label="{}"{}>{}</button>').format(
        kind, run_id, act, name, Markup("" if usable else " disabled"), text
    )


def name_of(studio: Studio, run_id: str) -> str:
    """The run's name, cut to fit; its id when the settings cannot be read or it was just deleted."""
    try:
        return pieces.short(studio.runs.config(run_id).name, LONGEST_NAME)
    except StudioError:
        return run_id


def about(studio: Studio, run_id: str) -> str:
    """What tells one run from another: its size and memory saving, and where it goes on."""
    try:
        config, step = studio.runs.config(run_id), studio.runs.status(run_id).step
    except StudioError:
        return ""
    digits = dict(settings_of(ModelConfig)["quantization"].choices)[config.model.quantization].rsplit(", ", 1)[-1]
    return f"Rank {config.adapter.r}, {digits}" + (f". Goes on from step {step}" if step else "")
