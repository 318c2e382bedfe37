"""Run folders as a trainer leaves them, written through the real stores, for the tabs that show runs."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import numpy as np
from safetensors.numpy import save_file

from studio.config import RunConfig
from studio.samples import save_sample
from studio.ui.studio import Studio
from studio.workspace import write_json

ASKED = ("What is your starter called?", "Are you open on <b>Mondays</b>?", "Can I order a cake?")


def make_run(
    studio: Studio,
    name: str = "Bakery voice",
    *,
    state: str = "finished",
    step: int = 80,
    total: int = 80,
    every: int = 10,
    adapter: bool = True,
    checkpoint: bool = True,
    settings: dict[str, Any] | None = None,
    **status: Any,
) -> str:
    """A run of the bakery sample that ended (or is said to be live) at `step`. Losses fall to 1.0; the best check is the last."""
    record = save_sample(studio.workspace, "bakery")
    config = RunConfig(name=name).replace(dataset_id=record.id, dataset_sha256=record.sha256, **(settings or {}))
    runs = studio.runs
    run_id = runs.create(config)
    for at in range(step + 1):
        if at:
            runs.append(run_id, "metrics", {"step": at, "loss": 1.0 + 2.0 * 0.95**at, "seconds": 0.5})
        if at % every == 0:
            runs.append(run_id, "metrics", {"step": at, "validation_loss": 1.1 + 2.0 * 0.95**at})
            for number, prompt in enumerate(ASKED):
                runs.append(run_id, "samples", {"step": at, "prompt": prompt, "answer": f"answer {number} at {at} <script>"})
    best = step // every * every
    if adapter:
        make_adapter(studio, run_id)
        status |= {"best_step": best, "adapter_step": best, "best_validation_loss": 1.1 + 2.0 * 0.95**best}
    if checkpoint and best:
        (runs.folder(run_id) / "checkpoints" / f"step-{best:08d}").mkdir(parents=True)
    facts = {
        "state": state,
        "phase": "learning" if state == "running" else "",
        "step": step,
        "total_steps": total,
        "started_at": time.time() - 60,
        "finished_at": None if state == "running" else time.time(),
        "training_seconds": step * 0.5,
        "base_validation_loss": 3.1,
        "tokens_per_second": 612.0,
        "learned_tokens_per_second": 241.0,
        "utilisation": 0.58,
        "energy_joules": 1900.0,
        "energy_method": "10 W assumed for each busy core, nothing for the rest of the computer",
        "memory_bytes": 2**30,
        "train_rows": record.counts["train"],
        "validation_rows": record.counts["validation"],
    }
    runs.write_status(run_id, replace(runs.status(run_id), **{**facts, **status}))
    return run_id


def make_adapter(studio: Studio, run_id: str) -> None:
    """A small adapter folder as PEFT writes it."""
    folder = studio.runs.folder(run_id) / "adapter"
    folder.mkdir()
    write_json(folder / "adapter_config.json", {"peft_type": "LORA", "r": 4, "base_model_name_or_path": "starter"})
    save_file({"base_model.model.layer.lora_A.weight": np.ones((4, 8), np.float32)}, folder / "adapter_model.safetensors")
