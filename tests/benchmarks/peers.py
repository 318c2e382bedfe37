"""Training speed and memory beside the plain tutorial (transformers.Trainer + PEFT), as a table for the README.

    python -m tests.benchmarks.peers WORKSPACE [--data FILE.jsonl] [--repeats 5] [--steps 6] [--at-once 2] [--kinds hf-none]

Every run is a process of its own, the kinds interleaved; figures are medians, "x" of the ratios within a round. Ours is a
user's run: `python -m studio.training` over a run folder, metrics on, no validation rows. Both train the starter with r=16 on
all layers, 16 rows a step (the tutorial as 4 x 4), in the number format this computer is fastest in; `hf-none-bf16` and
`hf-nf4-bf16` compute in the tutorial's usual format, whatever the computer. `studio-none-lean` and `studio-nf4-lean` recompute,
with one row of the longest kind at once. Where bfloat16 is not this computer's own, a step in it takes minutes: those kinds are
timed over two steps of 4 rows, the first one included. With `--trl FOLDER` there are `trl-pad-none`, `trl-packing-none`,
`trl-padfree-none`, `-nf4` and `-bf16` too: TRL's SFTTrainer with the same model and rows; with `--lf PYTHON`, the Python of an
environment that has LLaMA-Factory, `lf-none` and `lf-nf4`. WORKSPACE must hold the starter.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from functools import cache
from pathlib import Path
from typing import Any

from tests.benchmarks.tutorial import ROOT, adapted, conversations, own_run, trained

WARM = 1  # optimizer steps left out
ROWS_A_STEP, MICRO = 16, 4
SLOW_STEPS = 2  # of MICRO rows, of a kind whose number format this computer has to imitate
RATE, RANK = 2e-4, 16
LONGEST = 512  # tokens


def hugging_face(folder: str, kind: str, data: str, steps: int) -> None:
    """The tutorial, in this process; see `told`."""
    import torch
    from transformers import AutoTokenizer, Trainer

    dtype = format_of(kind)
    tokenizer = AutoTokenizer.from_pretrained(folder)

    def encoded(messages: list[dict[str, str]]) -> dict[str, list[int]]:
        ids = tokenizer.apply_chat_template(messages, tokenize=True, return_dict=False)[:LONGEST]
        read = len(tokenizer.apply_chat_template(messages[:-1], tokenize=True, add_generation_prompt=True, return_dict=False))
        return {"input_ids": ids, "attention_mask": [1] * len(ids), "labels": [-100] * read + ids[read:]}

    rows = [encoded(messages) for messages in conversations(data)]
    model = adapted(folder, dtype, nf4="nf4" in kind)
    micro_steps: list[tuple[float, int]] = []
    parts, steps = (1, SLOW_STEPS) if slow(dtype) else (ROWS_A_STEP // MICRO, steps)
    batch = {"per_device_train_batch_size": MICRO, "gradient_accumulation_steps": parts}
    steady = {"max_steps": steps, "learning_rate": RATE, "seed": 1, "bf16": dtype == torch.bfloat16}
    trained(timed(Trainer, micro_steps), model, tokenizer, rows, **steady, **batch)
    told(micro_steps, parts, slow=slow(dtype))


def trl(folder: str, kind: str, data: str, steps: int) -> None:
    """TRL's SFTTrainer, in this process: "trl-pad", "trl-packing" or "trl-padfree"; see `told`."""
    import torch
    from datasets import Dataset
    from trl import SFTConfig, SFTTrainer

    form = kind.split("-")[1]
    dtype = format_of(kind)
    model = adapted(folder, dtype, nf4="nf4" in kind)
    rows = Dataset.from_list([{"prompt": turns[:-1], "completion": turns[-1:]} for turns in conversations(data)])
    packing = form == "packing"  # a row of packed ones has as many tokens as about six of these
    micro, parts = (1, ROWS_A_STEP // 6) if packing else (MICRO, ROWS_A_STEP // MICRO)
    parts, steps = (1, SLOW_STEPS) if slow(dtype) else (parts, steps)
    micro_steps: list[tuple[float, int]] = []
    arguments = SFTConfig(
        tempfile.mkdtemp(),
        per_device_train_batch_size=micro,
        gradient_accumulation_steps=parts,
        max_steps=steps,
        learning_rate=RATE,
        lr_scheduler_type="constant",
        seed=1,
        bf16=dtype == torch.bfloat16,
        use_cpu=True,
        save_strategy="no",
        report_to=[],
        disable_tqdm=True,
        max_length=None if form == "padfree" else LONGEST,
        packing=packing,
        padding_free=form == "padfree",
        gradient_checkpointing=False,  # TRL's default is to recompute, which is slower
    )
    timed(SFTTrainer, micro_steps)(model=model, args=arguments, train_dataset=rows).train()
    told(micro_steps, parts, slow=slow(dtype))


def format_of(kind: str) -> Any:
    """The number format a peer computes in."""
    import torch

    from studio.models import hardware

    return torch.bfloat16 if kind.endswith("-bf16") else getattr(torch, hardware.compute_dtype())


def slow(dtype: Any) -> bool:
    """Whether this computer has to imitate the format, and is many times slower in it."""
    from studio.models import hardware

    return str(dtype) == "torch.bfloat16" and hardware.compute_dtype() != "bfloat16"


def timed(trainer: type, micro_steps: list[tuple[float, int]]) -> type:
    """The trainer class, noting the end and the real tokens of each micro-step; before them, the begin of the first."""

    class Timed(trainer):  # type: ignore[misc]
        def training_step(self, model: Any, inputs: Any, *rest: Any) -> Any:
            if not micro_steps:
                micro_steps.append((time.time(), 0))
            mask, ids = inputs.get("attention_mask"), inputs["input_ids"]
            tokens = ids.numel() if mask is None else int(mask.sum())
            loss = super().training_step(model, inputs, *rest)
            micro_steps.append((time.time(), tokens))
            return loss

    return Timed


def told(micro_steps: list[tuple[float, int]], parts: int, *, slow: bool) -> None:
    """Print the ends and real tokens of the optimizer steps, each of `parts` micro-steps, and the peak memory.

    `slow`: none is left out, so the begin of the first one comes before them.
    """
    from studio.models import hardware

    begin, *rest = micro_steps
    steps = [[begin]] * slow + [rest[start : start + parts] for start in range(0, len(rest), parts)]
    found = {
        "first": rest[parts - 1][0],
        "ends": [step[-1][0] for step in steps],
        "tokens": [sum(tokens for _, tokens in step) for step in steps],
    }
    print(json.dumps({**found, "peak": hardware.memory_peak()}))


def studio(workspace: str, kind: str, data: str, steps: int, at_once: int) -> dict[str, Any]:
    """A user's run in a process of its own, watched through its folder as the page does."""
    rows = conversations(data)[: ROWS_A_STEP * steps]
    lean = kind.endswith("-lean")
    at_once = 1 if lean else at_once
    runs, run_id = own_run(
        workspace,
        rows,
        quantization=kind.split("-")[1],
        gradient_checkpointing=lean,
        per_device_train_batch_size=at_once,
        gradient_accumulation_steps=ROWS_A_STEP // at_once,
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
        found = studio(chosen.workspace, kind, chosen.data, chosen.steps, chosen.at_once)
    else:
        folder = str((Path(chosen.workspace) / "models" / "starter").resolve())
        words = [folder, kind, chosen.data, chosen.steps]
        command = [sys.executable, "-m", "tests.benchmarks.peers", chosen.workspace, "--child", json.dumps(words)]
        if kind.startswith("lf"):
            rest = [chosen.steps, MICRO, ROWS_A_STEP // MICRO, RANK, RATE, LONGEST]
            script = str(Path(__file__).with_name("llama_factory.py"))
            command = [chosen.lf, script, json.dumps([in_32_bit(folder), kind.removeprefix("lf-"), chosen.data, *rest])]
            started = time.time()
        place = {"PYTHONPATH": os.pathsep.join([chosen.trl, os.environ.get("PYTHONPATH", "")])} if kind.startswith("trl") else {}
        offline = {"HF_HUB_OFFLINE": "1", **place}
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env={**os.environ, **offline}, check=False)
        if done.returncode:
            raise SystemExit(f"{kind}: {done.stderr[-2000:]}")
        found = json.loads(done.stdout.splitlines()[-1])
    span = found["ends"][-1] - found["ends"][WARM - 1]
    return {
        "speed": sum(found["tokens"][WARM:]) / span,
        "peak": found["peak"] / 1e6,
        "first": found.get("first", found["ends"][0]) - started,
    }


@cache
def in_32_bit(folder: str) -> str:
    """A copy of the model in the format that LLaMA-Factory shall compute in: it takes the one of the files."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    place = tempfile.mkdtemp()
    AutoModelForCausalLM.from_pretrained(folder, dtype="float32").save_pretrained(place)
    AutoTokenizer.from_pretrained(folder).save_pretrained(place)
    return place


def main() -> None:
    """Run everything and print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("workspace")
    parser.add_argument("--data", default="")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--at-once", type=int, default=2, help="of ours: rows of the longest kind that go through it together")
    parser.add_argument("--kinds", default="hf-none,studio-none,hf-nf4,studio-nf4")
    parser.add_argument("--trl", default="", help="a folder with TRL: pip install --no-deps --target FOLDER trl")
    parser.add_argument("--lf", default="", help="the Python of an environment with LLaMA-Factory")
    parser.add_argument("--child")
    chosen = parser.parse_args()
    if chosen.child:
        folder, kind, data, steps = json.loads(chosen.child)
        (trl if kind.startswith("trl") else hugging_face)(folder, kind, data, steps)
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
        beside = f"hf-{'nf4' if 'nf4' in kind else 'none'}"
        beside = found[beside if beside in found else kinds[0]]
        times = {  # of each round, since the computer's speed drifts between them
            name: statistics.median(mine[name] / other[name] for mine, other in zip(found[kind], beside, strict=True))
            for name in ("speed", "peak")
        }
        mine = middle[kind]
        print(
            f"| {kind} | {mine['speed']:.0f} | {times['speed']:.2f} | {mine['peak']:.0f} "
            f"| {times['peak']:.2f} | {mine['first']:.1f} |"
        )


if __name__ == "__main__":
    main()
