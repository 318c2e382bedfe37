"""Seconds and memory of one optimizer step, fused beside padded, on the real starter.

    python -m tests.benchmarks.step WORKSPACE [none|nf4] [--rows 8,16] [--tokens 32,64,256]

Every configuration runs in a process of its own: both steps interleaved for the time (medians), one form alone for the peak of
memory. Rows are random tokens that share 24 at the start; half of the rest is learned. WORKSPACE must hold the starter.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

SHARED = 24
REPEATS = 5


def rows_of(count: int, tokens: int) -> list[Any]:
    """Random rows of `tokens` tokens."""
    from studio.data.encode import READ_ONLY, Encoded

    source = random.Random(0)
    opening = [source.randrange(40_000) for _ in range(SHARED)]
    made = []
    for index in range(count):
        ids = [*opening, *(source.randrange(40_000) for _ in range(tokens - SHARED))]
        read = tokens // 2
        made.append(Encoded(tuple(ids), (*[READ_ONLY] * read, *ids[read:]), index, 0))
    return made


def measure(
    folder: str, quantization: str, rows: int, tokens: int, forms: list[str], rank: int = 16, budget: int = 10**6
) -> dict[str, Any]:
    """In this process: median seconds of a step by form, the measured matrix-product rate, and the peak memory.

    Args:
        budget: Tokens that the fused step computes at once.
    """
    from studio.models import hardware

    hardware.calm_threads()
    import torch
    from accelerate import Accelerator

    from studio.models import adapters, load
    from studio.training.fused.step import choose_step
    from studio.training.step import PaddedStep

    dtype = hardware.compute_dtype()
    model = load.load_base(Path(folder), quantization, compute_dtype=dtype)
    model = adapters.add_adapter(
        model, r=rank, lora_alpha=32, lora_dropout=0.0, target_modules="all-linear", use_rslora=False, use_dora=False, seed=0
    )
    accelerator = Accelerator(cpu=not torch.cuda.is_available(), mixed_precision="bf16" if dtype == "bfloat16" else "no")
    fused, said = choose_step(model, accelerator, longest=tokens, batch=rows, pad_id=0, tokens=budget)
    assert fused.name == "fused", said
    steps = {"fused": fused, "padded": PaddedStep(model, accelerator, batch=rows, pad_id=0)}
    learned = [item for item in model.parameters() if item.requires_grad]
    optimizer = torch.optim.AdamW(learned, lr=1e-5, fused=True)
    some, seconds = rows_of(rows, tokens), {form: [] for form in forms}
    for repeat in range(REPEATS + 1):
        for form in forms:
            started = time.perf_counter()
            for batch in steps[form].batches(some):
                steps[form].loss_sum(batch).backward()
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            if repeat:
                seconds[form].append(time.perf_counter() - started)
    return {
        "seconds": {form: statistics.median(found) for form, found in seconds.items()},
        "peak": hardware.memory_peak(),
        "rate": hardware.gemm_rate(),
        "dtype": dtype,
    }


def child(*words: Any, module: str = "step") -> dict[str, Any]:
    """`measure`, or what another benchmark does with `--child`, in a process of its own."""
    command = [sys.executable, "-m", f"tests.benchmarks.{module}", "--child", json.dumps(words)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("workspace", nargs="?")
    parser.add_argument("quantization", nargs="?", default="none")
    parser.add_argument("--rows", default="8")
    parser.add_argument("--tokens", default="64,256")
    parser.add_argument("--child")
    chosen = parser.parse_args()
    if chosen.child:
        print(json.dumps(measure(*json.loads(chosen.child))))
        return
    folder = str(Path(chosen.workspace) / "models" / "starter")
    print("rows x tokens   s fused   s padded   padded/fused   MB fused   MB padded   GEMM GFLOP/s")
    for rows in map(int, chosen.rows.split(",")):
        for tokens in map(int, chosen.tokens.split(",")):
            timed = child(folder, chosen.quantization, rows, tokens, ["fused", "padded"])
            peaks = [child(folder, chosen.quantization, rows, tokens, [form])["peak"] / 1e6 for form in ("fused", "padded")]
            fused, padded = timed["seconds"]["fused"], timed["seconds"]["padded"]
            print(
                f"{rows:4} x {tokens:<6}   {fused:9.2f} {padded:10.2f} {padded / fused:12.2f}"
                f" {peaks[0]:12.0f} {peaks[1]:10.0f} {timed['rate'] / 1e9:12.0f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
