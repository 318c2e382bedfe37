"""What every check is told beside the rows, and the signature that all of them share.

A check is a module of this folder with

    KEY      its name, the same as the module's
    find     find(rows, about) -> list[Finding]; `rows` may be read from the disk, so it goes through them once, in order
    mend     mend(rows, finding, remedy) -> Changes; `remedy` is the key of one of the finding's remedies
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from studio.records import Example, Finding

Changes = Mapping[int, Example | None]
"""Position of a row -> what it becomes; None takes it out."""


@dataclass(frozen=True)
class About:
    """Plain values around the rows.

    `splits` has train, validation or test for each row. `goal` is one of questions, voice, sorting, format.
    `lengths` has each row's tokens where a model's tokenizer is at hand, and `max_length` the most that are learned of one.
    """

    splits: Sequence[str] = ()
    goal: str = "questions"
    lengths: Sequence[int] = ()
    max_length: int = 0


class Check(Protocol):
    """The shape of a check's module."""

    KEY: str

    @staticmethod
    def find(rows: Sequence[Example], about: About) -> list[Finding]:
        """What is to be said about the rows; empty when all is well."""

    @staticmethod
    def mend(rows: Sequence[Example], finding: Finding, remedy: str) -> Changes:
        """The rows as the remedy would have them. Raises StudioError for an unknown remedy."""
