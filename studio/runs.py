"""Run folders as a typed store: the run folder is the contract between the trainer and everything that shows a run.

    runs/<id>/ config.json status.json metrics.jsonl samples.jsonl events.jsonl run.log run.lock stop.json
               checkpoints/step-00000120/ adapter/ start/

metrics.jsonl is append-only. A resume appends {"resume": step}; readers drop earlier records beyond that step.
"""

from __future__ import annotations

import contextlib
import shutil
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from studio.config import RunConfig
from studio.errors import Busy, NotFound, StudioError
from studio.records import NO_ETA, RESUMABLE_STATES, RunStatus, Sample, StopKind
from studio.workspace import Lock, Workspace, append_json, disk_used, display_name, json_lines, read_json, write_json

START_GRACE = 20.0  # seconds a queued run may be without its lock before it counts as interrupted
START_FOLDER = "start"
LONGEST_TAIL = 8 * 2**20  # bytes of a log read at once
END_SECONDS = 5.0  # for a trainer that has said how it ended to let go of its lock
STOP_KINDS: tuple[StopKind, ...] = ("pause", "keep", "discard")  # a later request can only ask for more


@dataclass(frozen=True)
class Curve:
    """What a plot of one run needs. Training: (step, loss); validation: (step, loss). `cursor` changes when the file grows."""

    training: list[tuple[int, float | None]]
    validation: list[tuple[int, float | None]]
    cursor: int


@dataclass(frozen=True)
class Turns:
    """Which run has the computer, which wait for it (next first), and which are paused (newest first)."""

    live: str | None
    waiting: tuple[str, ...]
    paused: tuple[str, ...]


