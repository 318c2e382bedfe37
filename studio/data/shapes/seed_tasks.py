"""Seed tasks of Self-Instruct: an instruction with a list of instances, each an input and an output."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from studio.data.shapes.about import Hopeless

NOTE = "Each instance of a task became a row with the task's instruction."
COUNTED = False


def fits(item: Any) -> bool:
    """Whether an item is a task with instances."""
    return isinstance(item, dict) and "instruction" in item and isinstance(item.get("instances"), list)


def rows(item: dict[str, Any]) -> Iterator[dict[str, Any] | Hopeless]:
    """Instruction, input and output of every instance of a task."""
    if not item["instances"]:
        yield Hopeless("The task has no instance with an answer.", str(item["instruction"])[:200])
    for instance in item["instances"]:
        if isinstance(instance, dict):
            yield {
                "instruction": item["instruction"],
                "input": instance.get("input", ""),
                "output": instance.get("output", ""),
            }
        else:
            yield Hopeless("An instance of the task is not an object.", str(item["instruction"])[:200])
