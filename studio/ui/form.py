"""Controls made of settings, and a RunConfig made of their values. Nothing about a setting is said here a second time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr
from gradio.components import Component

from studio.config import SECTIONS, RunConfig, all_settings, settings_of_run
from studio.fields import Setting, settings_of

SECTION_TITLES = {"data": "Your examples", "model": "The model", "adapter": "The adapter", "training": "Practice"}


@dataclass(frozen=True)
class Form:
    """Controls by setting name, in the order of the config."""

    controls: dict[str, Component]

    @property
    def names(self) -> list[str]:
        """Setting names, in the order of `inputs`."""
        return list(self.controls)

    @property
    def inputs(self) -> list[Component]:
        """The controls, to be given to an event as inputs."""
        return list(self.controls.values())

    def config(self, values: Sequence[Any], base: RunConfig | None = None, **more: Any) -> RunConfig:
        """The RunConfig of the controls' values. Not yet validated: whoever uses it asks validate() for every fault at once."""
        return (base or RunConfig()).replace(**dict(zip(self.names, values, strict=True)), **more)

    def updates(self, config: RunConfig) -> dict[Component, Any]:
        """Updates that show a config's values."""
        found = settings_of_run(config)
        return {control: gr.update(value=found[name]) for name, control in self.controls.items()}


def info(item: Setting) -> str:
    """Help, range and source of a setting in one line or two."""
    bounds = ""
    if item.kind in (int, float) and not item.choices and item.name != "r":
        low = f"more than {plain(item.above)}" if item.above is not None else plain(item.minimum)
        joined = f"{low}, at most {plain(item.maximum)}" if item.above is not None else f"{low} to {plain(item.maximum)}"
        bounds = f" From {joined}." if item.above is None else f" {joined[0].upper()}{joined[1:]}."
    source = f" Default {item.shown(item.default)}. Why: {item.source}" if item.source and item.advanced else ""
    return f"{item.help}{bounds}{source}"


def plain(number: float | None) -> str:
    """A bound as people write it."""
    return "" if number is None else f"{number:,.0f}" if float(number).is_integer() else f"{number:g}"


def control(item: Setting) -> Component:
    """The Gradio control for one setting."""
    about = {"label": item.label, "info": info(item), "value": item.default, "interactive": True}
    if item.choices:
        choices = [(label, key) for key, label in item.choices]
        return gr.Radio(choices, elem_classes="seg", **about)
    if item.kind is bool:
        return gr.Checkbox(**about)
    if item.kind is str:
        return gr.Textbox(lines=2, max_length=int(item.maximum or 200), **about)
    if item.name == "r":
        return gr.Slider(item.minimum, item.maximum, step=1, buttons=[], **about)
    return gr.Number(step=1 if item.kind is int else None, **about)


def advanced_names() -> list[str]:
    """Settings that only show in Advanced, in order."""
    return [name for name, item in all_settings().items() if item.advanced]


def by_section(names: Iterable[str]) -> dict[str, list[Setting]]:
    """Settings grouped under the titles of their sections."""
    wanted = set(names)
    found = {}
    for section, owner in SECTIONS.items():
        items = [item for name, item in settings_of(owner).items() if name in wanted]
        if items:
            found[SECTION_TITLES[section]] = items
    return found
