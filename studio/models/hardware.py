"""What this computer has, and which number format it computes fastest in. torch is only looked at once it is loaded."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import os
import shutil
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import psutil

NO_GPU = "no GPU"
M_MMAP_THRESHOLD = -3  # of malloc.h
CGROUP = Path("/sys/fs/cgroup")
# rows, inner and outer size of the measured matrix product: one MLP projection of the starter over 256 tokens
GEMM_SHAPE = (256, 576, 1536)
GEMM_REPEATS = 5


@dataclass(frozen=True)
class Hardware:
    """Cores and bytes this process may use. `accelerator` is empty without a GPU; its sizes are 0 until torch is loaded."""

    cores: int
    memory_total: int
    memory_free: int
    accelerator: str = ""
    accelerator_memory: int = 0
    accelerator_free: int = 0

    def sentence(self) -> str:
        """For people: "2 cores, 24 GB memory, no GPU"."""
        cores = "1 core" if self.cores == 1 else f"{self.cores} cores"
        gpu = self.accelerator or NO_GPU
        if self.accelerator_memory:
            gpu += f" with {round_gb(self.accelerator_memory)}"
        return f"{cores}, {round_gb(self.memory_total)} memory, {gpu}"

    @property
    def working_memory(self) -> int:
        """Bytes free where the model will live: on the GPU when its size is known, else in main memory."""
        return self.accelerator_free if self.accelerator_memory else self.memory_free


def round_gb(size: int) -> str:
    """Whole gigabytes as on a computer's box; one decimal below 4."""
    return f"{size / 2**30:.0f} GB" if size >= 4 * 2**30 else f"{size / 2**30:.1f} GB"


def hardware() -> Hardware:
    """What this process may use now, within a container's limits. Takes a few milliseconds and never imports torch.

    Before torch is loaded a GPU is known by its driver only: named, its memory unknown (0).
    """
    memory = psutil.virtual_memory()
    total, free = memory.total, memory.available
    for limit, used in _cgroup_memory():
        total, free = min(total, limit), min(free, max(0, limit - used))
    return Hardware(_cores(), total, free, *_accelerator())


def _cores() -> int:
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    for folder in _cgroup_folders():
        quota, period = "", ""
        if text := _read(folder / "cpu.max"):
            quota, _, period = text.partition(" ")
        else:
            quota, period = _read(folder / "cpu.cfs_quota_us"), _read(folder / "cpu.cfs_period_us")
        if quota.isdigit() and period.isdigit() and int(period):
            usable = min(usable, max(1, round(int(quota) / int(period))))
    return usable


def _cgroup_memory() -> list[tuple[int, int]]:
    """(limit, bytes used and not reclaimable) of every control group this process is in that has a limit."""
    found = []
    for folder in _cgroup_folders():
        limit = _read(folder / "memory.max") or _read(folder / "memory.limit_in_bytes")
        used = _read(folder / "memory.current") or _read(folder / "memory.usage_in_bytes")
        if limit.isdigit() and used.isdigit():
            lines = (line.split() for line in _read(folder / "memory.stat").splitlines())
            stat = {parts[0]: int(parts[1]) for parts in lines if len(parts) == 2 and parts[1].isdigit()}
            # file pages nobody uses are given back before anything runs out
            found.append((int(limit), max(0, int(used) - stat.get("total_inactive_file", stat.get("inactive_file", 0)))))
    return found


def _cgroup_folders() -> list[Path]:
    """Folders of this process's control groups and their parents (version 2, then version 1); none outside Linux."""
    found = []
    for line in _read(Path("/proc/self/cgroup")).splitlines():
        number, _, rest = line.partition(":")
        names, _, inside = rest.partition(":")
        if number == "0" and not names:
            roots = [CGROUP]
        else:
            roots = [CGROUP / name for name in names.split(",") if name in {"memory", "cpu"}]
        for root in roots:
            path = root / inside.strip("/")
            while path != root and root in path.parents:
                found.append(path)
                path = path.parent
            found.append(root)
    return found


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return ""


