"""What the estimate promised beside what runs took: memory and time over many configurations, and runs under a memory limit.

    python -m tests.benchmarks.estimates WORKSPACE [--memory] [--only "int8,medium nf4 4 x 256"]
    python -m tests.benchmarks.estimates WORKSPACE --limits [--gib 4,8]

Every configuration is a real run of two steps in a process of its own, checks and sample answers included; its promise is
the one the app itself keeps in status.json. This computer's speed is measured anew right before each run. `--memory` leaves
that out: on a computer with other work times mean nothing. The second model has random weights and the shape of SmolLM2-360M.

`--limits` puts runs into a control group with so much memory, where the kernel kills whatever takes more: the app's
defaults, and what "Make it fit" offers for settings that are too big. It needs root on Linux. WORKSPACE must hold the starter.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
from pathlib import Path
from typing import Any

from tests.benchmarks import limits, step
from tests.benchmarks.trial_runs import KEPT_ASIDE, STEPS, Trial, examples, fresh, new_run, prepare

CLOSE, UNDER, IN_TIME = 0.15, 0.25, 0.35
DROPOUT, DORA, AGAIN = {"lora_dropout": 0.1}, {"use_dora": True}, {"gradient_checkpointing": True}
IN_PARTS = {"gradient_accumulation_steps": 8, "max_length": 512}  # each row a pack of its own
TRIALS = [
    Trial("starter", "none", 16, 4, 48),
    Trial("starter", "none", 16, 8, 64),
    Trial("starter", "none", 32, 4, 128),
    Trial("starter", "none", 64, 8, 128),
    Trial("starter", "none", 128, 8, 64),
    Trial("starter", "none", 8, 2, 512),
    Trial("starter", "none", 16, 8, 256),
    Trial("starter", "none", 16, 4, 128, DROPOUT),
    Trial("starter", "none", 16, 4, 96, DORA),
    Trial("starter", "nf4", 16, 4, 48),
    Trial("starter", "nf4", 16, 8, 64),
    Trial("starter", "nf4", 32, 16, 64),
    Trial("starter", "nf4", 64, 8, 128),
    Trial("starter", "nf4", 128, 8, 64),
    Trial("starter", "nf4", 8, 2, 512),
    Trial("starter", "nf4", 16, 8, 256),
    Trial("starter", "nf4", 16, 4, 96, DROPOUT),
    Trial("starter", "int8", 16, 4, 64),
    Trial("starter", "int8", 64, 2, 128),
    Trial("starter", "int8", 16, 2, 256),
    Trial("medium", "none", 16, 4, 64),
    Trial("medium", "none", 64, 4, 128),
    Trial("medium", "none", 8, 3, 256),
    Trial("medium", "nf4", 16, 4, 64),
    Trial("medium", "nf4", 64, 4, 128),
    Trial("medium", "nf4", 16, 4, 256),
    Trial("medium", "nf4", 8, 1, 512),
    Trial("medium", "int8", 16, 2, 64),
    Trial("starter", "none", 16, 8, 256, AGAIN),
    Trial("starter", "nf4", 16, 8, 256, AGAIN),
    Trial("starter", "int8", 16, 4, 128, AGAIN),
    Trial("medium", "none", 16, 4, 128, AGAIN),
    Trial("medium", "nf4", 64, 4, 256, AGAIN),
    Trial("starter", "nf4", 128, 8, 64, {"optim": "adamw_8bit"}),
    Trial("starter", "none", 16, 4, 128, {"init_lora_weights": "pissa"}),
    Trial("starter", "none", 16, 4, 128, {"new_tokens": "Quarkbrot"}),
    Trial("starter", "none", 16, 1, 480, IN_PARTS),
    Trial("medium", "nf4", 16, 1, 480, IN_PARTS),
]


def measured(root: Path, trial: Trial, *, timed: bool) -> dict[str, Any]:
    """The status of the trial's run."""
    workspace = fresh(root)
    try:
        if timed:
            step.child("speed", str(workspace.root), module="trial_runs")
        rows = examples(KEPT_ASIDE + STEPS * trial.rows_a_step, trial.tokens)
        folder = new_run(workspace, trial.model, rows, trial.settings)
        found = step.child("train", str(folder), module="trial_runs")
        assert found["state"] == "finished", found["error"]
        return found
    finally:
        shutil.rmtree(workspace.root)


def table(root: Path, trials: list[Trial], *, timed: bool) -> None:
    """Print a row for each trial as it ends, and what they come to."""
    print("| model | held in | rank | rows x tokens | besides | step | measured MB | promised MB | promised/measured |", end="")
    print(" measured s | promised s | promised/measured |" if timed else "")
    print("|---|---|---|---|---|---|---|---|---|" + ("---|---|---|" if timed else ""), flush=True)
    memory, times = [], []
    for trial in trials:
        found = measured(root, trial, timed=timed)
        peak, promised = found["peak_memory_bytes"], found["promised_bytes"]
        memory.append(promised / peak)
        line = f"| {trial.model} | {trial.quantization} | {trial.r} | {trial.rows} x {trial.tokens} | {trial.extra} |"
        line += f" {found['form']} | {peak / 1e6:,.0f} | {promised / 1e6:,.0f} | {memory[-1]:.2f} |"
        if timed:
            took = found["finished_at"] - found["promised_at"]
            times.append(found["promised_seconds"] / took)
            line += f" {took:.0f} | {found['promised_seconds']:.0f} | {times[-1]:.2f} |"
        print(line, flush=True)
    close = sum(abs(ratio - 1) <= CLOSE for ratio in memory)
    print(f"\nMemory within {CLOSE:.0%}: {close} of {len(memory)}; from {min(memory) - 1:+.0%} to {max(memory) - 1:+.0%}.")
    print(f"More than {UNDER:.0%} under: {sum(ratio < 1 - UNDER for ratio in memory)}.")
    if times:
        good = sum(abs(ratio - 1) <= IN_TIME for ratio in times)
        print(f"Time within {IN_TIME:.0%}: {good} of {len(times)}; median of promised/measured {statistics.median(times):.2f}.")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("workspace", type=Path)
    parser.add_argument("--memory", action="store_true")
    parser.add_argument("--limits", action="store_true")
    parser.add_argument("--gib", default="4,8")
    parser.add_argument(
        "--only",
        default="",
        help="trials whose model, quantization, rows and further settings contain one of these, with commas between",
    )
    chosen = parser.parse_args()
    root = prepare((chosen.workspace / "models").resolve())
    try:
        if chosen.limits:
            limits.table(root, [float(size) for size in chosen.gib.split(",")])
            return
        words = chosen.only.split(",")
        wanted = [trial for trial in TRIALS if any(word in trial.told for word in words)]
        table(root, wanted, timed=not chosen.memory)
    finally:
        shutil.rmtree(root)


if __name__ == "__main__":
    main()
