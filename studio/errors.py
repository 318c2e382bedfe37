"""Failures written for the person at the screen: what happened, why, what to do."""

from __future__ import annotations

from collections.abc import Sequence


class StudioError(Exception):
    """A failure the person can understand and act on.

    Args:
        what: What happened, one short sentence in the past tense.
        why: The cause, as far as it is known.
        fix: What the person can do next.
    """

    def __init__(self, what: str, why: str = "", fix: str = "") -> None:
        super().__init__(" ".join(part for part in (what, why, fix) if part))
        self.what, self.why, self.fix = what, why, fix


class ConfigError(StudioError):
    """Settings that cannot be used. Carries every fault at once, in `faults`."""

    def __init__(self, faults: Sequence[str]) -> None:
        count = "One setting" if len(faults) == 1 else f"{len(faults)} settings"
        super().__init__(f"{count} cannot be used.", " ".join(faults), "Change what is named and try again.")
        self.faults = tuple(faults)


class NotFound(StudioError):
    """A data set, run or model that does not exist (any more)."""


class Busy(StudioError):
    """Somebody else holds what was asked for. `holder` says who."""

    def __init__(self, what: str, why: str = "", fix: str = "", holder: str = "") -> None:
        super().__init__(what, why, fix)
        self.holder = holder


class NoSpace(StudioError):
    """The disk has too little room for what is about to be written."""


class Stopped(Exception):
    """Raised inside long work when the person asked to stop. Never shown as a failure."""
