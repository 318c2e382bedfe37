"""What differs from the defaults, the way back, and the settings of an earlier run."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from studio.config import RunConfig, all_settings, settings_of_run
from studio.presets.goals import rules_for

CHOSEN_OPENLY = ("goal", "depth")  # large choices of the page that speak for themselves, so never listed as differences


@dataclass(frozen=True)
class Difference:
    """One setting that is not as it would be by itself, in words. `source` says why goal and depth set it, else it is empty."""

    name: str
    label: str
    default: str
    value: str
    sentence: str
    source: str = ""


def differences(config: RunConfig, entry_settings: Mapping[str, Any] | None = None) -> list[Difference]:
    """Every setting that differs from the defaults, in the order of the form; goal and depth are not among them.

    Args:
        config: Settings without a fault.
        entry_settings: What the chosen model has for its own defaults, in place of the general ones.
    """
    defaults = settings_of_run(RunConfig()) | dict(entry_settings or {})
    values = settings_of_run(config)
    by_table = {
        name: (value, rule.source)
        for rule in rules_for(config.training.goal, config.training.depth)
        for name, value in rule.settings.items()
    }
    found = []
    for name, item in all_settings().items():
        if name in CHOSEN_OPENLY or values[name] == defaults[name]:
            continue
        value, source = by_table.get(name, (None, ""))
        source = source if values[name] == value else ""
        now, before = short(item.shown(values[name])), short(item.shown(defaults[name]))
        sentence = f"{item.label}: {now} instead of {before}."
        found.append(Difference(name, item.label, before, now, sentence, source))
    return found


def short(text: str, limit: int = 60) -> str:
    """One line of at most `limit` characters."""
    line = " ".join(text.split())
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"


def back_to_default(config: RunConfig, names: Collection[str], entry_settings: Mapping[str, Any] | None = None) -> RunConfig:
    """The config with the settings named set to what they are by themselves; names that are no setting are passed over."""
    defaults = settings_of_run(RunConfig()) | dict(entry_settings or {})
    return config.replace(**{name: defaults[name] for name in names if name in defaults})


class HasConfigs(Protocol):
    """A store of runs, as far as it is needed here."""

    def config(self, run_id: str) -> RunConfig:
        """The settings the run was started with."""
        ...


def same_as(runs: HasConfigs, run_id: str, models: Collection[str] = ()) -> RunConfig:
    """The settings of a run, without its data, its name and the run it went on from.

    Args:
        models: Ids of the models that exist; the run's own is kept when it is among them, else it is the default.

    Raises:
        StudioError: The run is gone, or its settings cannot be read.
    """
    config = runs.config(run_id)
    fresh = RunConfig()
    base = config.model.base_model if config.model.base_model in models else fresh.model.base_model
    return fresh.replace(**settings_of_run(config), base_model=base)
