"""What the computer has, quickly and within a container's limits; and which number format it computes in."""

from __future__ import annotations

import platform
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from studio.models import hardware
from studio.models.hardware import Hardware

ROOT = Path(__file__).parents[2]


def test_it_is_quick_and_leaves_torch_alone() -> None:
    code = (
        "import sys, time\n"
        "from studio.models.hardware import hardware\n"
        "hardware()\n"
        "spent = min((lambda s: (hardware(), time.perf_counter() - s)[1])(time.perf_counter()) for _ in range(5))\n"
        "assert 'torch' not in sys.modules\n"
        "assert spent < 0.05, spent\n"
        "print(hardware().sentence())\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "core" in done.stdout and "memory" in done.stdout


def test_it_counts_what_is_there() -> None:
    found = hardware.hardware()
    assert 1 <= found.cores <= psutil.cpu_count()
    assert 0 < found.memory_free <= found.memory_total <= psutil.virtual_memory().total


def test_sentences() -> None:
    plain = Hardware(2, 24 * 2**30, 20 * 2**30)
    assert plain.sentence() == "2 cores, 24 GB memory, no GPU"
    assert plain.working_memory == 20 * 2**30
    card = Hardware(1, 3 * 2**30, 2**30, "NVIDIA L4", 22 * 2**30, 21 * 2**30)
    assert card.sentence() == "1 core, 3.0 GB memory, NVIDIA L4 with 22 GB"
    assert card.working_memory == 21 * 2**30


def write(folder: Path, **files: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("_", ".", 1)).write_text(text)


@pytest.mark.parametrize("version", [1, 2])
def test_a_containers_limits_are_respected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: int) -> None:
    mib = 2**20
    if version == 2:
        lines, inner = "0::/app/inner\n", tmp_path / "app" / "inner"
        write(inner, memory_max="max\n", memory_current=f"{100 * mib}\n")
        write(tmp_path / "app", memory_max=f"{512 * mib}\n", memory_current=f"{400 * mib}\n", cpu_max="100000 100000\n")
        write(tmp_path / "app", memory_stat=f"anon 1\ninactive_file {100 * mib}\n")
    else:
        lines, inner = "5:memory:/app\n4:cpu,cpuacct:/app\n", tmp_path / "memory" / "app"
        write(inner, memory_limit_in_bytes=f"{512 * mib}\n", memory_usage_in_bytes=f"{400 * mib}\n")
        write(inner, memory_stat=f"total_inactive_file {100 * mib}\n")
        write(tmp_path / "cpu" / "app", cpu_cfs_quota_us="100000\n", cpu_cfs_period_us="100000\n")
    real = hardware._read
    monkeypatch.setattr(hardware, "CGROUP", tmp_path)
    monkeypatch.setattr(hardware, "_read", lambda path: lines.strip() if path == Path("/proc/self/cgroup") else real(path))
    found = hardware.hardware()
    assert found.memory_total == 512 * mib
    assert found.memory_free == 212 * mib
    assert found.cores == 1


@pytest.mark.long
def test_the_number_format_is_the_faster_one() -> None:
    import torch

    name = hardware.compute_dtype()
    assert name in {"float32", "bfloat16", "float16"}
    assert hardware.gemm_rate() > 1e8
    started = time.perf_counter()
    assert hardware.compute_dtype() == name
    assert time.perf_counter() - started < 0.01
    if hardware.device() == "cpu":
        times = hardware._gemm_seconds(torch, ["float32", "bfloat16"])
        slower = max(times, key=times.__getitem__)
        if times[slower] > 1.5 * min(times.values()):  # nearer than that, either may win
            assert name != slower


def test_the_peak_rises_and_can_be_started_anew() -> None:
    import torch

    if hardware.device() == "cuda":
        pytest.skip("counts the GPU's memory where there is one")
    before = hardware.memory_now()
    block = torch.ones(2**26)
    assert hardware.memory_now() - before > 200 * 2**20
    assert hardware.memory_peak() >= hardware.memory_now() - 2**20
    del block
    high = hardware.memory_peak()
    hardware.reset_memory_peak()
    if Path("/proc/self/clear_refs").exists():
        assert hardware.memory_peak() < high - 150 * 2**20


@pytest.mark.long
@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc keeps freed blocks this way")
def test_freed_blocks_go_back_at_once_while_asked_for() -> None:
    code = """
import torch
from studio.models import hardware

def left(count=40):
    before, kept, freed = hardware.memory_now(), [], []
    for _ in range(count):
        freed.append(torch.ones(2_000_000))
        kept.append(torch.ones(200))
    freed.clear()
    return hardware.memory_now() - before

torch.ones(7_000_000)  # glibc keeps blocks of this size from now on
with hardware.given_back_at_once():
    inside = left()
print(inside, left())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2])
    inside, after = map(int, done.stdout.split())
    assert inside < 5e6 < 2e7 < after
