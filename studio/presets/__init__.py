"""Settings that belong together: what goal and depth choose, a person's own presets, and what differs from the defaults."""

from __future__ import annotations

from studio.presets.differences import Difference, back_to_default, differences, same_as, short
from studio.presets.goals import follow, settings_for, table
from studio.presets.stored import MAX_BYTES, Imported, Preset, Presets

__all__ = [
    "MAX_BYTES",
    "Difference",
    "Imported",
    "Preset",
    "Presets",
    "back_to_default",
    "differences",
    "follow",
    "same_as",
    "settings_for",
    "short",
    "table",
]
