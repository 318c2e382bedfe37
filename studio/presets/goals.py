"""What a goal and a depth mean: one table of the settings they set otherwise than the defaults, each with its source."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from studio.config import DEPTHS, GOAL_ROUNDS, RunConfig, all_settings, settings_of_run


@dataclass(frozen=True)
class Rule:
    """Settings that some goals at some depths set otherwise than the defaults, and the source that supports it."""

    goals: tuple[str, ...]
    depths: tuple[str, ...]
    settings: Mapping[str, Any]
    source: str


WAIT_LONGER = (
    "L. Prechelt, Early Stopping - But When? (1998): waiting longer was about 4 % better for about four times the time, "
    "on small networks."
)
RULES = (Rule(("questions", "sorting", "format"), ("thorough",), {"early_stopping_patience": 6}, WAIT_LONGER),)

OPENAI_GUIDE = "OpenAI's fine-tuning guide, “Iterating on hyperparameters”"
GOAL_SOURCES = {
    "questions": "As the defaults: 80 steps of 8 rows taught 80 rows of questions in our own trial.",
    "voice": f"A round fewer, where many answers are good: {OPENAI_GUIDE}. Unsloth's guide: many rounds cost creativity.",
    "sorting": f"A round more, where one answer is right: {OPENAI_GUIDE}.",
    "format": f"A round more, where one answer is right: {OPENAI_GUIDE}.",
}


def rules_for(goal: str, depth: str) -> list[Rule]:
    """The rules that hold for a goal at a depth, in order."""
    return [rule for rule in RULES if goal in rule.goals and depth in rule.depths]


def settings_for(goal: str, depth: str) -> dict[str, Any]:
    """Goal, depth, and every setting that they set otherwise than the defaults.

    How many rounds they mean is said by `RunConfig.epochs` alone, since it depends on the number of rows.

    Raises:
        ConfigError: There is no such goal or depth.
    """
    RunConfig().replace(goal=goal, depth=depth).validate()
    found: dict[str, Any] = {"goal": goal, "depth": depth}
    for rule in rules_for(goal, depth):
        found |= rule.settings
    return found


def follow(config: RunConfig) -> RunConfig:
    """The config after its goal or depth was chosen anew.

    A setting that the table governs moves along, unless it holds a value that neither table nor default gives: that one is
    the person's own.
    """
    wanted = settings_for(config.training.goal, config.training.depth)
    values, defaults = settings_of_run(config), settings_of_run(RunConfig())
    moved = {}
    for name in {name for rule in RULES for name in rule.settings}:
        given = {defaults[name], *(rule.settings[name] for rule in RULES if name in rule.settings)}
        if values[name] in given:
            moved[name] = wanted.get(name, defaults[name])
    return config.replace(**moved)


def table() -> list[tuple[str, str, str, str, str, str]]:
    """(goal, depth, rounds, least steps, other settings, sources) in words, a row for every goal at every depth."""
    settings = all_settings()
    rows = []
    for goal, goal_name in settings["goal"].choices:
        for depth, depth_name in settings["depth"].choices:
            rules = rules_for(goal, depth)
            changed = {name: value for rule in rules for name, value in rule.settings.items()}
            others = [f"{settings[name].label}: {settings[name].shown(value)}" for name, value in changed.items()]
            rounds, least = DEPTHS[depth]
            sources = [GOAL_SOURCES[goal], *(rule.source for rule in rules)]
            told = "; ".join(others) or "as the defaults"
            rows.append((goal_name, depth_name, str(max(1, rounds + GOAL_ROUNDS[goal])), str(least), told, " ".join(sources)))
    return rows
