"""Do waiting arithmetic threads spin or sleep? `python -m tests.benchmarks.threads`

One layer's work (unpack 4-bit weights, multiply 255 tokens by them) in a child process with OMP_WAIT_POLICY unset and
PASSIVE, interleaved, alone and beside as many busy processes as there are cores. Prints medians in milliseconds.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys

ROUNDS = 5
WORK = """
import time, torch, bitsandbytes.functional as F
weight, state = F.quantize_4bit(torch.randn(1536, 576), quant_type="nf4", compress_statistics=True)
tokens = torch.randn(255, 576)
def once():
    return tokens @ F.dequantize_4bit(weight, state).t()
for _ in range(10): once()
started = time.perf_counter()
for _ in range(60): once()
print((time.perf_counter() - started) / 60 * 1000)
"""


def measured(policy: str) -> float:
    """Milliseconds of one layer's work in a fresh process."""
    surroundings = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"}
    if policy:
        surroundings["OMP_WAIT_POLICY"] = policy
    done = subprocess.run([sys.executable, "-c", WORK], env=surroundings, capture_output=True, text=True, check=True)
    return float(done.stdout.split()[-1])


def main() -> None:
    """Print the table."""
    print("| beside | spinning (default) ms | sleeping (PASSIVE) ms | ratio |\n|---|---|---|---|")
    for crowd in (0, os.cpu_count() or 1):
        others = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(crowd)]
        try:
            found = [(measured(""), measured("PASSIVE")) for _ in range(ROUNDS)]
        finally:
            for other in others:
                other.kill()
        spin, sleep = (statistics.median(column) for column in zip(*found, strict=True))
        print(f"| {crowd} busy processes | {spin:.1f} | {sleep:.1f} | {spin / sleep:.2f} |", flush=True)


if __name__ == "__main__":
    main()
