"""Energy: from a counter with its wrap-around, or from busy cores."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from studio.models.energy import ASSUMED, COUNTER, WATTS_PER_CORE, EnergyMeter


def counter(folder: Path, name: str, value: int) -> Path:
    path = folder / name
    path.mkdir(parents=True, exist_ok=True)
    (path / "energy_uj").write_text(f"{value}\n")
    (path / "max_energy_range_uj").write_text("10000000\n")
    return path


def test_counters_of_whole_processors_are_added_and_start_again_from_zero(tmp_path: Path) -> None:
    counter(tmp_path, "intel-rapl:0", 9_000_000)
    counter(tmp_path, "intel-rapl:1", 1_000_000)
    counter(tmp_path, "intel-rapl:0:0", 0)
    meter = EnergyMeter(tmp_path)
    assert meter.method == COUNTER and meter.read() == 0
    counter(tmp_path, "intel-rapl:0", 2_000_000)
    counter(tmp_path, "intel-rapl:1", 1_500_000)
    counter(tmp_path, "intel-rapl:0:0", 5_000_000)
    assert meter.read() == pytest.approx(3.5)
    assert meter.read() == pytest.approx(3.5)


def test_without_a_counter_busy_cores_are_counted(tmp_path: Path) -> None:
    meter = EnergyMeter(tmp_path)
    assert meter.method == ASSUMED
    before = time.process_time()
    while time.process_time() < before + 0.2:
        pass
    joules, busy = meter.read(), time.process_time() - before
    assert joules == pytest.approx(WATTS_PER_CORE * busy, abs=0.05 * WATTS_PER_CORE)


def test_a_counter_that_goes_away_ends_the_figure_and_nothing_else(tmp_path: Path) -> None:
    path = counter(tmp_path, "intel-rapl:0", 1_000_000)
    meter = EnergyMeter(tmp_path)
    (path / "energy_uj").unlink()
    assert (meter.read(), meter.method) == (0.0, "")
    assert meter.read() == 0.0
