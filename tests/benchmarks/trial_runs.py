"""Short real runs of which memory and time are measured, each in a process of its own: for `tests.benchmarks.estimates`."""

from __future__ import annotations

import argparse
import json
import random
import shutil
import tempfile
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from studio.config import RunConfig
from studio.datasets import DatasetStore
from studio.models import hardware
from studio.models.catalog import ModelCatalog, ModelEntry
from studio.records import Example
from studio.runs import RunStore
from studio.workspace import Workspace

STEPS = 2  # the optimizer's moments are there from the second step on
KEPT_ASIDE = 2
LONGEST = 1024  # tokens; above all rows, so that none is cut
AROUND = 33  # tokens of the starter's template around one question and its answer
WORDS = ["bread", "oven", "early", "market", "river", "closed", "sunday", "seven", "garden", "letter", "blue", "winter"]
MEDIUM = {  # the shape of SmolLM2-360M: a second size, with random weights
    "hidden_size": 960,
    "intermediate_size": 2560,
    "num_hidden_layers": 32,
    "num_attention_heads": 15,
    "num_key_value_heads": 5,
    "vocab_size": 49152,
    "max_position_embeddings": 8192,
    "tie_word_embeddings": True,
}


@dataclass(frozen=True)
class Trial:
    """One configuration: `rows` rows a step of about `tokens` tokens each; `more` are further settings."""

    model: str
    quantization: str
    r: int
    rows: int
    tokens: int
    more: dict[str, Any] = field(default_factory=dict)

    @property
    def settings(self) -> dict[str, Any]:
        """All of them, by their plain names."""
        chosen = {"quantization": self.quantization, "r": self.r, "per_device_train_batch_size": self.rows}
        return {"max_length": LONGEST, "num_train_epochs": 1, "evaluations": 1, **chosen, **self.more}

    @property
    def rows_a_step(self) -> int:
        """Those of all its parts."""
        return self.rows * self.more.get("gradient_accumulation_steps", 1)

    @property
    def told(self) -> str:
        """What it is, in one line."""
        return f"{self.model} {self.quantization} {self.rows} x {self.tokens} {self.extra}"

    @property
    def extra(self) -> str:
        """What is set besides, for a table."""
        return ", ".join(f"{name.replace('_', ' ')} {value}" if value is not True else name for name, value in self.more.items())


def make_medium(folder: Path, tokenizer: Path) -> None:
    """A random model of 362 million weights with the starter's tokenizer, in bf16 as published models are."""
    import torch
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

    own = AutoTokenizer.from_pretrained(tokenizer)
    torch.manual_seed(0)
    config = LlamaConfig(**MEDIUM, bos_token_id=own.bos_token_id, eos_token_id=own.eos_token_id)
    LlamaForCausalLM(config).to(torch.bfloat16).save_pretrained(folder)
    own.save_pretrained(folder)


def prepare(models: Path) -> Path:
    """A new folder whose `models` hold the starter and the medium model."""
    root = Path(tempfile.mkdtemp(prefix="estimates-"))
    shutil.copytree(models / "starter", root / "models" / "starter")
    make_medium(root / "medium", models / "starter")
    ModelCatalog(Workspace(root)).register_local(str(root / "medium"))
    return root


def fresh(root: Path) -> Workspace:
    """A new workspace with those models and no runs, so that no earlier run corrects an estimate."""
    own = Path(tempfile.mkdtemp(prefix="trial-", dir=root))
    (own / "models").symlink_to(root / "models")
    return Workspace(own)


def entry_of(workspace: Workspace, model: str) -> ModelEntry:
    """The model whose id begins so: "starter" or "medium"."""
    return next(item for item in ModelCatalog(workspace).entries() if item.id.startswith(model))


def examples(count: int, tokens: int) -> list[Example]:
    """Rows of about `tokens` tokens, half of each learned."""
    source, made = random.Random(0), []
    each = max(1, (tokens - AROUND) // 2)
    for _ in range(count):
        question, answer = (" ".join(source.choices(WORDS, k=each)) for _ in range(2))
        made.append(Example(messages=({"role": "user", "content": question}, {"role": "assistant", "content": answer})))
    return made


def new_run(workspace: Workspace, model: str, rows: list[Example], settings: dict[str, Any]) -> Path:
    """The folder of a new run over new rows, the first few of them kept aside."""
    sides = ["validation"] * KEPT_ASIDE + ["train"] * (len(rows) - KEPT_ASIDE)
    record = DatasetStore(workspace).create("trial", rows, sides, format="pairs", seed=1)
    config = RunConfig(name="trial").replace(
        base_model=entry_of(workspace, model).id, dataset_id=record.id, dataset_sha256=record.sha256, **settings
    )
    runs = RunStore(workspace)
    return runs.folder(runs.create(config))


def speed(root: str) -> dict[str, Any]:
    """In this process: measure the computer for a workspace."""
    from studio.models.calibration import calibrate

    hardware.calm_threads()
    return asdict(calibrate(Workspace(root), again=True))


def train(folder: str, most_steps: int = 10**9) -> dict[str, Any]:
    """In this process: train, at most so many steps, and say what it took."""
    from studio.training.job import train_run

    hardware.calm_threads()
    runs, run_id = RunStore(Workspace(Path(folder).parents[1])), Path(folder).name
    status = train_run(Path(folder), lambda: runs.status(run_id).step >= most_steps)
    log = (Path(folder) / "run.log").read_text(encoding="utf-8")
    return {**status.to_json(), "form": "fused" if "INFO fused step" in log else "padded"}


def main() -> None:
    """Do what `--child` says."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--child", required=True)
    what, *words = json.loads(parser.parse_args().child)
    print(json.dumps({"speed": speed, "train": train}[what](*words)))


if __name__ == "__main__":
    main()
