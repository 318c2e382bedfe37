"""Several processes train one run: started by the launcher people use, compared with one process."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from safetensors.torch import load_file

from studio.errors import StudioError
from studio.runs import RunStore
from studio.training.ranks import Ranks
from studio.training.sharding import shard

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

SPLIT = (
    "-m",
    "accelerate.commands.launch",
    "--config_file",
    "assets/fsdp.yaml",
    "--main_process_port",
    "0",
    "-m",
    "studio.training",
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


@pytest.mark.long
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
    assert_same_adapter(runs, alone, together)


def assert_same_adapter(runs: RunStore, alone: str, together: str) -> None:
    first, second = (load_file(runs.adapter(run_id) / "adapter_model.safetensors") for run_id in (alone, together))
    assert first.keys() == second.keys()
    far = sum(float((first[name] - second[name]).norm() ** 2) for name in first) ** 0.5
    assert far < 1e-2 * sum(float(value.norm() ** 2) for value in first.values()) ** 0.5


@pytest.mark.long
def test_a_base_split_over_two_processes_gives_the_run_of_one(setup) -> None:
    """The second has no row in the last step, and fewer batches than the first in the others."""
    _, runs, config = setup
    config = config.replace(quantization="nf4", per_device_train_batch_size=3, gradient_accumulation_steps=3)
    config = config.replace(num_train_epochs=2, lora_dropout=0.0)
    alone, together = runs.create(config), runs.create(config)
    for run_id, words in ((alone, PLAIN), (together, SPLIT)):
        done = command(runs, run_id, *words)
        assert done.returncode == 0, done.stderr[-3000:]
        assert runs.status(run_id).state == "finished"
    said = (runs.folder(together) / "run.log").read_text(encoding="utf-8")
    here, whole = (int(number.replace(",", "")) for number in re.search(r"([\d,]+) of ([\d,]+) bytes", said).groups())
    kept_whole = 4 * sum(value.numel() for value in load_file(runs.adapter(together) / "adapter_model.safetensors").values())
    assert here - kept_whole == pytest.approx((whole - kept_whole) / 2, rel=0.05)
    one, two = (runs.curve(run_id) for run_id in (alone, together))
    assert [loss for _, loss in two.training] == pytest.approx([loss for _, loss in one.training], rel=1e-4)
    assert [loss for _, loss in two.validation] == pytest.approx([loss for _, loss in one.validation], rel=1e-4)
    assert_same_adapter(runs, alone, together)


def test_eight_bit_is_not_split() -> None:
    with pytest.raises(StudioError, match="8 bit"):
        shard(None, "int8", Ranks())
