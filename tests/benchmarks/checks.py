"""What each check of the data costs: seconds, rows a second, and the peak memory of a process of its own.

    python -m tests.benchmarks.checks --rows 100000 [--only duplicates,leaks]

The rows are made as they are asked for, and never held, so that the memory is that of the check.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence

import psutil

from studio.data.checks import CHECKS, About
from studio.records import Example

WORDS = [
    "bread", "oven", "early", "market", "river", "closed", "sunday", "seven", "crowns", "garden", "letter", "blue", "please",
    "order", "delivery", "ask", "return", "within", "days", "the", "a", "we", "you", "our", "with", "from", "open", "at", "is",
]  # fmt: skip
MULTIPLIER = 0x9E3779B97F4A7C15F39CC060  # spreads positions over the phrases
OFTEN = 20  # of so many rows one is a copy and one almost a copy of an earlier one


def phrases(count: int = 4096, words: int = 4) -> list[str]:
    """Phrases that rows are put together from."""
    source = random.Random(0)
    return [" ".join(source.choices(WORDS, k=words)) for _ in range(count)]


class Made(Sequence[Example]):
    """Questions of twelve words and answers of twenty, each put together from its position."""

    def __init__(self, count: int, labels: bool = False) -> None:
        self.count, self.labels, self.phrases = count, labels, phrases()

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[Example]:
        return (self[at] for at in range(self.count))

    def __getitem__(self, at: int) -> Example:
        kind = at % OFTEN if at >= OFTEN else 2
        place = (at if kind > 1 else at - kind - 7) * MULTIPLIER % 2**96
        picked = [self.phrases[place >> 12 * turn & 4095] for turn in range(8)]
        label = f"label {at % 7}" if self.labels else ""
        answer = label or " ".join(picked[3:]) + (" too." if kind == 1 else ".")
        messages = ({"role": "user", "content": " ".join(picked[:3]) + "?"}, {"role": "assistant", "content": answer})
        return Example(messages=messages, label=label, source_row=at + 2)


def measure(key: str, count: int) -> dict[str, float]:
    """Seconds and bytes of one check, in this process; the time to make the rows is taken off."""
    check = next(check for check in CHECKS if key == check.KEY)
    rows = Made(count, labels=key == "labels")
    sides = ["validation" if at % 997 == 0 else "train" for at in range(count)]
    about = About(splits=sides, lengths=range(count), max_length=count * 9 // 10)
    if key != "labels":
        check.find(Made(10), About())  # imports
    began = time.perf_counter()
    for _ in rows:
        pass
    making = time.perf_counter() - began
    before = psutil.Process().memory_info().rss
    began = time.perf_counter()
    found = check.find(rows, about)
    passes = {"leaks": 2, "too_long": 0}.get(key, 1)
    seconds = max(1e-3, time.perf_counter() - began - passes * making)
    return {"seconds": seconds, "before": before, "peak": peak(), "rows": sum(len(finding.rows) for finding in found)}


def peak() -> int:
    """The most memory that this process had, in bytes."""
    from studio.models.hardware import memory_peak

    return memory_peak()


def main() -> None:
    """Print one line a check."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--only", default="")
    parser.add_argument("--child", default="")
    options = parser.parse_args()
    if options.child:
        print(json.dumps(measure(options.child, options.rows)))
        return
    print(
        f"| check ({options.rows:,} rows) | s | rows/s | peak MB | of it for the check | rows found |\n|---|---|---|---|---|---|"
    )
    for check in CHECKS:
        if options.only and check.KEY not in options.only.split(","):
            continue
        command = [sys.executable, "-m", "tests.benchmarks.checks", "--rows", str(options.rows), "--child", check.KEY]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        found = json.loads(done.stdout.splitlines()[-1])
        cells = (
            check.KEY,
            f"{found['seconds']:.1f}",
            f"{options.rows / found['seconds']:,.0f}",
            f"{found['peak'] / 1e6:,.0f}",
            f"{(found['peak'] - found['before']) / 1e6:,.0f}",
            f"{found['rows']:,}",
        )
        print("| " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
