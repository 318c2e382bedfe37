"""How fast this computer is at what a training step is made of: measured in about two seconds, kept in the workspace.

A step is not one matrix product. Its time is the sum of wide and narrow products, of passes over memory, of unpacking 4-bit
weights, and of what every single operation costs however small it is; each of these is measured on its own.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import Any

import psutil

from studio.errors import Busy, StudioError
from studio.models import hardware
from studio.models.lease import DeviceLease
from studio.workspace import Workspace, read_json, write_json

FILE = "speed.json"
OLD_SECONDS = 30 * 24 * 3600.0  # computers get warmer, fuller and updated
EACH_SECONDS = 0.2  # for each of the measurements, so that all of them take about two seconds
FEWEST = 3  # repeats of each, the first of which only sets things up
# (rows, inner, outer size): a pack through the starter's MLP, a few rows through it, and an adapter of rank 16
WIDE, SHORT, NARROW = (512, 576, 1536), (32, 576, 1536), (512, 576, 16)
ATTENDED = (24, 384, 64)  # blocks, queries and head size: eight rows of 128 tokens in the starter
STREAMED = 2**22  # numbers in one pass over memory; more than the caches hold
UNCACHED = 64 * 2**20  # bytes, likewise
SMALL = 64  # numbers, so few that only the call itself counts
LOOK_SECONDS, BUSY_PERCENT = 1.0, 30.0  # above this share of all cores a measurement would find a slower computer; chosen
PACKED = (1536, 576)  # sizes of a 4-bit and of an 8-bit layer


@dataclass(frozen=True)
class Speed:
    """What was measured. Products in floating-point operations a second, the others as named.

    `streamed` bytes read and written a second; `unpacked` 4-bit weights a second; `packed` 16-bit weights made 4-bit a second;
    `eight_bit` operations a second of an 8-bit layer, forward and backward; `call_seconds` one small operation.
    """

    machine: str
    on_gpu: bool
    dtype: str
    measured_at: float
    wide: float
    short: float
    narrow: float
    attended: float
    streamed: float
    unpacked: float
    packed: float
    eight_bit: float
    call_seconds: float

    def product_seconds(self, weights: float, rows: float) -> float:
        """Seconds to multiply `rows` rows with matrices of `weights` weights in all.

        A straight line through the two measured products: what reading the weights takes, and what each row adds.
        """
        each = 2 / self.wide
        alone = max(0.0, 2 * SHORT[0] / self.short - SHORT[0] * each)
        return weights * (alone + rows * each)

    def old(self, now: float | None = None) -> bool:
        """Whether it should be measured again, since it was long ago or lies in the future."""
        return not 0 <= (now or time.time()) - self.measured_at < OLD_SECONDS


def machine_id() -> str:
    """A hash of what the speed depends on, the number format apart: processor, cores, libraries. Never imports torch."""
    threads = os.environ.get("OMP_NUM_THREADS", "")
    parts = [_processor(), hardware.hardware().cores, threads, metadata.version("torch"), metadata.version("bitsandbytes")]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def kept(workspace: Workspace) -> Speed | None:
    """What an earlier `calibrate` found on this very computer, where it still holds; else None. Never imports torch."""
    found = _read(workspace.root / "cache" / FILE)
    if found is None or found.machine != machine_id() or found.old():
        return None
    same = found.on_gpu == bool(hardware.hardware().accelerator)
    same &= not hardware.measured() or found.dtype == hardware.compute_dtype()
    return found if same else None


def calibrate(workspace: Workspace, *, again: bool = False) -> Speed:
    """Measure this computer, or give what was kept. Takes about two seconds; not for the page's own thread. Imports torch.

    Args:
        again: Measure although something is kept.
    Raises:
        Busy: A training or the chat has the device; measured beside it this would be a slow computer.
    """
    hardware.compute_dtype()  # so that `kept` compares it
    if not again and (found := kept(workspace)):
        return found
    with DeviceLease(workspace).take("Measuring this computer"):
        speed = measure()
    write_json(workspace.root / "cache" / FILE, asdict(speed), durable=False)
    return speed


def calibrate_when_free(workspace: Workspace) -> Speed | None:
    """`calibrate`, or what is kept; None while the device is taken, the computer is busy, or nothing can be written."""
    if found := kept(workspace):
        return found
    if psutil.cpu_percent(LOOK_SECONDS) > BUSY_PERCENT:
        return None
    with contextlib.suppress(Busy, OSError):
        return calibrate(workspace)
    return None


def measure() -> Speed:
    """Measure now, whoever else uses the computer."""
    import torch  # noqa: PLC0415

    dtype, device = getattr(torch, hardware.compute_dtype()), hardware.device()
    with torch.inference_mode():
        products = {
            name: _product_rate(torch, sizes, dtype, device)
            for name, sizes in {"wide": WIDE, "short": SHORT, "narrow": NARROW}.items()
        }
        blocks, queries, size = ATTENDED
        left, right = (torch.ones(blocks, queries, size, dtype=dtype, device=device) for _ in range(2))
        attended = _seconds(lambda: torch.bmm(left, right.transpose(1, 2)))
        first, second = (torch.ones(STREAMED, dtype=dtype, device=device) for _ in range(2))
        result = torch.empty_like(first)
        streamed = _seconds(lambda: torch.mul(first, second, out=result))
        few = torch.ones(SMALL, dtype=dtype, device=device)
        calls = _seconds(lambda: [few.mul_(1.0) for _ in range(100)])
        unpacking, packing = _four_bit(torch, dtype, device)
    return Speed(
        machine=machine_id(),
        on_gpu=device == "cuda",
        dtype=hardware.compute_dtype(),
        measured_at=time.time(),
        **products,
        attended=2 * blocks * queries * queries * size / attended,
        streamed=3 * STREAMED * first.element_size() / streamed,
        unpacked=math.prod(PACKED) / unpacking,
        packed=math.prod(PACKED) / packing,
        eight_bit=_eight_bit_rate(torch, dtype, device),
        call_seconds=calls / 100,
    )


def _product_rate(torch: Any, sizes: tuple[int, int, int], dtype: Any, device: str) -> float:
    """Of products with one matrix after the other, more of them than caches hold: a model uses each weight once a pass."""
    rows, inner, outer = sizes
    left = torch.ones(rows, inner, dtype=dtype, device=device)
    each = torch.ones(outer, inner, dtype=dtype, device=device)
    matrices = [each.clone() for _ in range(math.ceil(UNCACHED / (each.numel() * each.element_size())))]
    seconds = _seconds(lambda: [torch.nn.functional.linear(left, right) for right in matrices])
    return 2 * rows * inner * outer * len(matrices) / seconds


def _four_bit(torch: Any, dtype: Any, device: str) -> tuple[float, float]:
    """Seconds to unpack, and to pack, the weights of one layer."""
    from bitsandbytes.functional import dequantize_4bit, quantize_4bit  # noqa: PLC0415

    weight = torch.linspace(-1, 1, math.prod(PACKED), device=device).view(PACKED).to(dtype)
    packed, state = quantize_4bit(weight, quant_type="nf4")
    return _seconds(lambda: dequantize_4bit(packed, state)), _seconds(lambda: quantize_4bit(weight, quant_type="nf4"))


def _eight_bit_rate(torch: Any, dtype: Any, device: str) -> float:
    """Operations a second of an 8-bit layer with its gradient, as the padded step uses it."""
    from bitsandbytes.nn import Linear8bitLt  # noqa: PLC0415

    outer, inner = PACKED
    layer = Linear8bitLt(inner, outer, bias=False, has_fp16_weights=False, threshold=6.0).to(device)
    inputs = torch.ones(128, inner, dtype=dtype, device=device)

    def work() -> None:
        with torch.inference_mode(False), torch.enable_grad():
            layer(inputs.clone().requires_grad_()).sum().backward()

    with torch.inference_mode(False):
        inputs = inputs.clone()
        return 4 * len(inputs) * inner * outer / _seconds(work)


def _seconds(work: Callable[[], Any]) -> float:
    """The median of repeats over `EACH_SECONDS`: what else runs on this computer also runs during a training."""
    import torch  # noqa: PLC0415

    found: list[float] = []
    ends = time.perf_counter() + EACH_SECONDS
    while len(found) < FEWEST or time.perf_counter() < ends:
        started = time.perf_counter()
        work()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        found.append(time.perf_counter() - started)
    return statistics.median(found[1:])


def _read(path: Path) -> Speed | None:
    try:
        values = read_json(path)
        found = Speed(**values)
    except (StudioError, OSError, TypeError, ValueError):
        return None
    numbers = [value for name, value in asdict(found).items() if name not in ("machine", "on_gpu", "dtype")]
    usable = all(isinstance(value, int | float) and 0 < value < math.inf for value in numbers)
    return found if usable and isinstance(found.machine, str) else None


@lru_cache(maxsize=1)
def _processor() -> str:
    """The processor's name."""
    with contextlib.suppress(OSError, UnicodeDecodeError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
