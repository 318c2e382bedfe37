"""Runs in a control group with little memory, for `tests.benchmarks.estimates --limits`: what is promised to fit, does it?"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from studio.models import hardware
from studio.models.fit import fit, told
from studio.models.memory import RowSizes, estimate
from studio.runs import RunStore
from studio.workspace import Workspace
from tests.benchmarks.trial_runs import KEPT_ASIDE, LONGEST, STEPS, entry_of, examples, fresh, new_run, train

GIB = 2**30


@dataclass(frozen=True)
class Case:
    """A run as somebody might set it up: rows of so many tokens, and what differs from the app's defaults."""

    model: str
    tokens: int
    settings: dict[str, Any] = field(default_factory=dict)


CASES = [
    Case("starter", 96),
    Case("starter", 480),
    Case("starter", 480, {"quantization": "none", "r": 128, "per_device_train_batch_size": 32, "max_length": LONGEST}),
    Case("medium", 96),
    Case("medium", 480),
    Case("medium", 480, {"quantization": "none", "r": 64}),
]


def group_folder() -> Path | None:
    """This process's own control group for memory, where new ones can be made in it; version 1 or 2."""
    for line in Path("/proc/self/cgroup").read_text(encoding="ascii").splitlines():
        number, names, inside = line.split(":", 2)
        root = hardware.CGROUP if number == "0" else hardware.CGROUP / "memory"
        if number == "0" and (root / "cgroup.controllers").is_file() or "memory" in names.split(","):
            return next((path for path in (root / inside.strip("/"), root) if os.access(path, os.W_OK)), None)
    return None


@contextlib.contextmanager
def group(limit: int) -> Iterator[Path]:
    """A control group whose processes together get `limit` bytes and no swap."""
    parent = group_folder()
    if parent is None:
        sys.exit("No control group for memory can be made here. RLIMIT_AS is no substitute: it counts addresses, not memory.")
    folder = parent / f"estimates-{os.getpid()}"
    folder.mkdir()
    try:
        old = (folder / "memory.limit_in_bytes").is_file()
        (folder / ("memory.limit_in_bytes" if old else "memory.max")).write_text(str(limit))
        with contextlib.suppress(OSError):  # no swap to account for
            (folder / ("memory.memsw.limit_in_bytes" if old else "memory.swap.max")).write_text(str(limit) if old else "0")
        yield folder
    finally:
        folder.rmdir()


def inside(group_path: str, root: str, case: dict[str, Any]) -> dict[str, Any]:
    """In this process: go into the group, make the run fit, and train it."""
    (Path(group_path) / "cgroup.procs").write_text(str(os.getpid()))
    hardware.calm_threads()
    workspace, given = Workspace(root), Case(**case)
    count = KEPT_ASIDE + STEPS * given.settings.get("per_device_train_batch_size", 8)
    folder = new_run(workspace, given.model, examples(count, given.tokens), {"evaluations": 1, **given.settings})
    runs = RunStore(workspace)
    config, entry = runs.config(folder.name), entry_of(workspace, given.model)
    sizes = RowSizes(count - KEPT_ASIDE, KEPT_ASIDE, given.tokens, given.tokens)
    computer = hardware.hardware()
    before = estimate(config, entry, sizes, computer)
    changes = fit(config, entry, sizes, computer, [entry_of(workspace, "starter")])
    said = {"free": computer.memory_free, "before": before.needed_bytes, "fits": before.fits}
    said |= {"changes": [change.sentence for change in changes], "told": told(before, changes)}
    after = changes[-1].after if changes else before
    said |= {"after": after.needed_bytes, "then": after.fits, "most": after.total_bytes}
    print(json.dumps(said), flush=True)
    if after.fits == "no":
        return said
    settings = {name: value for change in changes for name, value in change.settings.items()}
    model = next((change.model_id for change in reversed(changes) if change.model_id), config.model.base_model)
    new = runs.folder(runs.create(config.replace(base_model=model, **settings)))
    status = train(str(new), STEPS)
    shrunk = any(item["kind"] == "memory" for item in runs.lines(new.name, "events"))
    return {**said, "state": status["state"], "peak": status["peak_memory_bytes"], "shrunk": shrunk, "error": status["error"]}


def table(root: Path, limits: list[float]) -> None:
    """A row for every case under every limit: what it needs, and the most it takes where there is room."""
    print("| limit | model | settings | rows of | needs | fits | changes | then | most | run | peak |\n" + "|---" * 11 + "|")
    for limit in limits:
        for case in CASES:
            found = outcome(root, round(limit * GIB), case)
            set_up = ", ".join(f"{name} {value}" for name, value in case.settings.items()) or "the app's defaults"
            changes = " ".join(found.get("changes", [])) or "none"
            sizes = [f"{found[name] / GIB:.2f} GiB" if found.get(name) else "" for name in ("before", "after", "most", "peak")]
            print(
                f"| {limit:g} GiB | {case.model} | {set_up} | {case.tokens} | {sizes[0]} | {found.get('fits')} | {changes} |"
                f" {sizes[1]}, {found.get('then')} | {sizes[2]} | {found['run']} | {sizes[3]} |",
                flush=True,
            )


def outcome(root: Path, limit: int, case: Case) -> dict[str, Any]:
    """What a child in a group with so much memory came to; `run` says it in a word."""
    workspace = fresh(root)
    try:
        with group(limit) as folder:
            words = json.dumps([str(folder), str(workspace.root), vars(case)])
            command = [sys.executable, "-m", "tests.benchmarks.limits", "--child", words]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
    finally:
        shutil.rmtree(workspace.root)
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    found = json.loads(lines[-1]) if lines else {}
    if done.returncode == -signal.SIGKILL:
        found["run"] = "killed for memory"
    elif done.returncode:
        sys.stderr.write(done.stderr)
        found["run"] = "failed"
    elif "state" not in found:
        found["run"] = "not offered: too big"
    else:
        ended = "went through" if found["state"] in ("finished", "stopped") else found["state"]  # it was stopped after its steps
        found["run"] = ended + (", in smaller parts" if found["shrunk"] else "")
    return found


def main() -> None:
    """Do what `--child` says."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--child", required=True)
    print(json.dumps(inside(*json.loads(parser.parse_args().child))))


if __name__ == "__main__":
    main()
