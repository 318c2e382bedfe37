"""A log of changes to rows, and the rows as they are after them. The rows themselves are never copied or changed.

A row is known by its id: its position among the rows as converted from the file, and for added rows the next free number.
So ids stay while the file is read in the same way, whatever is taken out.
"""

from __future__ import annotations

import time
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self, overload

from studio.errors import NotFound, StudioError
from studio.records import Example

LARGEST_ID = 2**53  # whole numbers up to here are the same in every reader of JSON
DECIDED_BY = "the person at the page"


@dataclass(frozen=True)
class Kept:
    """A decision of the person at the page: what was found in these rows stays as it is; or, `keep` False, no longer does.

    `what` is the `keep` of a `Finding`; `ids` are the rows it was about then.
    """

    what: str
    ids: tuple[int, ...]
    keep: bool = True

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values, with who decided."""
        return {"what": self.what, "ids": list(self.ids), "keep": self.keep, "by": DECIDED_BY}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        """The decision of `to_json()`'s values. Raises KeyError, TypeError or ValueError for anything else."""
        return cls(str(values["what"]), tuple(map(int, values["ids"])), bool(values["keep"]))


@dataclass(frozen=True)
class Edit:
    """One change. `changes` maps a row's id to what it becomes; None takes it out. `at`: when, in seconds since 1970.

    An edit with `kept` changes no row.
    """

    label: str
    changes: Mapping[int, Example | None]
    at: float = field(default_factory=time.time)
    kept: Kept | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values; rows that are taken out are a list of ids, so that many of them take little room."""
        changed = {str(row): plain(example) for row, example in self.changes.items() if example is not None}
        out = [row for row, example in self.changes.items() if example is None]
        decided = {"kept": self.kept.to_json()} if self.kept else {}
        return {"label": self.label, "at": self.at, "rows": changed, "out": out, **decided}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        """The edit of `to_json()`'s values. Raises ValueError for anything else."""
        try:
            changes: dict[int, Example | None] = {int(row): example_of(cells) for row, cells in values["rows"].items()}
            changes |= dict.fromkeys((int(row) for row in values["out"]), None)
            kept = Kept.from_json(values["kept"]) if "kept" in values else None
            edit = cls(str(values["label"]), changes, float(values["at"]), kept)
        except (KeyError, TypeError, AttributeError, OverflowError) as error:
            raise ValueError("This is no edit.") from error
        if not all(0 <= row < LARGEST_ID for row in changes):
            raise ValueError("This is no row's id.")
        return edit


@dataclass(frozen=True)
class Log:
    """Edits in their order. The first `cursor` of them count; the others were undone and can be done again."""

    edits: tuple[Edit, ...] = ()
    cursor: int = 0

    @property
    def done(self) -> tuple[Edit, ...]:
        """The edits that count."""
        return self.edits[: self.cursor]

    def add(self, edit: Edit) -> Log:
        """The log with one more edit; what was undone before it is forgotten."""
        return Log((*self.done, edit), self.cursor + 1)

    def undo(self) -> Log:
        """The log without its last edit. Raises StudioError when there is none."""
        if not self.cursor:
            raise StudioError("There is nothing to undo.", "No row was changed yet.")
        return replace(self, cursor=self.cursor - 1)

    def redo(self) -> Log:
        """The log with the edit that was undone last. Raises StudioError when there is none."""
        if self.cursor == len(self.edits):
            raise StudioError("There is nothing to do again.", "Nothing was undone before.")
        return replace(self, cursor=self.cursor + 1)


