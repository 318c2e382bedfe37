"""Frozen records that pass between rooms and to the disk. Seconds, bytes, and losses in nats per learned token."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any, Literal, Self

State = Literal["queued", "starting", "running", "pausing", "paused", "stopping", "stopped", "finished", "failed", "interrupted"]
StopKind = Literal["pause", "keep", "discard"]
LIVE_STATES: frozenset[str] = frozenset({"queued", "starting", "running", "pausing", "stopping"})
RESUMABLE_STATES: frozenset[str] = frozenset({"paused", "stopped", "interrupted", "failed"})
NO_ETA: dict[str, None] = {"eta_seconds": None, "eta_low_seconds": None, "eta_high_seconds": None}
SPLITS = ("train", "validation", "test")


class Record:
    """JSON in and out for a frozen dataclass; unknown keys are ignored so that newer files stay readable."""

    def to_json(self) -> dict[str, Any]:
        """The record as plain JSON values."""
        return dataclasses.asdict(self)  # type: ignore[call-overload]

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        """Build the record from `to_json()`'s values."""
        names = {item.name for item in dataclasses.fields(cls)}  # type: ignore[arg-type]
        return cls(**{name: value for name, value in values.items() if name in names})


@dataclass(frozen=True)
class LeftOut(Record):
    """A row that was read but not used. `row` counts from 1 as a person would in the file."""

    row: int
    reason: str
    excerpt: str = ""


@dataclass(frozen=True)
class Example(Record):
    """One training example. Either `messages` (role/content dicts) or `text` (plain prose) is set.

    `source_row` counts from 1 as a person would in the file; 0: it stands in no file. `source_file` is empty when there is one.
    """

    messages: tuple[dict[str, str], ...] = ()
    text: str = ""
    label: str = ""
    source_row: int = 0
    source_file: str = ""


@dataclass(frozen=True)
class Remedy(Record):
    """One way to mend what a check found. `label` is the button: a verb and the thing ("Keep one of each")."""

    key: str
    label: str


@dataclass(frozen=True)
class Finding(Record):
    """What a check found. `rows` are positions in the rows it was given, `notes` says more about some of them.

    `level`: "stop" spoils the training, "warn" should be looked at, "info" is good to know. `keep` names what a person may
    decide to leave as it is; empty where that is no question.
    """

    check: str
    title: str
    text: str
    rows: tuple[int, ...] = ()
    level: str = "warn"
    remedies: tuple[Remedy, ...] = ()
    notes: dict[int, str] = field(default_factory=dict)
    keep: str = ""


@dataclass(frozen=True)
class Provenance(Record):
    """Where a data set comes from. Empty text means nobody has said.

    `studio/provenance.py` holds the questions behind all but the last three, which follow from the files themselves:
    `files` has a name and a sha256 for each; `original_file` and `original_sha256` are those of the first.
    """

    origin: str = ""
    owner: str = ""
    licence: str = ""
    consent: str = ""
    period: str = ""
    language: str = ""
    machine_written: bool | None = None
    sensitive: str = ""
    notes: str = ""
    original_file: str = ""
    original_sha256: str = ""
    files: tuple[dict[str, str], ...] = ()


@dataclass(frozen=True)
class Dataset(Record):
    """What `dataset.json` holds. `counts` maps a split to its number of rows; `sha256` is that of rows.parquet.

    `validation` is the share of the rows that was to be kept aside. `parent` is the data set this one was made from.
    """

    id: str
    name: str
    created_at: float
    rows: int
    counts: dict[str, int]
    format: str
    sha256: str
    seed: int
    validation: float = 0.1
    reading: dict[str, Any] = field(default_factory=dict)
    mapping: dict[str, Any] = field(default_factory=dict)
    left_out: int = 0
    sample: str = ""
    goal: str = "questions"
    provenance: dict[str, Any] = field(default_factory=dict)
    parent: str = ""
    schema_version: int = 1


@dataclass(frozen=True)
class RunStatus(Record):
    """What `status.json` holds: the newest snapshot of a run, replaced as a whole.

    `place` is set while the run waits in the queue for others to end; the lowest is next. `utilisation` is the share of
    this computer's matrix-product rate that the steps reach. `reading` is what the curve said when the run ended.

    `promised_*` is the estimate made before the model was loaded, to be compared with `peak_memory_bytes` and the time it took;
    the factors are the corrections in it, `promised_device` is "cpu" or "gpu". A run that goes on keeps its first promise, and
    loses `promised_at`, since its time was broken.
    """

    state: State = "queued"
    place: int | None = None
    phase: str = ""
    detail: str = ""
    step: int = 0
    total_steps: int = 0
    created_at: float = 0.0
    started_at: float | None = None
    finished_at: float | None = None
    updated_at: float = 0.0
    training_seconds: float = 0.0
    eta_seconds: float | None = None
    eta_low_seconds: float | None = None
    eta_high_seconds: float | None = None
    tokens_per_second: float | None = None
    learned_tokens_per_second: float | None = None
    utilisation: float | None = None
    energy_joules: float | None = None
    energy_method: str = ""
    memory_bytes: int | None = None
    peak_memory_bytes: int | None = None
    promised_at: float | None = None
    promised_bytes: int | None = None
    promised_bytes_low: int | None = None
    promised_bytes_high: int | None = None
    promised_seconds: float | None = None
    promised_seconds_low: float | None = None
    promised_seconds_high: float | None = None
    promised_memory_factor: float = 1.0
    promised_time_factor: float = 1.0
    promised_device: str = ""
    base_validation_loss: float | None = None
    best_validation_loss: float | None = None
    best_step: int | None = None
    adapter_step: int | None = None
    train_rows: int = 0
    validation_rows: int = 0
    left_out: int = 0
    compute_dtype: str = ""
    compute_reason: str = ""
    error: dict[str, str] | None = None
    reading: dict[str, Any] | None = None
    schema_version: int = 1

    @property
    def waiting(self) -> bool:
        """Whether the run stands in the queue: no thread has it, and it may wait as long as it takes."""
        return self.state == "queued" and self.place is not None

    @property
    def live(self) -> bool:
        """Whether the run is waiting for the device or using it."""
        return self.state in LIVE_STATES and not self.waiting


@dataclass(frozen=True)
class StepMetrics(Record):
    """One optimizer step. `tokens` counts those of its rows, `learned_tokens` what the loss is over.

    `computed_tokens` counts what went through the model: an opening that rows share once, padding where there is any.
    """

    step: int
    loss: float | None
    learning_rate: float
    grad_norm: float | None
    tokens: int
    learned_tokens: int
    seconds: float
    computed_tokens: int = 0


@dataclass(frozen=True)
class Validation(Record):
    """The validation loss after `step` optimizer steps (0: before training)."""

    step: int
    validation_loss: float | None


@dataclass(frozen=True)
class Sample(Record):
    """One prompt answered at a checkpoint (`step` 0: the base model)."""

    step: int
    prompt: str
    answer: str
