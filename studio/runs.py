"""Run folders as a typed store: the run folder is the contract between the trainer and everything that shows a run.

    runs/<id>/ config.json status.json metrics.jsonl samples.jsonl events.jsonl run.log run.lock stop.json
               checkpoints/step-00000120/ adapter/

metrics.jsonl is append-only. A resume appends {"resume": step}; readers drop earlier records beyond that step.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from studio.config import RunConfig
from studio.errors import Busy, StudioError
from studio.records import LIVE_STATES, RESUMABLE_STATES, RunStatus, Sample
from studio.workspace import Lock, Workspace, disk_used, display_name, read_json, write_json

START_GRACE = 20.0  # seconds a queued run may be without its lock before it counts as interrupted
LONGEST_TAIL = 8 * 2**20  # bytes of a log read at once


@dataclass(frozen=True)
class Curve:
    """What a plot of one run needs. Training: (step, loss); validation: (step, loss). `cursor` changes when the file grows."""

    training: list[tuple[int, float | None]]
    validation: list[tuple[int, float | None]]
    cursor: int


class RunStore:
    """Creates, reads and deletes run folders of one workspace."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace

    def folder(self, run_id: str) -> Path:
        """The folder of a run; it need not exist."""
        return self.workspace.folder("runs", run_id)

    def create(self, config: RunConfig) -> str:
        """Write a new run in state "queued" and return its id. Raises ConfigError with every fault."""
        config = replace(config.validate(), name=display_name(config.name, "My run"))
        folder = self.workspace.new_folder("runs", config.name)
        write_json(folder / "config.json", config.to_json())
        now = time.time()
        write_json(folder / "status.json", RunStatus(created_at=now, updated_at=now).to_json())
        return folder.name

    def ids(self) -> list[str]:
        """Ids of all runs, newest first."""
        found = [item for item in self.workspace.items("runs") if (self.folder(item) / "config.json").is_file()]
        return sorted(found, key=lambda item: self.status(item).created_at, reverse=True)

    def config(self, run_id: str) -> RunConfig:
        """The settings the run was started with."""
        return RunConfig.from_json(read_json(self.folder(run_id) / "config.json"))

    def status(self, run_id: str) -> RunStatus:
        """The newest snapshot. A run that says it is live but whose lock nobody holds reads as "interrupted"."""
        folder = self.folder(run_id)
        status = RunStatus.from_json(read_json(folder / "status.json"))
        if status.state in LIVE_STATES and not self.lock(run_id).held():
            status = RunStatus.from_json(read_json(folder / "status.json"))  # it may have ended in between
            if status.state in LIVE_STATES and not self._just_queued(status):
                return replace(status, state="interrupted", phase="", eta_seconds=None)
        return status

    @staticmethod
    def _just_queued(status: RunStatus) -> bool:
        return status.state == "queued" and time.time() - status.updated_at < START_GRACE

    def write_status(self, run_id: str, status: RunStatus, *, durable: bool = False) -> None:
        """Replace the snapshot."""
        write_json(self.folder(run_id) / "status.json", replace(status, updated_at=time.time()).to_json(), durable=durable)

    def lock(self, run_id: str) -> Lock:
        """The run's own lock: held by whichever process trains it."""
        return Lock(self.folder(run_id) / "run.lock")

    def live(self) -> str | None:
        """The id of the run that is training or about to, if any."""
        return next((item for item in self.ids() if self.status(item).live), None)

    def mark_interrupted(self) -> list[str]:
        """Write "interrupted" into runs that a dead process left live. Call once at start-up. Returns their ids."""
        found = []
        for run_id in self.ids():
            stored = RunStatus.from_json(read_json(self.folder(run_id) / "status.json"))
            if stored.state in LIVE_STATES and not self.lock(run_id).held():
                self.write_status(run_id, replace(stored, state="interrupted", phase="", eta_seconds=None), durable=True)
                found.append(run_id)
        return found

    # ---- control

    def request_stop(self, run_id: str, kind: str = "keep") -> None:
        """Ask the trainer, in whichever process it lives, to stop and keep what was learned."""
        if kind != "keep":
            raise StudioError("The run was not stopped.", f"There is no way of stopping called {kind!r}.")
        if self.status(run_id).live:
            write_json(self.folder(run_id) / "stop.json", {"kind": kind})

    def stop_requested(self, run_id: str) -> bool:
        """Whether somebody asked this run to stop."""
        return (self.folder(run_id) / "stop.json").exists()

    def clear_stop(self, run_id: str) -> None:
        """Forget a request to stop (at the start of a run or a resume)."""
        (self.folder(run_id) / "stop.json").unlink(missing_ok=True)

    def resumable(self, run_id: str) -> bool:
        """Whether the run ended early and has a checkpoint, or never got to one and can start over."""
        return self.status(run_id).state in RESUMABLE_STATES

    def rename(self, run_id: str, name: str) -> None:
        """Give the run another name to show; its id and folder stay."""
        path = self.folder(run_id) / "config.json"
        write_json(path, {**read_json(path), "name": display_name(name, "My run")})

    def delete(self, run_id: str) -> None:
        """Delete a run and all it learned. Raises Busy while it is live."""
        self.status(run_id)  # raises NotFound
        lock = self.lock(run_id)
        if self.status(run_id).live or not lock.acquire("delete", timeout=0):
            raise Busy("This run was not deleted.", "It is still training.", "Stop it first.")
        lock.release()
        shutil.rmtree(self.folder(run_id))

    def disk(self, run_id: str) -> int:
        """Bytes the run takes."""
        return disk_used(self.folder(run_id))

    def adapter(self, run_id: str) -> Path | None:
        """The adapter folder, once there is a whole one."""
        path = self.folder(run_id) / "adapter"
        return path if (path / "adapter_config.json").is_file() else None

    def saved_steps(self, run_id: str) -> list[int]:
        """The steps of the checkpoints in the folder, oldest first. Whether they verify is for the trainer to find out."""
        names = [path.name for path in (self.folder(run_id) / "checkpoints").glob("step-*")]
        return sorted(int(name[5:]) for name in names if name[5:].isdigit())

    # ---- append-only files

    def append(self, run_id: str, file: str, values: dict[str, Any]) -> None:
        """Append one JSON line to metrics, samples or events."""
        line = json.dumps(values, ensure_ascii=False, allow_nan=False) + "\n"
        path = self.folder(run_id) / f"{file}.jsonl"
        with open(path, "a+b") as handle:
            if handle.tell() and not self._ends_line(path):
                line = "\n" + line
            handle.write(line.encode())

    @staticmethod
    def _ends_line(path: Path) -> bool:
        with open(path, "rb") as handle:
            handle.seek(-1, 2)
            return handle.read(1) == b"\n"

    def lines(self, run_id: str, file: str) -> list[dict[str, Any]]:
        """All whole records of a JSON-lines file, in order; a line that a crash cut short is passed over."""
        found = []
        with contextlib.suppress(FileNotFoundError), open(self.folder(run_id) / f"{file}.jsonl", encoding="utf-8") as handle:
            for line in handle:
                with contextlib.suppress(json.JSONDecodeError):
                    record = json.loads(line)
                    if isinstance(record, dict):
                        found.append(record)
        return found

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
