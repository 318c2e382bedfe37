"""Everything a person can set for a run, each thing said once; checked, stored and shown from here."""

from __future__ import annotations

from studio.config.adapter import AdapterConfig
from studio.config.data import DataConfig
from studio.config.model import ModelConfig
from studio.config.run import DEPTHS, GOAL_ROUNDS, SECTIONS, RunConfig, all_settings, settings_of_run
from studio.config.training import MAX_EPOCHS, TrainingConfig

__all__ = [
    "DEPTHS",
    "GOAL_ROUNDS",
    "MAX_EPOCHS",
    "SECTIONS",
    "AdapterConfig",
    "DataConfig",
    "ModelConfig",
    "RunConfig",
    "TrainingConfig",
    "all_settings",
    "settings_of_run",
]
