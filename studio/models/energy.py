"""How much energy a piece of work took, by the best way this computer offers. Joules; 3,600 of them are a watt-hour."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

import psutil

from studio.models.hardware import loaded_torch

RAPL = Path("/sys/class/powercap")
# A busy core: 4.4 W of a 64-core server (EPYC 7763, 280 W) to 11 W of a 6-core desktop (65 W), by their makers' figures.
WATTS_PER_CORE = 10.0
COUNTER = "the processor's own counter, other programs included"
CARD = "the graphics card's own power reading, other programs included"
ASSUMED = f"{WATTS_PER_CORE:.0f} W assumed for each busy core, nothing for the rest of the computer"


class EnergyMeter:
    """Counts from when it is made. `method` says how, for people; "" when nothing can be said."""

    def __init__(self, rapl: Path = RAPL) -> None:
        self.joules = 0.0
        self._counters = {path: _number(path) for path in _packages(rapl)}
        self._time, self._busy = time.monotonic(), _busy()
        torch = loaded_torch()
        self._card = torch.cuda if torch and torch.cuda.is_available() else None
        if self._card:
            self.method = CARD
        elif self._counters:
            self.method = COUNTER
        else:
            self.method = ASSUMED

    def read(self) -> float:
        """Joules so far, 0 once nothing can be said. Ask every few seconds: a card tells only its power of the moment."""
        try:
            self._add()
        except Exception:  # noqa: BLE001 - NVML has errors of its own, and a figure must never end a run
            self.joules, self.method = 0.0, ""
        return self.joules

    def _add(self) -> None:
        now, busy = time.monotonic(), _busy()
        if self.method == CARD:
            self.joules += self._card.power_draw() / 1000 * (now - self._time)  # milliwatts
        elif self.method == COUNTER:
            for path, before in self._counters.items():
                after = _number(path)
                around = _number(path.with_name("max_energy_range_uj"))  # the counter starts again from 0
                self.joules += (after - before if after >= before else after + around - before) / 1e6
                self._counters[path] = after
        elif self.method:
            self.joules += WATTS_PER_CORE * (busy - self._busy)
        self._time, self._busy = now, busy


def _packages(rapl: Path) -> list[Path]:
    """The counters of whole processors that this user may read (see Documentation/power/powercap of the Linux kernel)."""
    found = []
    for path in sorted(rapl.glob("intel-rapl:[0-9]*/energy_uj")):
        if path.parent.name.count(":") == 1:  # two colons name a part of a processor
            with contextlib.suppress(OSError, ValueError):
                _number(path)
                found.append(path)
    return found


def _number(path: Path) -> int:
    return int(path.read_text(encoding="ascii"))


def _busy() -> float:
    """Seconds that cores worked for this process."""
    times = psutil.Process().cpu_times()
    return times.user + times.system
