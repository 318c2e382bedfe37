"""What it costs to bring a file of many rows through the Data tab: seconds, memory, and how quickly the page answers meanwhile.

    python -m tests.benchmarks.million [ROWS] [--plain]

Writes a JSONL of ROWS (default 1,000,000) questions and answers of about 200 characters, one row in a hundred a duplicate
and one in fifty with an e-mail address; `--plain` leaves the numbers out of them. The app is started in a process of its own,
where the file is read, looked through, paged, searched and saved as the page does it. Another process asks the page for its
stamp (`pulse.py`) over HTTP all the while. Memory is the app's resident set: after a step, and the most so far; "before" is the
app with its page open.
"""

from __future__ import annotations

import argparse
import gc
import json
import random
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from studio.data.detect import detect
from studio.data.spill import Telling
from studio.data.table import page_of
from studio.drafts import Drafts
from studio.models.hardware import memory_peak
from studio.workspace import Workspace, gib

WORDS = "order parcel bread oven shop invoice window account night colour price street garden answer letter number"
DUPLICATES, EMAILS = 100, 50  # one row in that many


def write(path: Path, count: int, *, numbers: bool = True) -> None:
    """The file. The same seed gives the same file again."""
    draw, words = random.Random(7), WORDS.split()
    kept: list[str] = []
    with open(path, "w", encoding="utf-8") as handle:
        for index in range(count):
            if kept and index % DUPLICATES == 0:
                handle.write(draw.choice(kept))
                continue
            case, number = (f" in case {index}", f", number {index}") if numbers else ("", "")
            asked = f"What about {' '.join(draw.choices(words, k=8))}{case}?"
            said = f"{' '.join(draw.choices(words, k=18)).capitalize()}{number}."
            if index % EMAILS == 0:
                said += f" Write to person{index}@example.org."
            line = json.dumps({"question": asked, "answer": said}) + "\n"
            handle.write(line)
            if len(kept) < 1000:
                kept.append(line)


class Stages(Telling):
    """Remembers when each kind of work began."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.begun: list[tuple[str, float]] = []

    def tell(self, work: str, done: int, whole: int, rows: int = 0) -> None:
        """Write down a new kind of work."""
        if not self.begun or self.begun[-1][0] != work:
            self.begun.append((work, time.perf_counter()))
        super().tell(work, done, whole, rows)


def ask(address: str, component: int, seconds: Path) -> None:
    """Ask for the page's stamp until nobody answers any more; how long each answer took goes to a file."""
    call = {"session_hash": "benchmark", "component_id": component, "fn_name": "pulse", "data": None}
    request = urllib.request.Request(
        f"{address}gradio_api/component_server", json.dumps(call).encode(), {"Content-Type": "application/json"}
    )
    with open(seconds, "w", encoding="utf-8", buffering=1) as handle:
        while True:
            started = time.perf_counter()
            try:
                with urllib.request.urlopen(request, timeout=60) as answer:
                    answer.read()
            except OSError:
                return
            handle.write(f"{time.perf_counter() - started}\n")
            time.sleep(0.1)


def measure(path: Path) -> None:
    """Open the app, take the file in, and print a row of the table for each step."""
    from app import prepare
    from studio.ui import server
    from studio.ui.app import build
    from studio.ui.studio import Studio

    process = psutil.Process()
    workspace = Workspace(path.parent / "workspace")
    prepare(workspace)
    studio = Studio.open(workspace.root)
    page = build(studio)
    options = server.launch_options(studio.workspace, host="127.0.0.1", port=server.free_port("127.0.0.1", None))
    _, address, _ = page.launch(**options)
    pulse = next(block._id for block in page.blocks.values() if "pulse" in [f.__name__ for f in getattr(block, "server_fns", ())])
    seconds = path.with_name("answers")
    me = [sys.executable, "-m", "tests.benchmarks.million"]
    asking = subprocess.Popen([*me, "--ask", address, str(pulse), str(seconds)])
    print(f"| {path.name}, {gib(path.stat().st_size)} | seconds | memory after | most so far |\n|---|---|---|---|")

    def line(name: str, took: float) -> None:
        gc.collect()
        print(f"| {name} | {took:.1f} | {gib(process.memory_info().rss)} | {gib(memory_peak())} |", flush=True)

    def step(name: str, work: Callable[[], Any]) -> Any:
        started = time.perf_counter()
        found = work()
        line(name, time.perf_counter() - started)
        return found

    time.sleep(3)
    line("before", 0)
    upload = studio.workspace.root / "uploads" / "x" / path.name
    upload.parent.mkdir()
    shutil.copyfile(path, upload)
    stages = Stages()
    opened = step("copy, read, detect, convert, share out", lambda: studio.drafts.take_upload(upload, stages))
    ends = [at for _, at in stages.begun[1:]] + [time.perf_counter()]
    for (work, begun), end in zip(stages.begun, ends, strict=False):  # none where the file is small
        print(f"| of these: {work} | {end - begun:.1f} | | |")
    step("detect alone", lambda: detect(opened.reading))
    look = step("all checks", lambda: looked(studio.checkups.begin(opened.draft.id, None, "starter")))
    for finding in look.findings:
        print(f"| found: {finding.title} | | | |")
    step("first page", lambda: page_of(opened.rows))
    print(f"| found by a search | {step('a search', lambda: page_of(opened.rows, 'number 77')).total:,} rows | | |")
    step("longest answers first", lambda: page_of(opened.rows, sort="-answer"))
    step("open again after a restart", lambda: Drafts(studio.workspace, studio.datasets).open(opened.draft.id).counts)
    saved = step("save", lambda: studio.drafts.save(opened.draft.id))
    step("a page of the saved rows", lambda: studio.rows(saved.id)[-20:])
    print(f"{saved.rows:,} examples saved, {saved.counts}")
    asking.terminate()
    asking.wait()
    took = sorted(map(float, seconds.read_text().split()))
    at = {name: took[int(share * (len(took) - 1))] for name, share in (("median", 0.5), ("p95", 0.95), ("worst", 1))}
    print(f"{len(took):,} status calls meanwhile: {', '.join(f'{name} {value:.3f} s' for name, value in at.items())}")
    studio.close()
    page.close(verbose=False)


def looked(look: Any) -> Any:
    """Wait for the end of a look, and print how long each check took."""
    begun: list[tuple[str, float]] = []
    while not look.wait(0.05):
        name = look.progress[2]
        if not begun or begun[-1][0] != name:
            begun.append((name, time.perf_counter()))
    ends = [at for _, at in begun[1:]] + [time.perf_counter()]
    print("; ".join(f"{name or 'learning'} {end - at:.0f} s" for (name, at), end in zip(begun, ends, strict=True)))
    if look.error:
        raise look.error
    return look


def main() -> None:
    """Write the file and measure in a child, whose memory holds nothing else."""
    parser = argparse.ArgumentParser()
    parser.add_argument("rows", type=int, nargs="?", default=1_000_000)
    parser.add_argument("--plain", action="store_true")
    parser.add_argument("--file", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--ask", nargs=3, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.ask:
        ask(asked.ask[0], int(asked.ask[1]), Path(asked.ask[2]))
    elif asked.file:
        measure(asked.file)
    else:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "many.jsonl"
            write(path, asked.rows, numbers=not asked.plain)
            subprocess.run([sys.executable, "-m", "tests.benchmarks.million", "--file", str(path)], check=True)


if __name__ == "__main__":
    main()
