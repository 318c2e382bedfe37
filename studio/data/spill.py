"""Rows on the disk that look like a list: one JSON value a line, read when it is asked for.

In memory is where each line begins, 8 bytes a row. No file stays open, so that it can be deleted at any moment, also on Windows.
"""

from __future__ import annotations

import json
import threading
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from heapq import merge
from itertools import islice
from pathlib import Path
from typing import Any, Generic, TypeVar, overload

from studio.errors import NotFound, Stopped

LARGE = 16 * 2**20  # bytes of a file; the rows of smaller ones stay in memory, where they take about eight times as much
BATCH = 4096  # rows that are worked on together
DECODER = json.JSONDecoder()
T = TypeVar("T")


@dataclass
class Telling:
    """How far long work on rows is, for whoever waits, and the wish to end it.

    `done` and `whole` count in the unit of the work at hand (bytes of a file, rows), which `work` names by a key:
    "copy", "read", "convert", "share" or "save".
    """

    work: str = ""
    done: int = 0
    whole: int = 0
    rows: int = 0

    def __post_init__(self) -> None:
        self._stop = threading.Event()

    def stop(self) -> None:
        """End the work soon."""
        self._stop.set()

    def tell(self, work: str, done: int, whole: int, rows: int = 0) -> None:
        """Say how far it is. Raises Stopped when it is to end."""
        if self._stop.is_set():
            raise Stopped
        self.work, self.done, self.whole, self.rows = work, done, whole, rows


@dataclass(frozen=True)
class Room:
    """A folder for rows that are too many for the memory, and whom to tell how far reading is."""

    folder: Path
    telling: Telling


class Spilled(Sequence[T], Generic[T]):
    """The rows of a file that `Spill` has written.

    Args:
        load: Makes a row of a line's JSON value.
        starts: Where each line begins, and the end of the last; found by going through the file when None.
    """

    def __init__(self, path: Path, load: Callable[[Any], T], starts: array[int] | None = None) -> None:
        self.path, self._load = path, load
        self._starts = line_starts(path) if starts is None else starts

    def __len__(self) -> int:
        return len(self._starts) - 1

    def __iter__(self) -> Iterator[T]:
        with self._open() as handle:
            for line in handle:
                yield self._load(value_of(line))

    @overload
    def __getitem__(self, at: int) -> T: ...

    @overload
    def __getitem__(self, at: slice) -> list[T]: ...

    def __getitem__(self, at: int | slice) -> T | list[T]:
        places = range(len(self))[at]
        with self._open() as handle:
            if isinstance(places, int):
                return self._at(handle, places)
            return [self._at(handle, place) for place in places]

    def _at(self, handle: Any, place: int) -> T:
        handle.seek(self._starts[place])
        return self._load(value_of(handle.read(self._starts[place + 1] - self._starts[place])))

    def _open(self) -> Any:
        try:
            return open(self.path, "rb")
        except FileNotFoundError as error:
            raise NotFound("These rows are not open any more.", "Their copy was removed.", "Look at the data again.") from error


class Spill:
    """Writes rows into a file, whatever their number."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._starts = array("q", [0])
        path.parent.mkdir(parents=True, exist_ok=True)
        self._handle = open(path, "wb")  # noqa: SIM115 - closed by done() or close()

    def __len__(self) -> int:
        return len(self._starts) - 1

    def extend(self, values: Iterable[Any]) -> None:
        """Add JSON values."""
        lines = [json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass") + b"\n" for value in values]
        end = self._starts[-1]
        for line in lines:
            end += len(line)
            self._starts.append(end)
        self._handle.write(b"".join(lines))

    def done(self, load: Callable[[Any], T]) -> Spilled[T]:
        """All that was added, as a sequence."""
        self.close()
        return Spilled(self.path, load, self._starts)

    def close(self) -> None:
        """Let go of the file."""
        self._handle.close()


def value_of(line: bytes) -> Any:
    """The JSON value of a line; three times as fast as `json.loads`, which first finds out in which encoding bytes are."""
    return DECODER.raw_decode(line.decode("utf-8", "surrogatepass"))[0]


def line_starts(path: Path) -> array[int]:
    """Where each line of a file begins, and where the last one ends."""
    starts, end = array("q", [0]), 0
    with open(path, "rb") as handle:
        for line in handle:
            end += len(line)
            starts.append(end)
    return starts


class Merged(Sequence[T], Generic[T]):
    """Several sequences, each in the order of `key`, as one in that order; nothing is copied."""

    def __init__(self, parts: Iterable[Sequence[T]], key: Callable[[T], Any]) -> None:
        self._parts, self._key = tuple(part for part in parts if len(part)), key

    def __len__(self) -> int:
        return sum(map(len, self._parts))

    def __iter__(self) -> Iterator[T]:
        return merge(*self._parts, key=self._key)

    @overload
    def __getitem__(self, at: int) -> T: ...

    @overload
    def __getitem__(self, at: slice) -> list[T]: ...

    def __getitem__(self, at: int | slice) -> T | list[T]:
        places = range(len(self))[at]
        if isinstance(places, int):
            return next(islice(self, places, None))
        if not len(places):
            return []
        if places.step < 0:
            return self[places[-1] : places[0] + 1 : -places.step][::-1]
        return list(islice(self, places.start, places.stop, places.step))
