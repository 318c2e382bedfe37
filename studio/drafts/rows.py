"""The rows of drafts: read from their files when they are needed, the last ones kept at hand.

Rows of a large file lie in the draft's folder, where a restarted app finds them again:

    cache/draft-<id>/rows-<how it was read>/  examples-<how the columns were taken>/
"""

from __future__ import annotations

import json
import shutil
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from hashlib import blake2b
from pathlib import Path
from typing import Any

from studio.data.read import Reading, read, read_pasted
from studio.data.readers.streamed import reopened
from studio.data.spill import Room, Telling
from studio.drafts.base import Base
from studio.drafts.records import Draft, Options
from studio.errors import NotFound, StudioError

KEPT_READINGS = 4  # drafts whose rows stay at hand
KEPT_BASES = 2  # drafts whose examples do
ON_DISK = 4
"""Times its size that a large file needs in a draft: a copy, the rows, the examples, and one of these while another is made."""


class Rows:
    """Readings of drafts and the rows made of them. Safe to use from several threads; a draft is worked on by one at a time.

    Args:
        folder: The folder of a draft, by its id.
    """

    def __init__(self, folder: Callable[[str], Path]) -> None:
        self._folder = folder
        self._readings: OrderedDict[tuple[str, Options], Reading] = OrderedDict()
        self._bases: OrderedDict[str, tuple[Draft, Base]] = OrderedDict()  # by id of the draft
        self._gate = threading.Lock()
        self._works: dict[str, threading.RLock] = {}

    def reading(self, draft: Draft, telling: Telling) -> Reading:
        """What the draft's file holds. Raises StudioError, and Stopped."""
        key = (draft.id, draft.options)
        with self._work(draft.id):
            with self._gate:
                if key in self._readings:
                    self._readings.move_to_end(key)
                    return self._readings[key]
            found = self._read(draft, telling)
            with self._gate:
                self._readings[key] = found
                while len(self._readings) > KEPT_READINGS:
                    self._readings.popitem(last=False)
            return found

    def base(self, draft: Draft, telling: Telling) -> Base:
        """The rows of the draft before any edit. Raises StudioError, and Stopped."""
        asked = replace(draft, provenance={})
        with self._work(draft.id):
            with self._gate:
                known = self._bases.get(draft.id)
                if known and known[0] == asked:
                    self._bases.move_to_end(draft.id)
                    return known[1]
            reading = self.reading(draft, telling)
            room = Room(
                self._folder(draft.id) / f"examples-{mark_of(draft.options, draft.format, draft.columns, draft.choices)}", telling
            )
            with clean(room.folder):
                base = Base.of(draft, reading, room)
            with self._gate:
                self._bases[draft.id] = (asked, base)
                self._bases.move_to_end(draft.id)
                while len(self._bases) > KEPT_BASES:
                    self._bases.popitem(last=False)
            self._tidy(draft, room.folder)
            return base

    def forget(self, draft_id: str) -> None:
        """The draft is gone."""
        with self._gate:
            for key in [key for key in self._readings if key[0] == draft_id]:
                del self._readings[key]
            self._bases.pop(draft_id, None)
            self._works.pop(draft_id, None)

    @contextmanager
    def _work(self, draft_id: str) -> Iterator[None]:
        with self._gate:
            lock = self._works.setdefault(draft_id, threading.RLock())
        with lock:
            yield

    def _read(self, draft: Draft, telling: Telling) -> Reading:
        source = self._folder(draft.id) / "source" / draft.file
        if not source.is_file():
            raise NotFound("This data is not open any more.", "Its copy was removed.", "Add the file again.")
        if draft.pasted:
            return read_pasted(source.read_text(encoding="utf-8"))
        folder = self._rows_of(draft)
        if found := reopened(folder):
            return found
        with clean(folder):
            return read(source, **asdict(draft.options), room=Room(folder, telling))

    def _rows_of(self, draft: Draft) -> Path:
        return self._folder(draft.id) / f"rows-{mark_of(draft.options)}"

    def _tidy(self, draft: Draft, examples: Path) -> None:
        """Remove what other ways to read the file have left on the disk."""
        with self._gate:
            for key in [key for key in self._readings if key[0] == draft.id and key[1] != draft.options]:
                del self._readings[key]
        for path in self._folder(draft.id).glob("*-*"):
            if path.name.startswith(("rows-", "examples-")) and path not in (examples, self._rows_of(draft)):
                shutil.rmtree(path, ignore_errors=True)


def mark_of(*ways: Any) -> str:
    """A short text for how a file is read, or its rows are taken."""
    plain = [asdict(way) if isinstance(way, Options) else way for way in ways]
    return blake2b(json.dumps(plain, sort_keys=True).encode(), digest_size=8).hexdigest()


@contextmanager
def clean(folder: Path) -> Iterator[None]:
    """Remove the folder when the block fails. Raises StudioError where the disk does not take the rows."""
    try:
        yield
    except BaseException as error:
        shutil.rmtree(folder, ignore_errors=True)
        if isinstance(error, OSError):
            why = f"{error.strerror or 'The disk did not answer'}."
            raise StudioError("The rows were not kept on the disk.", why, "Free some room on the disk and try again.") from error
        raise