def calm_threads() -> None:
    """Let arithmetic threads sleep, not spin, while they wait for each other. To be called before torch is imported.

    Spinning is about 4 % faster on an idle machine (tests/benchmarks/threads.py, 2 cores). Beside other work one trial took
    7.4 ms of CPU to unpack a layer when spinning and 1.2 ms when sleeping, and here a browser always wants a core too.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def loaded_torch() -> ModuleType | None:
    """torch if it is imported already and its import has ended, else None."""
    torch = sys.modules.get("torch")
    if torch is None or getattr(torch.__spec__, "_initializing", False):
        return None
    return torch


def _accelerator() -> tuple[str, int, int]:
    """(name, bytes in all, bytes free) of the first GPU; ("", 0, 0) without one."""
    if torch := loaded_torch():
        if not torch.cuda.is_available():
            return "", 0, 0
        free, total = torch.cuda.mem_get_info()
        return torch.cuda.get_device_name(), total, free
    if Path("/dev/nvidia0").exists() or shutil.which("nvidia-smi"):
        for path in sorted(Path("/proc/driver/nvidia/gpus").glob("*/information")):
            for line in _read(path).splitlines():
                if line.startswith("Model:"):
                    return line.partition(":")[2].strip(), 0, 0
        return "a GPU", 0, 0
    return "", 0, 0


def device() -> str:
    """Where models live: "cuda" or "cpu". Imports torch."""
    import torch  # noqa: PLC0415

    return "cuda" if torch.cuda.is_available() else "cpu"


def compute_dtype() -> str:
    """The number format this computer is fast in: "bfloat16", "float16" or "float32". Measured once a process (about 30 ms).

    A CPU without bf16 instructions multiplies bf16 matrices several times slower than fp32 (6 times on an AVX2 machine here),
    one with them several times faster, so it is measured, not guessed. Imports torch.
    """
    return _measured()[0]


def gemm_rate() -> float:
    """Floating-point operations a second of one matrix product in `compute_dtype()`. Measured once a process. Imports torch."""
    return _measured()[1]


def gemm_rate_now() -> float:
    """The same, measured at this moment: lower than what the computer can do while something else runs. Imports torch."""
    import torch  # noqa: PLC0415

    name = compute_dtype()
    rows, inner, outer = GEMM_SHAPE
    return 2 * rows * inner * outer / _gemm_seconds(torch, [name])[name]


def measured() -> bool:
    """Whether `compute_dtype` and `gemm_rate` are known already. Measuring while libraries load would find a slow computer."""
    return bool(_measured.cache_info().currsize)


@functools.cache
def _measured() -> tuple[str, float]:
    import torch  # noqa: PLC0415

    if torch.cuda.is_available():
        # emulated bf16 (before Ampere) is slower than fp16
        names = ["bfloat16" if torch.cuda.is_bf16_supported(including_emulation=False) else "float16"]
    else:
        names = ["float32", "bfloat16"]
    times = _gemm_seconds(torch, names)
    best = min(names, key=times.__getitem__)
    rows, inner, outer = GEMM_SHAPE
    return best, 2 * rows * inner * outer / times[best]


def _gemm_seconds(torch: Any, names: list[str]) -> dict[str, float]:
    """Best of a few interleaved repeats of one product, in seconds, by number format."""
    rows, inner, outer = GEMM_SHAPE
    where = "cuda" if torch.cuda.is_available() else "cpu"
    best = dict.fromkeys(names, float("inf"))
    sides = {
        name: [torch.ones(shape, dtype=getattr(torch, name), device=where) for shape in ((rows, inner), (outer, inner))]
        for name in names
    }
    with torch.inference_mode():
        for repeat in range(GEMM_REPEATS + 1):
            for name, (left, right) in sides.items():
                started = time.perf_counter()
                torch.nn.functional.linear(left, right)
                if where == "cuda":
                    torch.cuda.synchronize()
                if repeat:  # the first one also sets things up
                    best[name] = min(best[name], time.perf_counter() - started)
    return best


def memory_now() -> int:
    """Bytes this process holds now: on the GPU once torch uses one, else in main memory."""
    torch = loaded_torch()
    if torch and torch.cuda.is_available() and torch.cuda.is_initialized():
        return torch.cuda.memory_reserved()
    return psutil.Process().memory_info().rss


def memory_peak() -> int:
    """The most bytes this process held since it started or since `reset_memory_peak()`."""
    torch = loaded_torch()
    if torch and torch.cuda.is_available() and torch.cuda.is_initialized():
        return torch.cuda.max_memory_reserved()
    for line in _read(Path("/proc/self/status")).splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    info = psutil.Process().memory_info()
    return getattr(info, "peak_wset", info.rss)


def trim() -> None:
    """Return freed memory to the system. glibc keeps it for itself; malloc_trim(3) lets go. Without effect elsewhere."""
    _tell_glibc("malloc_trim", 0)


def reset_memory_peak() -> None:
    """Start counting the peak anew, so that a run is not blamed for what came before it. Without effect where not possible."""
    torch = loaded_torch()
    if torch and torch.cuda.is_available() and torch.cuda.is_initialized():
        torch.cuda.reset_peak_memory_stats()
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # see proc(5): resets VmHWM


@contextlib.contextmanager
def given_back_at_once() -> Iterator[None]:
    """While inside, freed blocks of a megabyte and more go back to the system at once (mallopt(3), M_MMAP_THRESHOLD).

    glibc keeps blocks of up to 32 MB otherwise, and what is needed next often fits none of them. With the starter, 8 rows of 256
    tokens and recomputing, a run's peak fell from 2,266 to 1,522 MB here, and a step took 38 s instead of 32. Without recomputing
    it fell from 3,256 to 2,760 MB for 27 s instead of 23, which is why only those who asked for less memory get it.
    """
    _tell_glibc("mallopt", M_MMAP_THRESHOLD, 2**20)
    try:
        yield
    finally:
        _tell_glibc("mallopt", M_MMAP_THRESHOLD, 2**25)  # where glibc's own adjusting ends


def _tell_glibc(function: str, *values: int) -> None:
    with contextlib.suppress(OSError, AttributeError, TypeError):  # no glibc; Windows has no library without a name
        getattr(ctypes.CDLL(None), function)(*values)
