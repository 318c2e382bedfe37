"""The rows of a draft as its file gives them, before anything is changed."""

from __future__ import annotations

import json
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from typing import Self

from studio.data.convert import Converted, convert
from studio.data.detect import Mapping, detect, settle
from studio.data.formats import choices_of
from studio.data.read import Reading
from studio.data.spill import BATCH, Room, Spilled
from studio.data.split import assign, digest, digests
from studio.drafts.records import Draft
from studio.records import Example

SAID = "said.bin"  # int64, the digest of each row


@dataclass(frozen=True)
class Base:
    """The rows a file gives with one mapping, before any edit, and which of them are kept aside.

    `said` has the digest of each row.
    """

    mapping: Mapping
    converted: Converted
    said: array[int]
    seed: int
    validation: float

    @classmethod
    def of(cls, draft: Draft, reading: Reading, room: Room) -> Self:
        """The rows of a reading as the draft wants them. Raises StudioError when its columns do not fit, and Stopped.

        Args:
            room: Where the examples of a large file go, and are found again.
        """
        choices = choices_of(draft.choices)
        mapping = detect(reading, choices)
        if draft.format and (draft.format, draft.columns) != (mapping.format, dict(mapping.columns)):
            mapping = settle(reading, Mapping(draft.format, dict(draft.columns), "chosen", "", choices))
        converted = convert(reading, mapping, room)
        return cls(mapping, converted, said_of(converted.examples, room), draft.seed, draft.validation)

    @cached_property
    def sides(self) -> list[str]:
        """The side of each row."""
        labelled = self.mapping.format == "labels"
        return assign(self.converted.examples, seed=self.seed, validation=self.validation, said=self.said, labelled=labelled)

    @cached_property
    def key(self) -> str:
        """What tells these rows from others: format, columns, and all they say."""
        named = json.dumps([self.mapping.format, sorted(self.mapping.columns.items())]).encode()
        return blake2b(named + self.said.tobytes(), digest_size=16).hexdigest()


def said_of(examples: Sequence[Example], room: Room) -> array[int]:
    """The digest of each row; kept in `room` where the rows are on the disk, too. Raises Stopped."""
    if not isinstance(examples, Spilled):
        return digests(examples)
    path = room.folder / SAID
    if path.is_file() and path.stat().st_size == 8 * len(examples):
        return array("q", path.read_bytes())
    said = array("q")
    for at, example in enumerate(examples):
        if not at % BATCH:
            room.telling.tell("share", at, len(examples), at)
        said.append(digest(example))
    path.write_bytes(said.tobytes())
    return said
