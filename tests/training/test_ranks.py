"""Several processes train one run: started by the launcher people use, compared with one process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from safetensors.torch import load_file

from studio.runs import RunStore

ROOT = Path(__file__).parents[2]
PLAIN = ("-m", "studio.training")
LAUNCHER = (
    *(
        "-m",
        "accelerate.commands.launch",
        "--multi_gpu",
        "--num_processes",
        "2",
        "--num_machines",
        "1",
        "--main_process_port",
        "0",
    ),
    *("--mixed_precision", "no", "--dynamo_backend", "no", "-m", "studio.training"),
)


def command(runs: RunStore, run_id: str, *words: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, *words, str(runs.folder(run_id))],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.mark.slow
def test_two_processes_give_the_run_of_one(setup) -> None:
    _, runs, config = setup
    config = config.replace(per_device_train_batch_size=9, gradient_accumulation_steps=1, num_train_epochs=3)  # 9, 9, 9, 1 rows
    alone, together = runs.create(config), runs.create(config)
    for run_id, words in ((alone, PLAIN), (together, LAUNCHER)):
        done = command(runs, run_id, *words)
        assert done.returncode == 0, done.stderr[-3000:]
        assert runs.status(run_id).state == "finished"
        assert not runs.lock(run_id).held()
    one, two = (runs.curve(run_id) for run_id in (alone, together))
    assert [step for step, _ in two.training] == list(range(1, 13)), "each step is written once"
    assert [loss for _, loss in two.training] == pytest.approx([loss for _, loss in one.training], rel=1e-4)
    assert [loss for _, loss in two.validation] == pytest.approx([loss for _, loss in one.validation], rel=1e-4)
    tokens = [[item["tokens"] for item in runs.metrics(run_id) if "tokens" in item] for run_id in (alone, together)]
    assert tokens[0] == tokens[1]
    first, second = (load_file(runs.adapter(run_id) / "adapter_model.safetensors") for run_id in (alone, together))
    far = sum(float((first[name] - second[name]).norm() ** 2) for name in first) ** 0.5
    assert far < 1e-2 * sum(float(value.norm() ** 2) for value in first.values()) ** 0.5
