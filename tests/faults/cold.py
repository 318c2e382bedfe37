"""kill -9 of the real model, started anew each time as a person's run is: nothing is forked, nothing is preloaded."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from pathlib import Path

from studio.config import RunConfig
from studio.models.fetch import ensure
from studio.runs import RunStore
from studio.samples import save_sample
from studio.workspace import Workspace
from tests.conftest import CACHE
from tests.faults.bench import Bench

ROOT = Path(__file__).resolve().parents[2]
LONGEST = 25.0  # seconds from the start to the latest kill: loading, the first check, saves and steps all fall within
PATIENCE = 900.0  # seconds for the run's last part


def cold_kills(bench: Bench, count: int) -> int:
    """After each kill the newest checkpoint is whole and no older than before; in the end the run is whole and finished."""
    from tests.faults.scenarios import survived

    ensure(Workspace(CACHE), "starter")
    place = Bench.__new__(Bench)  # the same questions, asked of another workspace
    place.root = bench.root / "cold"
    place.root.mkdir()
    os.symlink(CACHE / "models", place.root / "models")
    place.workspace = Workspace(place.root)
    place.runs = RunStore(place.workspace)
    data = save_sample(place.workspace, "bakery")
    config = RunConfig(name="Cold").replace(
        dataset_id=data.id,
        dataset_sha256=data.sha256,
        quantization="nf4",
        r=4,
        num_train_epochs=1,
        per_device_train_batch_size=4,
        evaluations=19,
    )
    run_id = place.runs.create(config)
    source, held = random.Random(6), 0
    for _ in range(count):
        known = max((int(path.name[5:]) for path in place.checkpoints(run_id).glob("step-*")), default=0)
        child = started(place.runs.folder(run_id))
        time.sleep(8 + source.random() * (LONGEST - 8))  # before that Python itself is still starting
        child.kill()
        child.wait()
        held += survived(place, run_id, known)
    finished = started(place.runs.folder(run_id)).wait(PATIENCE) == 0
    status = place.runs.status(run_id)
    steps = [step for step, _ in place.losses(run_id)]
    whole = finished and status.state == "finished" and steps == list(range(1, status.total_steps + 1))
    return held if whole else 0


def started(folder: Path) -> subprocess.Popen[bytes]:
    """The command that trains without the page, in a process of its own."""
    command = [sys.executable, "-m", "studio.training", str(folder)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
