"""What it costs to take in a file of many rows: seconds and memory of reading, detecting, converting and sharing out.

    python -m tests.benchmarks.million [ROWS] [--profile]

Writes a JSONL of ROWS (default 1,000,000) questions and answers of about 200 characters, one row in a hundred a duplicate
and one in fifty with an e-mail address, and takes it in as a draft does, in a process of its own. Memory is this process's
resident set: after a step, and the most so far. `--profile` adds where the time goes, at the cost of more of it.
"""

from __future__ import annotations

import argparse
import cProfile
import gc
import json
import pstats
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from studio.data.convert import convert
from studio.data.detect import detect
from studio.data.read import read
from studio.data.split import assign
from studio.errors import StudioError
from studio.models.hardware import memory_peak
from studio.workspace import gib

WORDS = "order parcel bread oven shop invoice window account night colour price street garden answer letter number"
DUPLICATES, EMAILS = 100, 50  # one row in that many


def write(path: Path, count: int) -> None:
    """The file. The same seed gives the same file again."""
    draw, words = random.Random(7), WORDS.split()
    kept: list[str] = []
    with open(path, "w", encoding="utf-8") as handle:
        for index in range(count):
            if kept and index % DUPLICATES == 0:
                handle.write(draw.choice(kept))
                continue
            asked = f"What about {' '.join(draw.choices(words, k=8))} in case {index}?"
            said = f"{' '.join(draw.choices(words, k=18)).capitalize()}, number {index}."
            if index % EMAILS == 0:
                said += f" Write to person{index}@example.org."
            line = json.dumps({"question": asked, "answer": said}) + "\n"
            handle.write(line)
            if len(kept) < 1000:
                kept.append(line)


def measure(path: Path) -> None:
    """Take the file in, and print a row of the table for each step."""
    process = psutil.Process()
    print(f"| {path.name}, {gib(path.stat().st_size)} | seconds | memory after | most so far |\n|---|---|---|---|")

    def step(name: str, work: Callable[[], Any]) -> Any:
        started = time.perf_counter()
        found = work()
        seconds = time.perf_counter() - started
        gc.collect()
        print(f"| {name} | {seconds:.1f} | {gib(process.memory_info().rss)} | {gib(memory_peak())} |", flush=True)
        return found

    step("before", lambda: None)
    reading = step("read", lambda: read(path))
    mapping = step("detect", lambda: detect(reading))
    converted = step("convert", lambda: convert(reading, mapping))
    step("share out", lambda: assign(converted.examples, seed=42, validation=0.1))
    print(f"{len(reading.rows):,} rows, {len(converted.examples):,} examples, {len(converted.left_out):,} left out")


def main() -> None:
    """Write the file and measure in a child, whose memory holds nothing else."""
    parser = argparse.ArgumentParser()
    parser.add_argument("rows", type=int, nargs="?", default=1_000_000)
    parser.add_argument("--profile", action="store_true")
    parser.add_argument("--file", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.file is None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "many.jsonl"
            write(path, asked.rows)
            extra = ["--profile"] if asked.profile else []
            subprocess.run([sys.executable, "-m", "tests.benchmarks.million", "--file", str(path), *extra], check=True)
        return
    profile = cProfile.Profile()
    try:
        profile.runcall(measure, asked.file) if asked.profile else measure(asked.file)
    except StudioError as error:
        print(f"| refused | | | |\n{error}")
    if asked.profile:
        pstats.Stats(profile).sort_stats("tottime").print_stats(15)


if __name__ == "__main__":
    main()
