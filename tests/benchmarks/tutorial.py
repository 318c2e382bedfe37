"""The plain tutorial (transformers.Trainer + PEFT) and a user's run of ours on the same rows, as the benchmarks set them up."""

from __future__ import annotations

import csv
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from studio.config import RunConfig
from studio.datasets import DatasetStore
from studio.records import Example
from studio.runs import RunStore
from studio.workspace import Workspace

ROOT = Path(__file__).parents[2]


def conversations(data: str = "") -> list[list[dict[str, str]]]:
    """The rows of a chat JSONL, or the bakery sample."""
    if not data:
        with (ROOT / "assets/samples/bakery/data.csv").open(encoding="utf-8", newline="") as file:
            pairs = [(row["question"], row["answer"]) for row in csv.DictReader(file)]
        return [[{"role": "user", "content": asked}, {"role": "assistant", "content": said}] for asked, said in pairs]
    return [json.loads(line)["messages"] for line in Path(data).read_text(encoding="utf-8").splitlines() if line.strip()]


def adapted(folder: str, dtype: Any, *, nf4: bool) -> Any:
    """The base model with a new adapter of rank 16 on all layers."""
    from peft import LoraConfig, get_peft_model, prepare_model_for_kbit_training
    from transformers import AutoModelForCausalLM, BitsAndBytesConfig

    extra: dict[str, Any] = {}
    if nf4:
        extra["quantization_config"] = BitsAndBytesConfig(
            load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True, bnb_4bit_compute_dtype=dtype
        )
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype, device_map="cpu", **extra)
    model.config.use_cache = False
    if nf4:
        model = prepare_model_for_kbit_training(model, use_gradient_checkpointing=False)
    return get_peft_model(model, LoraConfig(r=16, lora_alpha=32, target_modules="all-linear", task_type="CAUSAL_LM"))


def trained(trainer: type, model: Any, tokenizer: Any, rows: Sequence[dict[str, list[int]]], **settings: Any) -> Any:
    """Train with a transformers.Trainer class on tokenised rows; `settings` are TrainingArguments. Returns the trainer."""
    from transformers import DataCollatorForSeq2Seq, TrainingArguments

    steady = {"use_cpu": True, "save_strategy": "no", "report_to": [], "disable_tqdm": True, "lr_scheduler_type": "constant"}
    arguments = TrainingArguments(tempfile.mkdtemp(), **steady, **settings)
    made = trainer(model=model, args=arguments, train_dataset=rows, data_collator=DataCollatorForSeq2Seq(tokenizer, padding=True))
    made.train()
    return made


def own_run(workspace: str, rows: Sequence[Sequence[dict[str, str]]], **settings: Any) -> tuple[RunStore, str]:
    """A run that waits to be trained, in a new workspace with the models of another one. No row is kept aside."""
    root = Path(tempfile.mkdtemp())
    (root / "models").symlink_to((Path(workspace) / "models").resolve())
    own = Workspace(root)
    examples = [Example(messages=tuple(turns), source_row=index) for index, turns in enumerate(rows)]
    record = DatasetStore(own).create("rows", examples, ["train"] * len(examples), format="chat", seed=1)
    config = RunConfig(name="Benchmark").replace(
        dataset_id=record.id, dataset_sha256=record.sha256, r=16, lora_alpha=32, evaluations=1, **settings
    )
    runs = RunStore(own)
    return runs, runs.create(config)
