"""Looks through the rows of a draft or a saved set in the background, so that the page stays quick however many there are."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Any, Self

from studio.config import DataConfig
from studio.data import checks, learning
from studio.data.checks.about import About
from studio.data.edits import kept
from studio.datasets import DatasetStore
from studio.drafts import GOALS, Drafts, Opened
from studio.drafts.edits import saved_edits
from studio.errors import NotFound, StudioError
from studio.records import Example, Finding

log = logging.getLogger("studio.checkup")
KEPT = 3  # looks that no page waits for whose findings stay in memory

Lengths = Callable[[str, Sequence[Example]], Sequence[int]]


class Cancelled(Exception):
    """The rows have changed meanwhile; raised inside a look to end it."""


@dataclass(frozen=True)
class Learning:
    """What the rows say about the learning ahead."""

    lengths: learning.Lengths
    labels: tuple[tuple[str, int], ...]
    variety: learning.Variety
    amount: learning.Amount

    @classmethod
    def of(cls, rows: Sequence[Example], about: About) -> Self:
        """Looks through the rows once for each part."""
        return cls(
            learning.length_histogram(about.lengths, about.max_length),
            learning.label_counts(rows),
            learning.variety(rows),
            learning.amount(rows, about.goal, about.splits),
        )


class Checkup:
    """One look. `progress` is (rows done, rows to do, name of the check); `findings` is None until it came to its end."""

    def __init__(self, ids: Sequence[int], rows: Sequence[Example], about: Callable[[], About]) -> None:
        self.rows, self.row_ids, self._about = rows, ids, about
        self.progress: tuple[int, int, str] = (0, 0, "")
        self.findings: list[Finding] | None = None
        self.learning: Learning | None = None
        self.error: StudioError | None = None
        self.watchers = 0  # pages that wait for it
        self.touched = 0  # when the draft was changed last, as far as is known to leave its rows as they were
        self._done, self._cancelled = threading.Event(), threading.Event()
        threading.Thread(target=self._run, name="checkup", daemon=True).start()

    def wait(self, seconds: float) -> bool:
        """Whether it has ended, well or not, within so many seconds."""
        return self._done.wait(seconds)

    def cancel(self) -> None:
        """End it soon, without findings."""
        self._cancelled.set()

    @property
    def stopped(self) -> bool:
        """Whether it was ended before it came to its end."""
        return self._cancelled.is_set() and self._done.is_set() and self.findings is None and self.error is None

    def ids(self, finding: Finding) -> list[int]:
        """The ids of the rows that a finding is about."""
        return [self.row_ids[place] for place in finding.rows]

    def mended(self, finding: Finding, remedy: str) -> dict[int, Example | None]:
        """What the rows become by a remedy, by id; None takes a row out."""
        return {self.row_ids[place]: row for place, row in checks.mend(self.rows, finding, remedy).items()}

    def _tell(self, done: int, whole: int, name: str) -> None:
        if self._cancelled.is_set():
            raise Cancelled
        self.progress = (done, whole, name)

    def _run(self) -> None:
        try:
            about = self._about()
            found = checks.run(self.rows, about, self._tell)
            self.learning = Learning.of(self.rows, about)
            self.findings = found
        except Cancelled:
            pass
        except StudioError as error:
            self.error = error
        except Exception:
            log.exception("a look through the rows failed")
            self.error = StudioError(
                "The rows were not looked through.", "The details are in studio.log.", "Training is possible all the same."
            )
        finally:
            self._done.set()


def state_of(opened: Opened) -> str:
    """A short text that changes whenever the rows of a draft do."""
    rows = replace(opened.draft, provenance={}, name="")
    changing = [edit.at for edit in opened.log.done if edit.changes]
    return blake2b(f"{rows}{len(changing)}{changing[-1:]}".encode(), digest_size=8).hexdigest()


class Checkups:
    """The looks of one workspace. Safe to use from several threads.

    `lengths(model_id, rows)` gives the tokens of each row, or nothing where they cannot be known yet, which `countable` tells.
    """

    def __init__(self, drafts: Drafts, datasets: DatasetStore, lengths: Lengths, countable: Callable[[str], bool]) -> None:
        self.drafts, self.datasets, self.lengths, self.countable = drafts, datasets, lengths, countable
        self._looks: OrderedDict[tuple[Any, ...], Checkup] = OrderedDict()
        self._gate = threading.Lock()

    def begin(self, draft_id: str | None, dataset_id: str | None, model_id: str) -> Checkup:
        """The look through the rows as they are now: begun, on its way or done. Looks through its rows as they were are ended.

        Raises NotFound when there is neither draft nor data set.
        """
        touched = self.drafts.touched(draft_id) if draft_id else 0
        opened = self.drafts.open(draft_id) if draft_id else None
        item = draft_id or dataset_id
        key = (item, state_of(opened) if opened else "", model_id, self.countable(model_id))
        with self._gate:
            if key not in self._looks or self._looks[key].stopped:
                for other in [other for other in self._looks if other[0] == item and (other[1] != key[1] or other == key)]:
                    self._looks.pop(other).cancel()
                self._looks[key] = self._of_draft(opened, model_id) if opened else self._of_set(str(dataset_id), model_id)
                self._looks[key].touched = touched
            self._looks.move_to_end(key)
            self._make_room()
            return self._looks[key]

    def stop(self, item: str) -> None:
        """End the looks through the rows of a draft or a data set; the next `begin` begins anew."""
        with self._gate:
            for look in [look for key, look in self._looks.items() if key[0] == item]:
                look.cancel()

    @contextmanager
    def watched(self, look: Checkup) -> Iterator[None]:
        """While a page waits for a look, no other page's look takes its place."""
        with self._gate:
            look.watchers += 1
        try:
            yield
        finally:
            with self._gate:
                look.watchers -= 1
                self._make_room()

    def known(self, draft_id: str | None, dataset_id: str | None) -> list[Checkup]:
        """The looks through the rows as they are now, ended or not, the newest first. Raises NotFound."""
        state = state_of(self.drafts.open(draft_id)) if draft_id else ""
        with self._gate:
            return [look for key, look in reversed(self._looks.items()) if key[:2] == (draft_id or dataset_id, state)]

    def kept(self, draft_id: str | None, dataset_id: str | None) -> dict[str, dict[int, float]]:
        """What a person decided to leave as it is: `Finding.keep` -> row, as `Checkup.ids` knows it -> when. Raises NotFound."""
        if draft_id:
            return kept(self.drafts.open(draft_id).log.done)
        decided = kept(saved_edits(self.datasets.folder(str(dataset_id))))
        if not any(decided.values()):
            return {}
        at = {record["row_id"]: place for place, record in enumerate(self.datasets.records(str(dataset_id), ["row_id"]))}
        return {what: {at[row]: when for row, when in rows.items() if row in at} for what, rows in decided.items()}

    def _make_room(self) -> None:
        free = [key for key, look in self._looks.items() if not look.watchers]
        for key in free[: max(0, len(free) - KEPT)]:
            self._looks.pop(key).cancel()

    def current(self, look: Checkup, draft_id: str | None) -> bool:
        """Whether the rows are still those of this look, and nobody has begun another one."""
        with self._gate:
            state = next((key[1] for key, known in self._looks.items() if known is look), None)
        touched = self.drafts.touched(draft_id) if draft_id else look.touched
        if state is None or touched == look.touched:
            return state is not None
        try:
            same = state == state_of(self.drafts.open(str(draft_id)))
        except NotFound:
            return False
        look.touched = touched if same else look.touched
        return same

    def _of_draft(self, opened: Opened, model_id: str) -> Checkup:
        goal = GOALS.get(opened.mapping.format, "questions")
        return self._look(opened.rows.ids, opened.rows, opened.splits, goal, model_id)

    def _of_set(self, dataset_id: str, model_id: str) -> Checkup:
        record, rows = self.datasets.get(dataset_id), self.datasets.stored(dataset_id)
        splits = [item["split"] for item in self.datasets.records(dataset_id, ["split"])]
        return self._look(range(len(rows)), rows, splits, record.goal, model_id)

    def _look(self, ids: Sequence[int], rows: Sequence[Example], splits: Sequence[str], goal: str, model_id: str) -> Checkup:
        def about() -> About:
            return About(splits=splits, goal=goal, lengths=self.lengths(model_id, rows), max_length=DataConfig().max_length)

        return Checkup(ids, rows, about)
