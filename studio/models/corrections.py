"""What a workspace's own runs say of the estimates: how much memory and time they took beside what was promised."""

from __future__ import annotations

import statistics
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from studio.errors import StudioError
from studio.records import RunStatus
from studio.runs import RunStore
from studio.workspace import Workspace

FEWEST = 3  # runs of a kind; fewer say more of themselves than of the estimate
NEWEST = 20  # of each kind that count
LEAST, MOST = 0.7, 1.5  # a correction beyond these would mean that something else is wrong


@dataclass(frozen=True)
class Correction:
    """What to multiply an estimate by, and how many runs say so."""

    factor: float = 1.0
    runs: int = 0


@dataclass(frozen=True)
class Lessons:
    """What the ended runs say at one moment. `ratios`: measured over promised, newest first, by what, device, quantization."""

    ratios: dict[tuple[str, str, str], list[float]]

    def factors(self, device: str, quantization: str) -> tuple[float, float, str]:
        """What to multiply bytes and seconds by, and a sentence that tells it; "" where too few runs of that kind have ended."""
        memory, seconds = self.memory(device, quantization), self.time(device, quantization)
        count = max(memory.runs, seconds.runs)
        return memory.factor, seconds.factor, f"Corrected by {count} of your runs." if count else ""

    def memory(self, device: str, quantization: str) -> Correction:
        """That of the peak memory."""
        return self._correction("memory", device, quantization)

    def time(self, device: str, quantization: str) -> Correction:
        """That of the seconds: from runs that went through to their last step without a break."""
        return self._correction("time", device, quantization)

    def _correction(self, what: str, device: str, quantization: str) -> Correction:
        found = self.ratios.get((what, device, quantization), [])[:NEWEST]
        if len(found) < FEWEST:
            return Correction()
        return Correction(min(MOST, max(LEAST, statistics.median(found))), len(found))


class Corrections:
    """The corrections of one workspace, by device ("cpu" or "gpu") and quantization. Reads a run's status once it has ended."""

    def __init__(self, workspace: Workspace) -> None:
        self._runs = RunStore(workspace)
        self._seen: dict[str, tuple[int, dict[str, Any] | None]] = {}

    def now(self) -> Lessons:
        """What the runs say by now. Looks at every run folder, so one answer serves all estimates of a moment."""
        found: dict[tuple[str, str, str], list[float]] = defaultdict(list)
        for record in self._ended():
            for what in ("memory", "time"):
                if what in record:
                    found[what, record["device"], record["quantization"]].append(record[what])
        return Lessons(dict(found))

    def _ended(self) -> list[dict[str, Any]]:
        """What every ended run says, newest first; files that did not change are not read again."""
        kept, records = {}, []
        for run_id in self._runs.workspace.items("runs"):
            try:
                changed = (self._runs.folder(run_id) / "status.json").stat().st_mtime_ns
            except (OSError, StudioError):
                continue
            before = self._seen.get(run_id)
            kept[run_id] = before if before and before[0] == changed else (changed, self._read(run_id))
            if record := kept[run_id][1]:
                records.append(record)
        self._seen = kept
        return sorted(records, key=lambda record: record["at"], reverse=True)

    def _read(self, run_id: str) -> dict[str, Any] | None:
        try:
            status, config = self._runs.status(run_id), self._runs.config(run_id)
        except (StudioError, TypeError):
            return None  # a damaged or half-deleted folder; the Library shows it
        ratios = ratios_of(status)
        if not ratios:
            return None
        kind = {"device": status.promised_device, "quantization": config.model.quantization}
        return {**kind, **ratios, "at": status.finished_at or 0.0}


def ratios_of(status: RunStatus) -> dict[str, float]:
    """Measured over promised, as it was before any correction, of a finished run: "memory", and "time" of an unbroken one."""
    found = {}
    if status.state != "finished" or not status.promised_bytes or not status.promised_device:
        return found
    if status.peak_memory_bytes:
        found["memory"] = status.peak_memory_bytes * status.promised_memory_factor / status.promised_bytes
    whole = status.step == status.total_steps and status.promised_at and status.finished_at
    if whole and status.promised_seconds:
        found["time"] = (status.finished_at - status.promised_at) * status.promised_time_factor / status.promised_seconds
    return {name: value for name, value in found.items() if 0 < value < 100}
