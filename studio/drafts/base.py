"""The rows of a draft as its file gives them, before anything is changed."""

from __future__ import annotations

import json
from array import array
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from typing import Self

from studio.data.convert import Converted, convert
from studio.data.detect import Mapping, detect, settle
from studio.data.formats import choices_of
from studio.data.read import Reading
from studio.data.split import assign, digests
from studio.drafts.records import Draft


@dataclass(frozen=True)
class Base:
    """The rows a file gives with one mapping, before any edit, and which of them are kept aside."""

    mapping: Mapping
    converted: Converted
    seed: int
    validation: float

    @classmethod
    def of(cls, draft: Draft, reading: Reading) -> Self:
        """The rows of a reading as the draft wants them. Raises StudioError when its columns do not fit."""
        choices = choices_of(draft.choices)
        mapping = detect(reading, choices)
        if draft.format and (draft.format, draft.columns) != (mapping.format, dict(mapping.columns)):
            mapping = settle(reading, Mapping(draft.format, dict(draft.columns), "chosen", "", choices))
        return cls(mapping, convert(reading, mapping), draft.seed, draft.validation)

    @cached_property
    def said(self) -> array[int]:
        """The digest of each row."""
        return digests(self.converted.examples)

    @cached_property
    def sides(self) -> list[str]:
        """The side of each row."""
        return assign(self.converted.examples, seed=self.seed, validation=self.validation, said=self.said)

    @cached_property
    def key(self) -> str:
        """What tells these rows from others: format, columns, and all they say."""
        named = json.dumps([self.mapping.format, sorted(self.mapping.columns.items())]).encode()
        return blake2b(named + self.said.tobytes(), digest_size=16).hexdigest()
