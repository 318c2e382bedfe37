"""Proposing examples in a thread: passage after passage, with progress, stop, and everything kept as soon as it is written."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from studio.errors import Busy, StudioError
from studio.inference.proposals import Proposals
from studio.inference.propose import Passage, Source, check, propose

log = logging.getLogger("studio.inference")

JobState = Literal["working", "finished", "stopped", "failed"]


@dataclass(frozen=True)
class Progress:
    """Where the proposing stands: `done` of `total` passages, `written` pairs that are kept for judging, `dropped` that are not.

    `error` has what, why and fix when it failed; what was written until then stays.
    """

    draft_id: str
    state: JobState
    done: int
    total: int
    written: int = 0
    dropped: int = 0
    writer: str = ""
    error: dict[str, str] | None = None

    @property
    def sentence(self) -> str:
        """How it stands, for the person."""
        if self.state == "failed" and self.error:
            return self.error["what"]
        pairs = "1 example" if self.written == 1 else f"{self.written:,} examples"
        done = "Reading the document" if self.state == "working" else "Stopped" if self.state == "stopped" else "Done"
        dropped = f" {self.dropped:,} were thrown away, as the passage does not bear them out." if self.dropped else ""
        return f"{done}, {self.done:,} of {self.total:,} passages. {pairs} to judge.{dropped}"


class Proposing:
    """Proposes for one draft at a time, in a thread of this process."""

    def __init__(self) -> None:
        self._gate = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._progress: Progress | None = None

    def progress(self, draft_id: str) -> Progress | None:
        """Where it stands for a draft; None when nothing was begun for it in this process."""
        now = self._progress
        return now if now and now.draft_id == draft_id else None

    def start(
        self,
        draft_folder: Path,
        passages: Sequence[Passage],
        source: Callable[[], AbstractContextManager[Source]],
        *,
        per_passage: int = 3,
        goal: str = "questions",
    ) -> None:
        """Begin; pressing twice begins once.

        Args:
            source: Makes the source inside the thread: a `BaseModel`, or `contextlib.nullcontext(LocalEndpoint(...))`.
        Raises:
            Busy: It works for another draft.
            StudioError: The goal has no questions, or there is nothing to read.
        """
        check(per_passage, goal)
        if not passages:
            raise StudioError("No examples were proposed.", "The document has no passages.", "Add a document with text in it.")
        with self._gate:
            now = self._progress
            if now and now.state == "working":
                if now.draft_id == draft_folder.name:
                    return
                raise Busy("Nothing was begun.", "Another document is being read.", "Wait until that is done, or stop it.")
            self._stop.clear()
            self._progress = Progress(draft_folder.name, "working", 0, len(passages))
            work = (Proposals(draft_folder), passages, source, per_passage, goal)
            self._thread = threading.Thread(target=self._run, args=work, name="studio-proposing", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Ask it to end; what was written stays."""
        self._stop.set()

    def close(self, timeout: float = 10.0) -> None:
        """Stop and wait at most `timeout` seconds."""
        self._stop.set()
        if self._thread:
            self._thread.join(timeout)

    def _run(
        self,
        proposals: Proposals,
        passages: Sequence[Passage],
        source: Callable[[], AbstractContextManager[Source]],
        per_passage: int,
        goal: str,
    ) -> None:
        try:
            with source() as model:
                self._tell(writer=model.name)
                for passage in passages:
                    if self._stop.is_set():
                        break
                    found = propose(model, passage, per_passage, goal, self._stop.is_set)
                    added = proposals.add(found.proposals, model.name)
                    now = self._progress
                    read = now.done + (not self._stop.is_set())  # a passage that was cut short is not read
                    self._tell(done=read, written=now.written + added, dropped=now.dropped + found.dropped)
            self._tell(state="stopped" if self._stop.is_set() else "finished")
        except StudioError as error:
            self._tell(state="failed", error={"what": error.what, "why": error.why, "fix": error.fix})
        except Exception:
            log.exception("proposing ended badly")
            what = {"what": "Proposing examples ended early.", "why": "Something unexpected went wrong.", "fix": "Try again."}
            self._tell(state="failed", error=what)

    def _tell(self, **changes: object) -> None:
        self._progress = replace(self._progress, **changes)
