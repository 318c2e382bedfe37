"""The memory a run takes beside what is free, and one click that makes it fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import gradio as gr
from markupsafe import Markup

from studio.models.fit import Change, told
from studio.models.hardware import Hardware
from studio.models.memory import Estimate
from studio.ui import pieces, words, words_hub
from studio.ui.guard import components
from studio.ui.modeling.reckoning import Plan, others, plan_of
from studio.workspace import gib

if TYPE_CHECKING:
    from studio.ui.studio import Studio
    from studio.ui.tabs.model import View


@dataclass(frozen=True)
class Fitting:
    """The card's components. `before` keeps model and settings as they were, for putting them back."""

    memory: gr.HTML
    proposals: gr.HTML
    go: gr.Button
    made: gr.HTML
    back: gr.Button
    before: gr.JSON


def build() -> Fitting:
    """Layout only."""
    memory = pieces.html(pieces.head(words.MEMORY_TITLE), js_on_load=pieces.UNFOLDED_JS)
    proposals = pieces.html("", elem_classes="hidden-empty")
    with pieces.buttons():
        go = gr.Button(words_hub.FIT, size="sm", visible=False)
    made = pieces.html("", elem_classes="hidden-empty")
    with pieces.buttons():
        back = gr.Button(words_hub.FIT_UNDO, size="sm", visible=False)
    return Fitting(memory, proposals, go, made, back, pieces.held(None))


def connect(on: Any, view: View, shell: Any, chosen: Sequence[Any]) -> list[Any]:
    """Wiring only. Returns what happens after the settings were changed: the tab draws itself anew then."""
    own = view.fitting
    here = {"outputs": [*components(own), *view.form.inputs, shell.model_id]}
    return [on(own.go.click, make_it_fit, chosen, **here), on(own.back.click, put_back, [own.before], **here)]


def show(view: View, plan: Plan, changes: Sequence[Change]) -> dict[Any, Any]:
    """The bar, and what would help where it does not fit well."""
    own, mine = view.fitting, plan.estimate
    return {
        own.memory: pieces.show(memory_picture(mine, plan.computer)),
        own.proposals: pieces.show(proposals(changes, mine)),
        own.go: gr.update(visible=bool(changes)),
    }


# ---- handlers


def make_it_fit(studio: Studio, view: View, shell: Any, dataset_id: Any, model_id: str, *values: Any) -> dict[Any, Any]:
    """Make all the proposed changes at once, and say what each costs."""
    plan = plan_of(studio, view.form, dataset_id, model_id, values)
    changes, own = plan.changes(others(studio)), view.fitting
    settings = {name: value for change in changes for name, value in change.settings.items()}
    chosen = next((change.model_id for change in reversed(changes) if change.model_id), model_id)
    return {
        **view.form.updates(plan.config.replace(**settings)),
        shell.model_id: chosen,
        own.before: [model_id, list(values)],
        own.made: pieces.show(done(changes, plan.estimate)),
        own.back: gr.update(visible=bool(changes)),
    }


def put_back(studio: Studio, view: View, shell: Any, before: Any) -> dict[Any, Any]:
    """Model and settings as they were before they were made to fit."""
    own = view.fitting
    cleared = {own.before: None, own.back: gr.update(visible=False), own.made: pieces.show("")}
    if not isinstance(before, list) or len(before) != 2 or not isinstance(before[1], list):
        return cleared
    model_id, values = before
    entry = studio.catalog.get(str(model_id))
    return {**cleared, **view.form.updates(view.form.config(values).validate()), shell.model_id: entry.id}


# ---- pictures


def memory_picture(estimate: Estimate, computer: Hardware) -> Markup:
    """What is in use, what the run needs and for what, what is left over."""
    total = computer.accelerator_memory or computer.memory_total
    free = computer.working_memory
    used = max(0, total - free)
    parts = [
        ("c-slate", used, "other programs"),
        ("c-accent", estimate.model_bytes, "model"),
        ("c-mid", estimate.adapter_bytes, "adapter"),
        ("c-pale", estimate.needed_bytes - estimate.model_bytes - estimate.adapter_bytes, "work space"),
    ]
    needed, left = estimate.needed_bytes, free - estimate.needed_bytes
    scale = max(total, used + needed)
    rest = f"{gib(left)} left" if left >= 0 else f"{gib(-left)} too much"
    said = f"{gib(used)} used by other programs, {gib(needed)} needed, {rest}"
    named = [(colour, gib(size), name) for colour, size, name in parts]
    named.append(("", gib(abs(left)), "left over" if left >= 0 else "too much"))
    return pieces.join(
        [
            pieces.head(words.MEMORY_TITLE, f"{gib(needed)} needed, {gib(free)} free"),
            pieces.bar(said, [(100 * size / scale, colour) for colour, size, _ in parts]),
            pieces.legend(named),
            details(estimate),
        ]
    )


def details(estimate: Estimate) -> Markup:
    """Every part of the estimate, and how far it may be off."""
    low, high = gib(estimate.bytes_low), gib(estimate.bytes_high)
    notes = [words_hub.BAND.format(low=low, high=high), estimate.learned_from, words_hub.ROUGH if estimate.rough else ""]
    return Markup('<details class="quiet"><summary>{}</summary>{}{}</details>').format(
        words_hub.PARTS,
        pieces.facts((part.name.capitalize(), gib(part.bytes)) for part in estimate.parts),
        pieces.small(" ".join(filter(None, notes))),
    )


def proposals(changes: Sequence[Change], now: Estimate) -> Markup:
    """What would help, the mildest first, each with what it costs."""
    if now.fits == "well":
        return Markup("")
    title = Markup("<h3>{}</h3>").format(words_hub.FIT_HINT) if changes else Markup("")
    return title + listed(changes) + pieces.small(told(now, changes))


def done(changes: Sequence[Change], before: Estimate) -> Markup:
    """What was changed."""
    return Markup('<div role="status"><h3>{}</h3>{}{}</div>').format(
        words_hub.FIT_DONE, listed(changes), pieces.small(told(before, changes))
    )


def listed(changes: Sequence[Change]) -> Markup:
    """Each change with its cost and the memory after it."""
    needed = [words_hub.FIT_NEEDED.format(size=gib(change.after.needed_bytes)) for change in changes]
    signs = ["ok" if change.after.fits != "no" else "info" for change in changes]
    sentences = [f"{change.sentence} {change.cost} {size}" for change, size in zip(changes, needed, strict=True)]
    return pieces.checks(zip(signs, sentences, strict=True))
