"""All settings of one run together: checked at once, stored as JSON, and what follows from them."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field
from typing import Any, Self

from studio.config.adapter import AdapterConfig
from studio.config.combinations import refusals
from studio.config.data import DataConfig
from studio.config.model import ModelConfig
from studio.config.training import MAX_EPOCHS, TrainingConfig
from studio.errors import ConfigError
from studio.fields import coerce, faults_of, settings_of

# rounds through the data (epochs), and optimizer steps never gone below
DEPTHS = {"quick": (2, 50), "balanced": (3, 80), "thorough": (5, 160)}
# Rounds more or less than the depth's, from OpenAI's fine-tuning guide ("Iterating on hyperparameters"): one or two more where
# one answer is right (classification, structured parsing), one or two fewer where many are good. The least steps stay.
GOAL_ROUNDS = {"questions": 0, "voice": -1, "sorting": 1, "format": 1}
TOKENS_AT_ONCE = 2048  # bounds the memory of a step; chosen, not tuned: other sizes were not timed


SECTIONS = {"data": DataConfig, "model": ModelConfig, "adapter": AdapterConfig, "training": TrainingConfig}


@dataclass(frozen=True)
class RunConfig:
    """Data, model, adapter and training of one run."""

    name: str = "My run"
    data: DataConfig = field(default_factory=DataConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    adapter: AdapterConfig = field(default_factory=AdapterConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)
    schema_version: int = 1

    def faults(self) -> list[str]:
        """Every fault in every section, in the order of the form, then what does not go together."""
        found = [fault for name in SECTIONS for fault in faults_of(getattr(self, name))]
        found += refusals(self.values())
        if not isinstance(self.name, str) or not self.name.strip() or len(self.name) > 80:
            found.append("The run needs a name of at most 80 characters.")
        return found

    def device_faults(self, device: str) -> list[str]:
        """What cannot be done on this device, "cpu" or "cuda"."""
        return refusals(self.values(), device=device)

    def values(self) -> dict[str, Any]:
        """All settings by their plain names (they are unique across the sections)."""
        return {name: getattr(getattr(self, key), name) for key, owner in SECTIONS.items() for name in settings_of(owner)}

    def validate(self) -> Self:
        """Return self, or raise ConfigError that names every fault at once."""
        if found := self.faults():
            raise ConfigError(found)
        return self

    def replace(self, **values: Any) -> Self:
        """A copy with settings changed by their plain names (they are unique across the sections)."""
        changed = {}
        for section, owner in SECTIONS.items():
            mine = {item.name: values.pop(item.name) for item in dataclasses.fields(owner) if item.name in values}
            kinds = settings_of(owner)
            mine = {name: coerce(kinds[name], value) if name in kinds else value for name, value in mine.items()}
            changed[section] = dataclasses.replace(getattr(self, section), **mine)
        if "name" in values:
            changed["name"] = values.pop("name")
        if values:
            raise ConfigError([f"There is no setting named {name!r}." for name in values])
        return dataclasses.replace(self, **changed)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values; `from_json` gives the same config back."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        """Build and validate a config from `to_json()`'s values. Raises ConfigError on anything unusable."""
        if not isinstance(values, dict) or not all(isinstance(values.get(key, {}), dict) for key in SECTIONS):
            raise ConfigError(["The settings file does not hold settings."])
        flat = {name: value for key in SECTIONS for name, value in values.get(key, {}).items()}
        return cls().replace(**flat, name=values.get("name", "My run")).validate()

    @property
    def rows_per_step(self) -> int:
        """Examples that go into one optimizer step."""
        return self.training.per_device_train_batch_size * self.training.gradient_accumulation_steps

    def epochs(self, rows: int) -> int:
        """Rounds through `rows` training examples: what was set, or fitted so that small data still gets enough steps."""
        if self.training.num_train_epochs:
            return self.training.num_train_epochs
        rounds, least = DEPTHS[self.training.depth]
        rounds = max(1, rounds + GOAL_ROUNDS[self.training.goal])
        return min(MAX_EPOCHS, max(rounds, math.ceil(least / self.steps_per_epoch(rows))))

    def steps_per_epoch(self, rows: int) -> int:
        """Optimizer steps in one round; the last one may hold fewer rows."""
        return max(1, math.ceil(rows / self.rows_per_step))

    def token_budget(self) -> int:
        """The most tokens computed at once by the fused step; fewer take less memory and change nothing else."""
        return max(1, min(TOKENS_AT_ONCE, self.training.per_device_train_batch_size * self.data.max_length))

    def total_steps(self, rows: int) -> int:
        """Optimizer steps of the whole run over `rows` training examples."""
        return self.epochs(rows) * self.steps_per_epoch(rows)


def all_settings() -> dict[str, Any]:
    """Every setting of every section by name, in the order of the form and of the README table."""
    return {name: item for owner in SECTIONS.values() for name, item in settings_of(owner).items()}


def settings_of_run(config: RunConfig) -> dict[str, Any]:
    """The values of every setting of a config by name: no data, model or name among them."""
    return {name: getattr(getattr(config, key), name) for key, owner in SECTIONS.items() for name in settings_of(owner)}
