"""What the Model tab shows of models and of a run to come: the list, the memory bar, the preview and its verdicts."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from markupsafe import Markup

from studio.models.targets import expert_notes
from studio.ui import pieces, words
from studio.ui.modeling.reckoning import Plan
from studio.ui.modeling.rows import sentence
from studio.workspace import FREE_SPACE_FLOOR, gib

FEW_ROWS = 30


def depth_choices(seconds: Mapping[str, float | None]) -> list[tuple[str, str]]:
    """The three depths with their minutes: a title line and a sentence each."""
    choices = []
    for key, (title, what) in words.DEPTH_WORDS.items():
        time = pieces.duration(seconds.get(key))
        choices.append((f"{title}\n{sentence(time)} {what}" if time else f"{title}\n{what}", key))
    return choices


def goal_choices() -> list[tuple[str, str]]:
    """The goals, a title line and a sentence each."""
    return [(f"{title}\n{what}", key) for key, (title, what) in words.GOAL_WORDS.items()]


def preview(plan: Plan, root: Path) -> Markup:
    """Steps, time, memory, disk and what is to be fetched, with verdicts. There is data."""
    estimate, counts = plan.estimate, plan.record.counts
    rows, kept = counts.get("train", 0), counts.get("validation", 0)
    low, high = pieces.duration(estimate.seconds_low, about=False), pieces.duration(estimate.seconds_high, about=False)
    facts = {
        "Rows": f"{rows:,}",
        "Steps": f"{estimate.steps:,}",
        "Time": pieces.duration(estimate.seconds),
        "Likely range" if not estimate.rough else "Possible range": between(low, high),
        "Memory": gib(estimate.needed_bytes),
        "Disk": gib(estimate.disk_bytes),
        "To fetch": gib(estimate.download_bytes) if estimate.download_bytes else "nothing",
    }
    return Markup("<h2>{}</h2><hr>{}<hr>{}").format(
        words.PREVIEW_TITLE, pieces.facts(facts), pieces.checks(verdicts(plan, rows, kept, root))
    )


def between(low: str, high: str) -> str:
    """ "3 to 6 min" of "3 min" and "6 min"; one of them where they are the same."""
    if not low or not high or low == high:
        return ""
    for unit in (" min", " h"):
        if low.endswith(unit) and high.endswith(unit):
            low = low.removesuffix(unit)
    return f"{low} to {high}"


def verdicts(plan: Plan, rows: int, validation_rows: int, root: Path) -> list[tuple[str, str]]:
    """Marks for the preview."""
    estimate, entry, config = plan.estimate, plan.entry, plan.config
    memory = {
        "well": ("ok", "Fits in memory"),
        "tight": ("warn", "Tight in memory: close other programs"),
        "no": ("bad", "Needs more memory than is free"),
    }
    room = shutil.disk_usage(root).free - FREE_SPACE_FLOOR >= estimate.disk_bytes + estimate.download_bytes
    found = [memory[estimate.fits], ("ok", "Room on the disk") if room else ("bad", "Too little room on the disk")]
    if not entry.has_chat_template and config.model.chat_template == "own":
        found.append(("bad", words.NO_TEMPLATE))
    if entry.shape.experts > 1:
        quantized, plain = config.model.quantization != "none", not (config.adapter.use_dora or config.adapter.lora_dropout)
        notes = expert_notes(quantized=quantized, choice=config.adapter.target_modules, plain=plain)
        found += [("info", note) for note in notes]
    if rows < FEW_ROWS:
        found.append(("warn", "Few rows: expect the tone to change more than the facts"))
    if not validation_rows:
        found.append(("warn", "No row is kept aside, so the last step is kept, not the best"))
    return found


def nothing_yet() -> Markup:
    """The summary while there is no data."""
    return Markup("<h2>{}</h2><hr>{}").format(
        words.PREVIEW_TITLE, pieces.small("Time, memory and disk appear here once there are examples.")
    )
