"""What a draft is on disk, and a draft with its rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property
from itertools import chain
from typing import Any

from studio.data.convert import Converted
from studio.data.detect import FORMATS, Mapping
from studio.data.edits import Edited, Log
from studio.data.read import Reading
from studio.data.spill import Merged, Spilled
from studio.data.table import chosen_of
from studio.records import Dataset, LeftOut

MOST_KEPT_ASIDE = 0.5
MAX_SEED = 2**31 - 1
PASTED = "Pasted table"


@dataclass(frozen=True)
class Options:
    """How the file is read; empty or None means: find out."""

    encoding: str = ""
    delimiter: str = ""
    sheet: str = ""
    header: bool | None = None


@dataclass(frozen=True)
class Draft:
    """What draft.json holds. `columns` maps a role to a column; with `format` empty both are detected.

    `choices` holds what was settled of `formats.Choices`. `provenance` has what was said about where the rows come from, as a
    `Provenance` in JSON.
    """

    id: str
    name: str
    file: str
    pasted: bool = False
    options: Options = field(default_factory=Options)
    format: str = ""
    columns: dict[str, str] = field(default_factory=dict)
    choices: dict[str, Any] = field(default_factory=dict)
    seed: int = 42
    validation: float = 0.1
    parent: str = ""
    provenance: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Opened:
    """A draft with its rows. `rows` are the examples after all edits; `converted` is what the file gave.

    `splits` has one of train, validation, test for each of `rows`. `notes` are sentences to show. `log` has the edits,
    and `key` tells the rows they belong to from those of other formats and columns.
    """

    draft: Draft
    reading: Reading
    mapping: Mapping
    converted: Converted
    rows: Edited
    splits: tuple[str, ...]
    log: Log = field(default_factory=Log)
    key: str = ""
    notes: tuple[str, ...] = ()

    @cached_property
    def left_out(self) -> Sequence[LeftOut]:
        """Every row of the file that is not used, in its order. What was taken out by hand is not quoted: it may be private."""
        given = self.converted.examples
        out = sorted(row for row in self.rows.out if row < len(given))
        numbers = (example.source_row for example in chosen_of(given, out))
        taken = [LeftOut(number, f"Taken out: {self.rows.out[row]}") for number, row in zip(numbers, out, strict=True)]
        taken.sort(key=by_row)
        parts = (self.reading.left_out, self.converted.left_out, taken)
        return Merged(parts, by_row) if isinstance(given, Spilled) else tuple(sorted(chain(*parts), key=by_row))

    @cached_property
    def counts(self) -> Counter[str]:
        """Rows by split."""
        return Counter(self.splits)


def by_row(item: LeftOut) -> int:
    """Where a row stands in the file."""
    return item.row


def as_made(record: Dataset) -> dict[str, Any]:
    """The fields of a draft that begins as a data set was made."""
    names = {item.name for item in fields(Options)}
    chosen = {name: value for name, value in record.reading.get("options", {}).items() if name in names}
    about = {"options": Options(**chosen), "seed": record.seed, "validation": record.validation, "parent": record.id}
    if record.mapping.get("format") in FORMATS:
        about |= {"format": record.mapping["format"], "columns": dict(record.mapping.get("columns") or {})}
        about["choices"] = dict(record.mapping.get("choices") or {})
    return {**about, "provenance": record.provenance}


def share_faults(validation: Any, seed: Any) -> list[str]:
    """What is wrong with a share of rows and a seed; empty when nothing is."""
    faults = []
    number = isinstance(validation, (int, float)) and not isinstance(validation, bool)
    if not number or not 0 <= validation <= MOST_KEPT_ASIDE:
        faults.append(f"The share kept aside must lie between 0 and {MOST_KEPT_ASIDE:.0%}.")
    if not isinstance(seed, int) or isinstance(seed, bool) or not 0 <= seed <= MAX_SEED:
        faults.append(f"The seed must be a whole number from 0 to {MAX_SEED:,}.")
    return faults
