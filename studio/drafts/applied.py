"""The rows of a draft after its edits, kept from one look to the next: a long log is not applied anew for every press."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from studio.data.edits import Edited, Log, apply
from studio.data.split import carry_over
from studio.drafts.base import Base
from studio.drafts.records import Draft


@dataclass(frozen=True)
class Applied:
    """Rows and their splits, and what they were made of."""

    base: Base
    log: Log
    seed: int
    validation: float
    rows: Edited
    splits: tuple[str, ...]

    @classmethod
    def of(cls, base: Base, log: Log, draft: Draft, before: Applied | None = None) -> Self:
        """The rows after the log's edits. `before`, of any draft, is used as far as it holds what is wanted."""
        same = before if before and before.base is base and before.log.done == log.done[: before.log.cursor] else None
        new = log.done[same.log.cursor :] if same else log.done
        rows = same.rows if same else None
        if rows is None or any(edit.changes for edit in new):
            rows = apply(base.converted.examples, new, rows)
        shared = (draft.seed, draft.validation)
        if same and rows is same.rows and shared == (same.seed, same.validation):
            return cls(base, log, *shared, rows, same.splits)
        splits = carry_over(rows, base.sides, base.said, seed=draft.seed, validation=draft.validation)
        return cls(base, log, *shared, rows, tuple(splits))
