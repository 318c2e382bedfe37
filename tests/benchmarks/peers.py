"""Training speed and memory beside the plain tutorial (transformers.Trainer + PEFT), as a table for the README.

    python -m tests.benchmarks.peers WORKSPACE [--data FILE.jsonl] [--repeats 5] [--steps 6] [--kinds none,nf4]

Every run is a process of its own, the kinds interleaved; figures are medians. Ours is a user's run: `python -m studio.training`
over a run folder, metrics on, no validation rows. Both train the starter with r=16 on all layers, 16 rows a step (the tutorial
as 4 x 4), in the number format this computer is fastest in; `hf-none-bf16` and `hf-nf4-bf16` compute in the tutorial's usual
format, whatever the computer. WORKSPACE must hold the starter.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from tests.benchmarks.tutorial import ROOT, adapted, conversations, own_run, trained

WARM = 1  # optimizer steps left out
ROWS_A_STEP, MICRO = 16, 4
RATE = 2e-4


def hugging_face(folder: str, kind: str, data: str, steps: int) -> None:
    """The tutorial, in this process: prints seconds and real tokens of every optimizer step, and the peak memory."""
    import torch
    from transformers import AutoTokenizer, Trainer

    from studio.models import hardware

    dtype = torch.bfloat16 if kind.endswith("-bf16") else getattr(torch, hardware.compute_dtype())
    tokenizer = AutoTokenizer.from_pretrained(folder)

    def encoded(messages: list[dict[str, str]]) -> dict[str, list[int]]:
        ids = tokenizer.apply_chat_template(messages, tokenize=True, return_dict=False)[:512]
        read = len(tokenizer.apply_chat_template(messages[:-1], tokenize=True, add_generation_prompt=True, return_dict=False))
        return {"input_ids": ids, "attention_mask": [1] * len(ids), "labels": [-100] * read + ids[read:]}

    rows = [encoded(messages) for messages in conversations(data)]
    model = adapted(folder, dtype, nf4=kind.startswith("hf-nf4"))
    ends, tokens = [], []

    class Timed(Trainer):
        def training_step(self, model: Any, inputs: Any, *rest: Any) -> Any:
            loss = super().training_step(model, inputs, *rest)
            tokens.append(int(inputs["attention_mask"].sum()))
            ends.append(time.time())
            return loss

    steady = {"max_steps": steps, "learning_rate": RATE, "seed": 1, "bf16": dtype == torch.bfloat16}
    batch = {"per_device_train_batch_size": MICRO, "gradient_accumulation_steps": ROWS_A_STEP // MICRO}
    trained(Timed, model, tokenizer, rows, **steady, **batch)
    each = ROWS_A_STEP // MICRO
    sums = [sum(tokens[start : start + each]) for start in range(0, len(tokens), each)]
    print(json.dumps({"ends": ends[each - 1 :: each], "tokens": sums, "peak": hardware.memory_peak()}))


def studio(workspace: str, kind: str, data: str, steps: int) -> dict[str, Any]:
    """A user's run in a process of its own, watched through its folder as the page does."""
    rows = conversations(data)[: ROWS_A_STEP * steps]
    runs, run_id = own_run(
        workspace,
        rows,
        quantization=kind.removeprefix("studio-"),
        per_device_train_batch_size=8,
        gradient_accumulation_steps=2,
        num_train_epochs=-(-steps * ROWS_A_STEP // len(rows)),
        learning_rate=RATE,
    )
    child = subprocess.Popen(
        [sys.executable, "-m", "studio.training", str(runs.folder(run_id))], cwd=ROOT, stderr=subprocess.DEVNULL
    )
    first = None
    while child.poll() is None:
        time.sleep(0.05)
        if first is None and any("loss" in item for item in runs.metrics(run_id)):
            first = time.time()
    steps_done = [item for item in runs.metrics(run_id) if "loss" in item]
    ends = [first or 0.0]
    for item in steps_done[1:]:
        ends.append(ends[-1] + item["seconds"])
    return {"ends": ends, "tokens": [item["tokens"] for item in steps_done], "peak": runs.status(run_id).peak_memory_bytes}


def one(kind: str, chosen: argparse.Namespace) -> dict[str, float]:
    """Real tokens a second, peak memory in MB and seconds from launch to the end of the first step."""
    started = time.time()
    if kind.startswith("studio"):
        found = studio(chosen.workspace, kind, chosen.data, chosen.steps)
    else:
        folder = str(Path(chosen.workspace) / "models" / "starter")
        words = [folder, kind, chosen.data, chosen.steps]
        command = [sys.executable, "-m", "tests.benchmarks.peers", chosen.workspace, "--child", json.dumps(words)]
        done = subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, check=True, env={**os.environ, "HF_HUB_OFFLINE": "1"}
        )
        found = json.loads(done.stdout.splitlines()[-1])
    span = found["ends"][-1] - found["ends"][WARM - 1]
    return {
        "speed": sum(found["tokens"][WARM:]) / span,
        "peak": found["peak"] / 1e6,
        "first": found["ends"][0] - started,
    }


def main() -> None:
    """Run everything and print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("workspace")
    parser.add_argument("--data", default="")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--kinds", default="hf-none,studio-none,hf-nf4,studio-nf4")
    parser.add_argument("--child")
    chosen = parser.parse_args()
    if chosen.child:
        hugging_face(*json.loads(chosen.child))
        return
    kinds = chosen.kinds.split(",")
    found: dict[str, list[dict[str, float]]] = {kind: [] for kind in kinds}
    for _ in range(chosen.repeats):
        for kind in kinds:
            found[kind].append(one(kind, chosen))
            print(kind, {name: round(value, 1) for name, value in found[kind][-1].items()}, file=sys.stderr, flush=True)
    middle = {kind: {name: statistics.median(item[name] for item in found[kind]) for name in found[kind][0]} for kind in kinds}
    print(f"{platform.machine()}, {os.cpu_count()} cores, {time.strftime('%Y-%m-%d')}, medians of {chosen.repeats}\n")
    print("| | real tokens/s | x | peak MB | x memory | first step after s |\n|---|---|---|---|---|---|")
    for kind in kinds:
        beside = middle.get(f"hf-{kind.removeprefix('studio-')}", middle[kinds[0]])
        mine = middle[kind]
        print(
            f"| {kind} | {mine['speed']:.0f} | {mine['speed'] / beside['speed']:.2f} | {mine['peak']:.0f} "
            f"| {mine['peak'] / beside['peak']:.2f} | {mine['first']:.1f} |"
        )


if __name__ == "__main__":
    main()