class RunStore:
    """Creates, reads and deletes run folders of one workspace."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace

    def folder(self, run_id: str) -> Path:
        """The folder of a run; it need not exist."""
        return self.workspace.folder("runs", run_id)

    def create(self, config: RunConfig, place: int | None = None) -> str:
        """Write a new run in state "queued" and return its id. Raises ConfigError with every fault.

        Without a `place` in the queue it counts as live, so its trainer has to start soon.
        """
        config = replace(config.validate(), name=display_name(config.name, "My run"))
        folder = self.workspace.new_folder("runs", config.name)
        now = time.time()
        write_json(folder / "status.json", RunStatus(place=place, created_at=now, updated_at=now).to_json())
        write_json(folder / "config.json", config.to_json())
        return folder.name

    def ids(self) -> list[str]:
        """Ids of all runs, newest first."""
        return list(self.statuses())

    def statuses(self) -> dict[str, RunStatus]:
        """The status of every run, newest first; one that is deleted in this moment is left out."""
        found = {}
        for run_id in self.workspace.items("runs"):
            if (self.folder(run_id) / "config.json").is_file():
                with contextlib.suppress(NotFound):
                    found[run_id] = self.status(run_id)
        return dict(sorted(found.items(), key=lambda item: item[1].created_at, reverse=True))

    def config(self, run_id: str) -> RunConfig:
        """The settings the run was started with."""
        return RunConfig.from_json(read_json(self.folder(run_id) / "config.json"))

    def status(self, run_id: str) -> RunStatus:
        """The newest snapshot. A run that says it is live but whose lock nobody holds reads as "interrupted"."""
        status = self._stored(run_id)
        if status.live and not self.lock(run_id).held():
            status = self._stored(run_id)  # it may have ended in between, or only just begun
            if status.live and not self._just_queued(status) and not self.lock(run_id).held():
                return replace(status, state="interrupted", phase="", **NO_ETA)
        return status

    def _stored(self, run_id: str) -> RunStatus:
        """What the newest snapshot says, true or not."""
        return RunStatus.from_json(read_json(self.folder(run_id) / "status.json"))

    @staticmethod
    def _just_queued(status: RunStatus) -> bool:
        return status.state == "queued" and not status.waiting and time.time() - status.updated_at < START_GRACE

    def write_status(self, run_id: str, status: RunStatus, *, durable: bool = False) -> None:
        """Replace the snapshot."""
        write_json(self.folder(run_id) / "status.json", replace(status, updated_at=time.time()).to_json(), durable=durable)

    def lock(self, run_id: str) -> Lock:
        """The run's own lock: held by whichever process trains it."""
        return Lock(self.folder(run_id) / "run.lock")

    def live(self) -> str | None:
        """The id of the run that is training or about to, if any."""
        return self.turns().live

    def turns(self) -> Turns:
        """Who trains, who waits and who is paused, in one look over all runs."""
        statuses = self.statuses()
        waiting = {run_id: (status.place, status.created_at) for run_id, status in statuses.items() if status.waiting}
        return Turns(
            live=next((run_id for run_id, status in statuses.items() if status.live), None),
            waiting=tuple(sorted(waiting, key=waiting.__getitem__)),
            paused=tuple(run_id for run_id, status in statuses.items() if status.state == "paused"),
        )

    def mark_interrupted(self) -> list[str]:
        """Write "interrupted" into runs that a dead process left live, and delete what it was asked to discard.

        Call once at start-up. Returns the ids of the interrupted ones. Runs in the queue go on waiting.
        """
        found = []
        for run_id in self.ids():
            stored = self._stored(run_id)
            if not stored.live or self.lock(run_id).held():
                continue
            if self.stop_requested(run_id) == "discard":
                self.delete(run_id)
            else:
                self.write_status(run_id, replace(stored, state="interrupted", phase="", **NO_ETA), durable=True)
                found.append(run_id)
        return found

    # ---- control

    def request_stop(self, run_id: str, kind: str = "keep") -> None:
        """Ask the trainer, in whichever process it lives, to stop.

        Args:
            kind: "pause" gives the computer back for a while, "keep" ends the run and keeps what was learned, "discard"
                deletes the run once it has stopped. What was asked for before is only ever replaced by the later in this list.

        Raises NotFound when the run is gone.
        """
        if kind not in STOP_KINDS:
            raise StudioError("The run was not stopped.", f"There is no way of stopping called {kind!r}.")
        before = self.stop_requested(run_id)
        if self.status(run_id).live and (not before or STOP_KINDS.index(kind) > STOP_KINDS.index(before)):
            try:
                write_json(self.folder(run_id) / "stop.json", {"kind": kind})
            except FileNotFoundError:
                self._stored(run_id)  # discarded meanwhile by its own thread: that is said
                raise

    def stop_requested(self, run_id: str) -> StopKind | Literal[""]:
        """How somebody asked this run to stop; empty when nobody did."""
        try:
            kind = read_json(self.folder(run_id) / "stop.json").get("kind")
        except NotFound:
            return ""
        except (StudioError, AttributeError):
            return "keep"  # a damaged request is still one
        return kind if kind in STOP_KINDS else "keep"

    def clear_stop(self, run_id: str) -> None:
        """Forget a request to stop (at the start of a run or a resume)."""
        (self.folder(run_id) / "stop.json").unlink(missing_ok=True)

    def resumable(self, run_id: str) -> bool:
        """Whether the run ended early and has a checkpoint, or never got to one and can start over."""
        return self.status(run_id).state in RESUMABLE_STATES

    def let_go(self, run_id: str) -> bool:
        """Wait until a trainer that has said how it ended lets go of its run. False if it keeps it; NotFound if it is gone."""
        deadline = time.monotonic() + END_SECONDS
        while self.lock(run_id).held():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        self._stored(run_id)
        return True

    def rename(self, run_id: str, name: str) -> None:
        """Give the run another name to show; its id and folder stay."""
        path = self.folder(run_id) / "config.json"
        write_json(path, {**read_json(path), "name": display_name(name, "My run")})

    def delete(self, run_id: str) -> None:
        """Delete a run and all it learned. Raises Busy while it is live."""
        lock = self.lock(run_id)
        if self.status(run_id).live or not self.let_go(run_id) or not lock.acquire("delete", timeout=0):
            raise Busy("This run was not deleted.", "It is still training.", "Stop it first.")
        try:
            if self._just_queued(self._stored(run_id)):
                raise Busy("This run was not deleted.", "It is about to train again.", "Stop it first.")
            self.remove(run_id)
        finally:
            lock.release()
        shutil.rmtree(self.folder(run_id), ignore_errors=True)  # what the lock itself left

    def remove(self, run_id: str) -> None:
        """Delete the folder of a run whose lock the caller holds: first what makes it a run, so that no part of it runs."""
        folder = self.folder(run_id)
        for name in ("config.json", "status.json"):
            (folder / name).unlink(missing_ok=True)
        shutil.rmtree(folder, ignore_errors=True)

    def disk(self, run_id: str) -> int:
        """Bytes the run takes."""
        return disk_used(self.folder(run_id))

    def adapter(self, run_id: str) -> Path | None:
        """The adapter folder, once there is a whole one."""
        path = self.folder(run_id) / "adapter"
        return path if (path / "adapter_config.json").is_file() else None

    def take_over(self, run_id: str, earlier: str) -> None:
        """Copy an earlier run's adapter into a new run, so that the earlier one may change or be deleted meanwhile."""
        source = self.adapter(earlier)
        if source is None:
            raise NotFound("Training did not start.", "The run it goes on from has no adapter any more.", "Choose another one.")
        shutil.copytree(source, self.folder(run_id) / START_FOLDER)

    def start_adapter(self, run_id: str) -> Path | None:
        """The adapter this run begins with, where it goes on from an earlier run."""
        path = self.folder(run_id) / START_FOLDER
        return path if path.is_dir() else None

    def saved_steps(self, run_id: str) -> list[int]:
        """The steps of the checkpoints in the folder, oldest first. Whether they verify is for the trainer to find out."""
        names = [path.name for path in (self.folder(run_id) / "checkpoints").glob("step-*")]
        return sorted(int(name[5:]) for name in names if name[5:].isdigit())

    # ---- append-only files

    def append(self, run_id: str, file: str, values: dict[str, Any]) -> None:
        """Append one JSON line to metrics, samples or events."""
        append_json(self.folder(run_id) / f"{file}.jsonl", values)

    def lines(self, run_id: str, file: str) -> list[dict[str, Any]]:
        """All whole records of a JSON-lines file, in order; a line that a crash cut short is passed over."""
        return list(json_lines(self.folder(run_id) / f"{file}.jsonl"))

    def event(self, run_id: str, kind: str, text: str) -> None:
        """Note something worth knowing later ("checkpoint", "left out 3 rows")."""
        self.append(run_id, "events", {"time": time.time(), "kind": kind, "text": text})

    def metrics(self, run_id: str) -> list[dict[str, Any]]:
        """The metrics that count: what a resume made void is dropped."""
        kept: list[dict[str, Any]] = []
        for record in self.lines(run_id, "metrics"):
            if "resume" in record:
                kept = [item for item in kept if item.get("step", 0) <= record["resume"]]
            elif "step" in record:
                kept.append(record)
        return kept

    def curve(self, run_id: str, points: int = 600) -> Curve:
        """Both losses with at most `points` training points, however long the run: each stands for a stretch of steps."""
        path = self.folder(run_id) / "metrics.jsonl"
        cursor = path.stat().st_size if path.exists() else 0
        records = self.metrics(run_id)
        training = [(item["step"], item["loss"]) for item in records if "loss" in item]
        validation = [(item["step"], item["validation_loss"]) for item in records if "validation_loss" in item]
        return Curve(thin(training, points), thin(validation, points), cursor)

    def samples(self, run_id: str) -> list[Sample]:
        """Answers at checkpoints, oldest first; those that a resume made void are replaced by the newer ones."""
        found = {}
        for record in self.lines(run_id, "samples"):
            if {"step", "prompt", "answer"} <= record.keys():
                sample = Sample.from_json(record)
                found[(sample.step, sample.prompt)] = sample
        return sorted(found.values(), key=lambda sample: sample.step)

    def log(self, run_id: str) -> str:
        """The end of run.log."""
        path = self.folder(run_id) / "run.log"
        if not path.exists():
            return ""
        with open(path, "rb") as handle:
            handle.seek(0, 2)
            handle.seek(max(0, handle.tell() - LONGEST_TAIL // 128))
            return handle.read().decode("utf-8", "replace")


def thin(points: list[tuple[int, float | None]], most: int) -> list[tuple[int, float | None]]:
    """At most `most` points: the mean of each stretch of neighbours, at the stretch's last step; first and last stay."""
    if len(points) <= most:
        return points
    inner, stretches = points[1:-1], most - 2
    thinned = [points[0]]
    for index in range(stretches):
        stretch = inner[index * len(inner) // stretches : (index + 1) * len(inner) // stretches]
        values = [value for _, value in stretch if value is not None]
        thinned.append((stretch[-1][0], sum(values) / len(values) if values else None))
    return [*thinned, points[-1]]
