"""Whether the loss of a user's run falls as that of the plain tutorial: our curve within the spread of five of theirs.

    python -m tests.benchmarks.curve WORKSPACE [--steps 200] [--rows 2] [--seeds 5] [--kind none]

The tutorial is transformers.Trainer with PEFT and stock batches, each time with another seed for the order of the rows and the
adapter's start. Ours is a run over a run folder with the defaults but for the same rate (constant), rows a step and rank 16.
Losses of single steps jump with their rows, so means of 20 steps are compared. WORKSPACE must hold the starter.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.benchmarks.peers import conversations

ROOT = Path(__file__).parents[2]
TOGETHER = 20  # steps
RATE = 2e-4


def tutorial(folder: str, kind: str, steps: int, rows: int, seed: int) -> None:
    """The tutorial, in this process: prints the loss of every step."""
    import torch
    from peft import LoraConfig, get_peft_model, prepare_model_for_kbit_training
    from transformers import (
        AutoModelForCausalLM,
        AutoTokenizer,
        BitsAndBytesConfig,
        DataCollatorForSeq2Seq,
        Trainer,
        TrainingArguments,
        set_seed,
    )

    from studio.data.encode import encode
    from studio.models import hardware
    from studio.records import Example

    dtype = getattr(torch, hardware.compute_dtype())
    tokenizer = AutoTokenizer.from_pretrained(folder)
    found = [encode(tokenizer, Example(messages=tuple(turns)), max_length=512) for turns in conversations("")]
    data = [
        {"input_ids": list(row.input_ids), "labels": list(row.labels), "attention_mask": [1] * len(row.labels)} for row in found
    ]
    set_seed(seed)
    extra: dict[str, Any] = {}
    if kind == "nf4":
        extra["quantization_config"] = BitsAndBytesConfig(
            load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True, bnb_4bit_compute_dtype=dtype
        )
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype, device_map="cpu", **extra)
    model.config.use_cache = False
    if kind == "nf4":
        model = prepare_model_for_kbit_training(model, use_gradient_checkpointing=False)
    model = get_peft_model(model, LoraConfig(r=16, lora_alpha=32, target_modules="all-linear", task_type="CAUSAL_LM"))
    settings = TrainingArguments(
        tempfile.mkdtemp(), per_device_train_batch_size=rows, max_steps=steps, learning_rate=RATE, use_cpu=True, seed=seed,
        bf16=dtype == torch.bfloat16, save_strategy="no", report_to=[], disable_tqdm=True, lr_scheduler_type="constant",
        logging_steps=1, weight_decay=0.0, max_grad_norm=1.0,
    )  # fmt: skip
    trainer = Trainer(
        model=model, args=settings, train_dataset=data, data_collator=DataCollatorForSeq2Seq(tokenizer, padding=True)
    )
    trainer.train()
    print(json.dumps([item["loss"] for item in trainer.state.log_history if "loss" in item]))


def ours(workspace: str, kind: str, steps: int, rows: int) -> list[float]:
    """The losses of a user's run."""
    from studio.config import RunConfig
    from studio.datasets import DatasetStore
    from studio.records import Example
    from studio.runs import RunStore
    from studio.workspace import Workspace

    root = Path(tempfile.mkdtemp())
    (root / "models").symlink_to((Path(workspace) / "models").resolve())
    own, turns = Workspace(root), conversations("")
    examples = [Example(messages=tuple(row), source_row=index) for index, row in enumerate(turns)]
    record = DatasetStore(own).create("rows", examples, ["train"] * len(examples), format="chat", seed=1)
    config = RunConfig(name="Curve").replace(
        dataset_id=record.id, dataset_sha256=record.sha256, quantization=kind, r=16, lora_alpha=32, learning_rate=RATE,
        per_device_train_batch_size=rows, num_train_epochs=-(-steps * rows // len(examples)), evaluations=1,
        lr_scheduler_type="constant", warmup_ratio=0.0, weight_decay=0.0,
    )  # fmt: skip
    runs = RunStore(own)
    run_id = runs.create(config)
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
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--kind", default="none")
    parser.add_argument("--child")
    chosen = parser.parse_args()
    if chosen.child:
        tutorial(*json.loads(chosen.child))
        return 0
    mine = means(ours(chosen.workspace, chosen.kind, chosen.steps, chosen.rows))
    theirs = []
    for seed in range(1, chosen.seeds + 1):
        words = [str(Path(chosen.workspace) / "models" / "starter"), chosen.kind, chosen.steps, chosen.rows, seed]
        command = [sys.executable, "-m", "tests.benchmarks.curve", chosen.workspace, "--child", json.dumps(words)]
        done = subprocess.run(
            command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True, env={**os.environ, "HF_HUB_OFFLINE": "1"}
        )
        theirs.append(means(json.loads(done.stdout.splitlines()[-1])))
        print(f"seed {seed}: {[round(value, 3) for value in theirs[-1]]}", file=sys.stderr, flush=True)
    print("| steps | tutorial, lowest to highest | ours | within |\n|---|---|---|---|")
    outside = 0
    for place, value in enumerate(mine):
        low, high = min(row[place] for row in theirs), max(row[place] for row in theirs)
        within = low <= value <= high
        outside += not within
        first = place * TOGETHER + 1
        print(f"| {first} to {min(first + TOGETHER - 1, chosen.steps)} | {low:.3f} to {high:.3f} | {value:.3f} | {within} |")
    return 1 if outside else 0


if __name__ == "__main__":
    sys.exit(main())