class Edited(Sequence[Example]):
    """Rows after edits, in order: those of the file, then the added ones. Unchanged rows are the very objects of `base`.

    `ids` has each row's id, ascending, and takes 8 bytes a row where any was taken out. `base` may be read from the disk.
    """

    def __init__(self, base: Sequence[Example], changed: Mapping[int, Example], out: Mapping[int, str]) -> None:
        """`changed`: what rows became, and the added rows. `out`: the rows that were taken out, with the edit's label."""
        self.base, self.changed, self.out = base, changed, out
        added = sorted(row for row in changed if row >= len(base))
        self.ids: Sequence[int] = range(len(base))
        if added or any(row < len(base) for row in out):
            self.ids = array("q", (row for row in self.ids if row not in out))
            self.ids.extend(added)

    def __len__(self) -> int:
        return len(self.ids)

    @overload
    def __getitem__(self, at: int) -> Example: ...

    @overload
    def __getitem__(self, at: slice) -> Sequence[Example]: ...

    def __getitem__(self, at: int | slice) -> Example | Sequence[Example]:
        """The row at a position, or a list of the rows of a slice."""
        return [self._row(row) for row in self.ids[at]] if isinstance(at, slice) else self._row(self.ids[at])

    def __iter__(self) -> Iterator[Example]:
        if not self.changed and not self.out:
            return iter(self.base)
        return self._each()

    def _each(self) -> Iterator[Example]:
        """One row after the other: a `base` on the disk is much quicker to go through than to pick from."""
        for row, example in enumerate(self.base):
            if row not in self.out:
                yield self.changed.get(row, example)
        yield from (self.changed[row] for row in self.ids[bisect_left(self.ids, len(self.base)) :])

    def __eq__(self, other: object) -> bool:
        """Whether both are the same rows under the same ids."""
        return isinstance(other, Edited) and list(self.ids) == list(other.ids) and all(map(same, self, other))

    __hash__ = None  # type: ignore[assignment]

    def _row(self, row: int) -> Example:
        found = self.changed.get(row)
        return self.base[row] if found is None else found

    def position(self, row: int) -> int:
        """Where the row with this id stands now. Raises NotFound when it is not there."""
        at = bisect_left(self.ids, row) if isinstance(row, int) and not isinstance(row, bool) else len(self)
        if at == len(self) or self.ids[at] != row:
            raise NotFound("This row is not there any more.", "It was taken out, or never was there.", "Pick another row.")
        return at

    def row(self, row: int) -> Example:
        """The row with this id. Raises NotFound."""
        return self[self.position(row)]


def apply(examples: Sequence[Example], edits: Iterable[Edit] = (), before: Edited | None = None) -> Edited:
    """The rows after the edits, one behind the other. What an edit says of a row replaces what earlier ones said of it.

    `before`: the same examples after earlier edits, to go on from.
    """
    changed: dict[int, Example] = dict(before.changed) if before else {}
    out: dict[int, str] = dict(before.out) if before else {}
    for edit in edits:
        for row, example in edit.changes.items():
            if example is None:
                changed.pop(row, None)
                out[row] = edit.label
            else:
                out.pop(row, None)
                changed[row] = example
    return Edited(examples, changed, out)


def kept(edits: Iterable[Edit]) -> dict[str, dict[int, float]]:
    """What was decided to stay: `Kept.what` -> row -> when. A row that was changed since is to be decided on anew."""
    found: dict[str, dict[int, float]] = {}
    for edit in edits:
        for rows in found.values():
            for row in edit.changes if rows else ():
                rows.pop(row, None)
        if edit.kept and edit.kept.keep:
            found.setdefault(edit.kept.what, {}).update(dict.fromkeys(edit.kept.ids, edit.at))
        elif edit.kept:
            for row in edit.kept.ids:
                found.get(edit.kept.what, {}).pop(row, None)
    return found


def next_id(count: int, edits: Iterable[Edit]) -> int:
    """The id of the next added row, where the file gave `count` rows. Ids of rows that were taken out are not used again."""
    return max(count, 1 + max((row for edit in edits for row in edit.changes), default=-1))


def same(one: Example, other: Example) -> bool:
    """Whether two rows are equal; quick when they are the same object."""
    return one is other or one == other


def plain(example: Example) -> dict[str, Any]:
    """What is set in an example, as JSON values. The texts are not copied."""
    return {name: value for name, value in vars(example).items() if value}


def example_of(values: dict[str, Any]) -> Example:
    """The example of `plain()`'s values. Raises ValueError, or TypeError for what is no object."""
    example = Example.from_json({**values, "messages": tuple(values.get("messages", ()))})
    texts = [example.text, example.label, example.source_file]
    for message in example.messages:
        texts += [message["role"], message["content"]]
    if not all(isinstance(text, str) for text in texts) or not isinstance(example.source_row, int):
        raise ValueError("This is no example.")
    return example
