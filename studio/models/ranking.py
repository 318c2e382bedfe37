"""Which models suit this computer: those that fit and train in sensible time first, each with the reason in numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from studio.config import RunConfig, all_settings
from studio.models.calibration import Speed
from studio.models.catalog import ModelEntry
from studio.models.hardware import Hardware
from studio.models.memory import Estimate, Learned, RowSizes, estimate
from studio.workspace import gib

SENSIBLE_SECONDS = 2 * 3600  # longer than this is slow: chosen, about an evening


@dataclass(frozen=True)
class Ranked:
    """One model and how it suits. `fits`: "well", "tight" or "no"; `why` says it in at most three short sentences."""

    entry: ModelEntry
    estimate: Estimate
    fits: str
    why: str


def rank(
    entries: Sequence[ModelEntry],
    config: RunConfig,
    sizes: RowSizes,
    hardware: Hardware,
    *,
    speed: Speed | None = None,
    learned: Learned | None = None,
) -> list[Ranked]:
    """All of `entries`, best first. `speed` and `learned` as for `estimate`.

    Those that fit well come first: the largest that train in sensible time, then slower ones by their time. Then those that
    are tight in the same order, then those that are too big, the smallest first. What cannot be used at all comes last.
    """
    known = {"speed": speed, "learned": learned}
    savings = {key: label.rpartition(", ")[2] for key, label in all_settings()["quantization"].choices}  # "Quarter, 4 bit"
    now = savings.pop(config.model.quantization)
    others = {bits: config.replace(quantization=key) for key, bits in savings.items()}
    ranked = []
    for entry in entries:
        found = estimate(config, entry, sizes, hardware, **known)
        if entry.trouble:
            ranked.append(Ranked(entry, found, "no", entry.trouble))
        elif found.fits == "no":
            at_others = {bits: estimate(other, entry, sizes, hardware, **known) for bits, other in others.items()}
            ranked.append(Ranked(entry, found, "no", _why_not(found, now, at_others, hardware.working_memory)))
        else:
            ranked.append(Ranked(entry, found, found.fits, _why(found, hardware.working_memory)))
    return sorted(ranked, key=_order)


def _why(found: Estimate, free: int) -> str:
    why = f"Needs about {gib(found.needed_bytes)}; {gib(free)} are free."
    if found.fits == "tight":
        why += " Other programs may have to close."
    if found.seconds > SENSIBLE_SECONDS:
        why += f" Slow here: about {_hours(found.seconds)}."
    return why


def _why_not(found: Estimate, now: str, at_others: Mapping[str, Estimate], free: int) -> str:
    """Too big, and what another memory saving would need: the quickest of those that fit."""
    why = f"Too big at {now}: about {gib(found.needed_bytes)} for the {gib(free)} that are free."
    fitting = [(other.seconds, bits) for bits, other in at_others.items() if other.fits != "no"]
    if fitting:
        bits = min(fitting)[1]
        why += f" At {bits} it needs {gib(at_others[bits].needed_bytes)}."
    return why


def _order(item: Ranked) -> tuple[bool, int, bool, float]:
    slow = item.estimate.seconds > SENSIBLE_SECONDS
    if item.fits == "no":
        return bool(item.entry.trouble), 2, False, item.estimate.needed_bytes
    return False, 0 if item.fits == "well" else 1, slow, item.estimate.seconds if slow else -item.entry.parameters


def _hours(seconds: float) -> str:
    return f"{seconds / 3600:.0f} hours" if seconds < 2 * 86400 else f"{seconds / 86400:.0f} days"
