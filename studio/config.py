"""Everything a person can set for a run, each thing said once; checked, stored and shown from here."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field
from typing import Any, Self

from studio.errors import ConfigError
from studio.fields import coerce, faults_of, setting, settings_of

# rounds through the data (epochs), and optimizer steps never gone below
DEPTHS = {"quick": (2, 50), "balanced": (3, 80), "thorough": (5, 160)}
MAX_EPOCHS = 1000
TOKENS_AT_ONCE = 2048  # bounds the memory of a step; chosen, not tuned: other sizes were not timed


@dataclass(frozen=True)
class DataConfig:
    """Which examples, and how they are put before the model."""

    dataset_id: str = ""
    dataset_sha256: str = ""
    system_prompt: str = setting(
        "",
        "What it is told first (system prompt)",
        "Put before every example and every chat. Empty: the model's own opening words, where it has some.",
        maximum=2000,
        source="Left to the model's chat template.",
    )
    max_length: int = setting(
        512,
        "Longest example (tokens)",
        "Longer conversations lose their oldest turns. Longer means more memory.",
        unit="tokens",
        minimum=32,
        maximum=32768,
        source="Covers short questions and answers; the QLoRA paper (arXiv:2305.14314) trains at 512.",
    )


@dataclass(frozen=True)
class ModelConfig:
    """What to start from, and in how many digits it is held. `start_from`: an earlier run whose adapter goes on learning."""

    base_model: str = "starter"
    start_from: str = ""
    quantization: str = setting(
        "nf4",
        "Memory saving (quantization)",
        "Keeps the model in fewer digits: less memory, a little less exact.",
        choices=(("none", "Off, 16 bit"), ("int8", "Half, 8 bit"), ("nf4", "Quarter, 4 bit")),
        source="NF4 with double quantization: QLoRA paper, arXiv:2305.14314, section 3.",
        advanced=False,
    )


@dataclass(frozen=True)
class AdapterConfig:
    """The small part that learns."""

    r: int = setting(
        16,
        "Adapter size (rank)",
        "The adapter is the small part that learns. Larger holds more and needs more memory.",
        minimum=1,
        maximum=256,
        source="LoRA paper, arXiv:2106.09685, section 7.2: small ranks suffice; 16 held 20 facts in our own trial.",
        advanced=False,
    )
    lora_alpha: int = setting(
        32,
        "Adapter strength (alpha)",
        "How loudly the adapter speaks. Twice the rank is usual.",
        minimum=1,
        maximum=1024,
        source="Twice the rank: common practice since the LoRA paper's own code.",
    )
    lora_dropout: float = setting(
        0.0,
        "Dropout",
        "Share of adapter inputs left out at random while learning. Can help with very few rows.",
        minimum=0.0,
        maximum=0.9,
        source="0: the QLoRA paper found it useful only at 13B and below (0.1) and it slows every step.",
    )
    target_modules: str = setting(
        "all-linear",
        "Where it learns (target modules)",
        "All layers learn facts better. Attention only is smaller.",
        choices=(("all-linear", "All layers"), ("attention", "Attention only")),
        source="QLoRA paper, figure 2: adapters on all linear layers are needed to match full fine-tuning.",
    )
    use_rslora: bool = setting(
        False,
        "Steadier at large sizes (rsLoRA)",
        "Scales by the square root of the rank. Worth trying from rank 64.",
        source="arXiv:2312.03732.",
    )
    use_dora: bool = setting(
        False,
        "Finer, slower learning (DoRA)",
        "Learns size and direction apart. Slower, sometimes better at small ranks.",
        source="arXiv:2402.09353.",
    )


@dataclass(frozen=True)
class TrainingConfig:
    """How it practises."""

    goal: str = setting(
        "questions",
        "What should it get better at?",
        "Chooses the three prompts that are asked again while it learns.",
        choices=(("questions", "Questions"), ("voice", "Voice"), ("sorting", "Sorting"), ("format", "Format")),
        advanced=False,
    )
    depth: str = setting(
        "balanced",
        "How thorough?",
        "More rounds through your examples. More time.",
        choices=(("quick", "Quick"), ("balanced", "Balanced"), ("thorough", "Thorough")),
        source="At least 50, 80 or 160 optimizer steps; 80 steps of 8 rows taught 80 rows in our own trial.",
        advanced=False,
    )
    num_train_epochs: int = setting(
        0,
        "Rounds through the data (epochs)",
        "0 fits the rounds to how many rows there are.",
        minimum=0,
        maximum=MAX_EPOCHS,
        source="Fitted so that the steps of the chosen depth are reached.",
    )
    learning_rate: float = setting(
        5e-4,
        "Learning rate",
        "How far each step goes. Too high forgets, too low learns nothing.",
        above=0.0,
        maximum=0.1,
        source="Our own trial on a 135M model; the QLoRA paper uses 2e-4 at 7B.",
    )
    lr_scheduler_type: str = setting(
        "cosine",
        "How the rate falls (schedule)",
        "Smaller steps towards the end settle what was learned.",
        choices=(("cosine", "Cosine"), ("linear", "Straight line"), ("constant", "Not at all")),
        source="SGDR, arXiv:1608.03983.",
    )
    warmup_ratio: float = setting(
        0.05,
        "Gentle start (warmup)",
        "Share of the steps over which the rate rises from zero.",
        minimum=0.0,
        maximum=0.5,
        source="0.03 in the QLoRA paper; at least a few steps in short runs.",
    )
    per_device_train_batch_size: int = setting(
        8,
        "Rows at once (batch)",
        "More at once is steadier and needs more memory.",
        minimum=1,
        maximum=512,
        source="Our own trial; small batches suit few rows.",
    )
    gradient_accumulation_steps: int = setting(
        1,
        "Batches per step (accumulation)",
        "Same effect as more rows at once, without the memory.",
        minimum=1,
        maximum=512,
        source="1: one batch a step.",
    )
    weight_decay: float = setting(
        0.0,
        "Weight decay",
        "Pulls the adapter towards doing nothing.",
        minimum=0.0,
        maximum=1.0,
        source="0 in the QLoRA paper.",
    )
    max_grad_norm: float = setting(
        1.0,
        "Largest step (gradient clipping)",
        "Cuts off sudden jumps.",
        above=0.0,
        maximum=100.0,
        source="arXiv:1211.5063; 1.0 is common practice.",
    )
    evaluations: int = setting(
        10,
        "Checks during the run",
        "How often the rows kept aside are looked at. The best check is kept.",
        minimum=1,
        maximum=100,
        source="About ten keeps the cost near a tenth of the run.",
    )
    early_stopping_patience: int = setting(
        3,
        "Checks to wait for a better one (early stopping)",
        "It ends when that many checks in a row were no better than the best. 0 always trains to the end.",
        minimum=0,
        maximum=100,
        source="L. Prechelt, Early Stopping - But When? (1998): its third class of rules, with 3 strips.",
    )
    seed: int = setting(
        42,
        "Seed",
        "The same seed gives the same run again.",
        minimum=0,
        maximum=2**31 - 1,
        source="Any number; 42 by custom.",
    )


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
        """Every fault in every section, in the order of the form."""
        found = [fault for name in SECTIONS for fault in faults_of(getattr(self, name))]
        if not isinstance(self.name, str) or not self.name.strip() or len(self.name) > 80:
            found.append("The run needs a name of at most 80 characters.")
        return found

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
