"""What the Model tab reckons with: the settings as they are on the page, the data, this computer, and the core's estimate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from studio.config import RunConfig
from studio.models.calibration import Speed, kept
from studio.models.catalog import ModelEntry
from studio.models.fit import Change, fit
from studio.models.hardware import Hardware, hardware
from studio.models.memory import Estimate, Learned, estimate, number_bytes_of
from studio.models.ranking import Ranked, rank
from studio.models.row_sizes import RowSizes
from studio.records import Dataset
from studio.ui.tokens import Sizes

if TYPE_CHECKING:
    from studio.ui.form import Form
    from studio.ui.studio import Studio


@dataclass(frozen=True)
class Plan:
    """A run as it would be now. `record` is None while there is no data; lengths are then assumed.

    `speed` is what was measured of this computer, None before; `learned` what earlier runs said of the estimates.
    """

    config: RunConfig
    entry: ModelEntry
    record: Dataset | None
    sizes: RowSizes
    computer: Hardware
    speed: Speed | None
    learned: Learned

    @cached_property
    def estimate(self) -> Estimate:
        """What the run takes."""
        return estimate(self.config, self.entry, self.sizes, self.computer, speed=self.speed, learned=self.learned)

    def of(self, entry: ModelEntry) -> Plan:
        """The same run with another model; its rows are taken to be as long."""
        return replace(self, entry=entry)

    def with_depth(self, depth: str) -> Estimate:
        """What it would take at another depth, with that depth's own rounds."""
        return replace(self, config=self.config.replace(depth=depth, num_train_epochs=0)).estimate

    @property
    def number_bytes(self) -> int:
        """Bytes of a number in the format the run would compute in."""
        return number_bytes_of(self.config, self.speed, bool(self.computer.accelerator))

    def ranked(self, entries: Sequence[ModelEntry]) -> list[Ranked]:
        """Models for this run, best for this computer first."""
        return rank(entries, self.config, self.sizes, self.computer, speed=self.speed, learned=self.learned)

    def changes(self, others: Sequence[ModelEntry]) -> list[Change]:
        """What would make it fit, the mildest first; empty when it fits well, or when nothing helps."""
        return fit(self.config, self.entry, self.sizes, self.computer, others, speed=self.speed, learned=self.learned)


def plan_of(studio: Studio, form: Form, dataset_id: Any, model_id: str, values: Sequence[Any]) -> Plan:
    """The plan of the page's settings. Raises ConfigError with every fault."""
    entry = studio.catalog.get(model_id)
    record = data_of(studio, dataset_id)
    config = form.config(values).validate()
    counts = record.counts if record else {}
    sizes = row_sizes(studio, record, entry, config).of_rows(counts.get("train", 0), counts.get("validation", 0))
    return Plan(config, entry, record, sizes, hardware(), kept(studio.workspace), studio.corrections.now())


def others(studio: Studio) -> list[ModelEntry]:
    """Every model that could be started from."""
    return [*studio.catalog.entries(), *studio.catalog.published_entries()]


def data_of(studio: Studio, dataset_id: Any) -> Dataset | None:
    """The chosen data set while it exists."""
    return studio.datasets.get(dataset_id) if dataset_id in studio.datasets.ids() else None


def row_sizes(studio: Studio, record: Dataset | None, entry: ModelEntry, config: RunConfig) -> Sizes:
    """How long the rows are for this model. They are tokenised only where that makes nobody wait for a library."""
    if record is None:
        return Sizes(100.0, config.data.max_length, 0, False)
    return studio.tokens.sizes(
        record.id,
        entry.id,
        max_length=config.data.max_length,
        system_prompt=config.data.system_prompt,
        chat_template=config.model.chat_template,
        measure=entry.ready and studio.warmed(),
    )
