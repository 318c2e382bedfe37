"""Whether the loss of a user's run falls as that of the plain tutorial: our curve within the spread of five of theirs.

    python -m tests.benchmarks.curve WORKSPACE [--steps 200] [--rows 2] [--kind none]

The tutorial is transformers.Trainer with PEFT and stock batches, each time with another seed for the order of the rows and the
adapter's start. Ours is a run over a run folder with the defaults but for the same rate (constant), rows a step and rank 16.
Losses of single steps jump with their rows, so means of 20 steps are compared. A sixth curve of the same kind would leave the
range from the lowest to the highest of five in every third place, so the spread is the 95 % prediction interval of those five:
mean +- t * s * sqrt(1 + 1/5), Student's t with 4 degrees of freedom. WORKSPACE must hold the starter.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

from tests.benchmarks.tutorial import ROOT, adapted, conversations, own_run, trained

TOGETHER = 20  # steps
SEEDS, STUDENT = 5, 2.776  # curves of the tutorial, and the two-sided 95 % quantile of Student's t for one fewer
RATE = 2e-4


def tutorial(folder: str, kind: str, steps: int, rows: int, seed: int) -> None:
    """The tutorial, in this process: prints the loss of every step."""
    import torch
    from transformers import AutoTokenizer, Trainer, set_seed

    from studio.data.encode import encode
    from studio.models import hardware
    from studio.records import Example

    dtype = getattr(torch, hardware.compute_dtype())
    tokenizer = AutoTokenizer.from_pretrained(folder)
    found = [encode(tokenizer, Example(messages=tuple(turns)), max_length=512) for turns in conversations()]
    data = [
        {"input_ids": list(row.input_ids), "labels": list(row.labels), "attention_mask": [1] * len(row.labels)} for row in found
    ]
    set_seed(seed)
    model = adapted(folder, dtype, nf4=kind == "nf4")
    about = {"logging_steps": 1, "weight_decay": 0.0, "max_grad_norm": 1.0, "bf16": dtype == torch.bfloat16}
    settings = {"per_device_train_batch_size": rows, "max_steps": steps, "learning_rate": RATE, "seed": seed}
    trainer = trained(Trainer, model, tokenizer, data, **settings, **about)
    print(json.dumps([item["loss"] for item in trainer.state.log_history if "loss" in item]))


def ours(workspace: str, kind: str, steps: int, rows: int) -> list[float]:
    """The losses of a user's run."""
    turns = conversations()
    runs, run_id = own_run(
        workspace,
        turns,
        quantization=kind,
        learning_rate=RATE,
        per_device_train_batch_size=rows,
        num_train_epochs=-(-steps * rows // len(turns)),
        lr_scheduler_type="constant",
        warmup_ratio=0.0,
        weight_decay=0.0,
    )
    subprocess.run([sys.executable, "-m", "studio.training", str(runs.folder(run_id))], cwd=ROOT, check=True)
    return [item["loss"] for item in runs.metrics(run_id) if "loss" in item][:steps]


def means(losses: list[float]) -> list[float]:
    """Means of every `TOGETHER` steps."""
    return [statistics.fmean(losses[start : start + TOGETHER]) for start in range(0, len(losses), TOGETHER)]


def main() -> int:
    """Print the table. Returns 1 when our curve leaves the spread."""
    parser = argparse.ArgumentParser()
    parser.add_argument("workspace")
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--rows", type=int, default=2)
    parser.add_argument("--kind", default="none")
    parser.add_argument("--child")
    chosen = parser.parse_args()
    if chosen.child:
        tutorial(*json.loads(chosen.child))
        return 0
    mine = means(ours(chosen.workspace, chosen.kind, chosen.steps, chosen.rows))
    theirs = []
    for seed in range(1, SEEDS + 1):
        words = [str(Path(chosen.workspace) / "models" / "starter"), chosen.kind, chosen.steps, chosen.rows, seed]
        command = [sys.executable, "-m", "tests.benchmarks.curve", chosen.workspace, "--child", json.dumps(words)]
        done = subprocess.run(
            command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True, env={**os.environ, "HF_HUB_OFFLINE": "1"}
        )
        theirs.append(means(json.loads(done.stdout.splitlines()[-1])))
        print(f"seed {seed}: {[round(value, 3) for value in theirs[-1]]}", file=sys.stderr, flush=True)
    print("| steps | tutorial, mean of five | spread | ours | within |\n|---|---|---|---|---|")
    outside = 0
    for place, value in enumerate(mine):
        these = [row[place] for row in theirs]
        middle, spread = statistics.fmean(these), STUDENT * statistics.stdev(these) * (1 + 1 / SEEDS) ** 0.5
        within = abs(value - middle) <= spread
        outside += not within
        first = place * TOGETHER + 1
        last = min(first + TOGETHER - 1, chosen.steps)
        print(f"| {first} to {last} | {middle:.3f} | ± {spread:.3f} | {value:.3f} | {'yes' if within else 'no'} |")
    return 1 if outside else 0


if __name__ == "__main__":
    sys.exit(main())
