"""What a step and a run cost, against length, rows a step, tokens at once, rank, and the rows of the data set.

    python -m tests.benchmarks.cost WORKSPACE [none|nf4] [--rows 1000,10000,100000,1000000]

Steps are those of `tests.benchmarks.step` (medians, each configuration in a process of its own). The rows of the data set are
tokenised out of core by a real run that is stopped after a few steps, twice: the second one finds the tokens. WORKSPACE must
hold the starter.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tests.benchmarks import step

STEPS = 3  # of a run over many rows
WRITTEN_AT_ONCE = 10_000
KEPT_ASIDE = 8
USUAL = {"rows": 8, "tokens": 128, "rank": 16, "budget": 10**6}
TABLES = {
    "tokens a row": ("tokens", [64, 128, 256, 512]),
    "rows a step": ("rows", [4, 8, 16, 32]),
    "tokens at once (16 rows a step)": ("budget", [256, 512, 1024, 2048]),
    "rank": ("rank", [4, 16, 64, 256]),
}


def step_costs(folder: str, quantization: str) -> None:
    """One table for each thing that changes."""
    for title, (name, values) in TABLES.items():
        print(f"\n| {title} | s a step | ms a token | peak MB |\n|---|---|---|---|")
        for value in values:
            case = {**USUAL, **({"rows": 16} if name == "budget" else {}), name: value}
            words = (folder, quantization, case["rows"], case["tokens"], ["fused"], case["rank"], case["budget"])
            found = step.child(*words)
            seconds, tokens = found["seconds"]["fused"], case["rows"] * (case["tokens"] - step.SHARED) + step.SHARED
            print(f"| {value:,} | {seconds:.2f} | {1000 * seconds / tokens:.2f} | {found['peak'] / 1e6:,.0f} |", flush=True)


def many_rows(count: int) -> Iterator[list[dict[str, Any]]]:
    """Rows of rows.parquet, some thousands at a time: a question of about ten words, an answer of about twenty."""
    source = random.Random(0)
    words = ["bread", "oven", "early", "market", "river", "closed", "sunday", "seven", "crowns", "garden", "letter", "blue"]

    def text(least: int, most: int) -> str:
        return " ".join(source.choices(words, k=source.randint(least, most)))

    for start in range(0, count, WRITTEN_AT_ONCE):
        yield [
            {
                "row_id": at,
                "messages": [{"role": "user", "content": f"{at} {text(6, 14)}?"}, {"role": "assistant", "content": text(10, 30)}],
                "source_row": at,
                "split": "validation" if at < KEPT_ASIDE else "train",
            }
            for at in range(start, min(start + WRITTEN_AT_ONCE, count))
        ]


def runs_over(models: Path, count: int) -> list[str]:
    """The folders of two runs over a new data set of so many rows, in a workspace of their own."""
    from studio.config import RunConfig, TrainingConfig
    from studio.datasets import SCHEMA, DatasetStore
    from studio.records import Example
    from studio.runs import RunStore
    from studio.workspace import Workspace, sha256_file, write_json

    root = Path(tempfile.mkdtemp())
    (root / "models").symlink_to(models)
    workspace = Workspace(root)
    store = DatasetStore(workspace)
    one = Example(messages=({"role": "user", "content": "?"}, {"role": "assistant", "content": "!"}))
    record = store.create("many", [one], ["train"], format="chat", seed=1)
    path = store.folder(record.id) / "rows.parquet"
    with pq.ParquetWriter(path, SCHEMA) as writer:  # what `create` would write, without holding all of it
        for rows in many_rows(count):
            writer.write_table(pa.Table.from_pylist(rows, schema=SCHEMA))
    whole = {**record.to_json(), "rows": count, "counts": {"validation": KEPT_ASIDE, "train": count - KEPT_ASIDE}}
    write_json(store.folder(record.id) / "dataset.json", {**whole, "sha256": sha256_file(path)})
    runs = RunStore(workspace)
    config = RunConfig(name="many", training=TrainingConfig(num_train_epochs=1, evaluations=1))
    config = config.replace(dataset_id=record.id, dataset_sha256=sha256_file(path))
    return [str(runs.folder(runs.create(config))) for _ in range(2)]


def start(folder: str) -> dict[str, Any]:
    """In this process: train a few steps. Seconds to the first of them, seconds of the quickest, and the peak memory."""
    from studio.models import hardware
    from studio.runs import RunStore
    from studio.training.job import train_run
    from studio.workspace import Workspace

    hardware.calm_threads()
    runs, run_id = RunStore(Workspace(Path(folder).parents[1])), Path(folder).name
    began, first = time.perf_counter(), []

    def stop() -> bool:
        done = runs.status(run_id).step
        if done and not first:
            first.append(time.perf_counter() - began)
        return done >= STEPS

    status = train_run(Path(folder), stop)
    assert status.step == STEPS, status
    seconds = [item["seconds"] for item in runs.metrics(run_id) if "loss" in item]
    return {"first": first[0], "step": min(seconds), "peak": hardware.memory_peak(), "rows": status.train_rows}


def row_costs(models: Path, counts: list[int]) -> None:
    """The table of the data set's rows."""
    print("\n| rows of the data set | s to the first step | again | s a step | peak MB |\n|---|---|---|---|---|")
    for count in counts:
        new, again = (step.child(folder, module="cost") for folder in runs_over(models, count))
        assert new["rows"] == count - KEPT_ASIDE
        peak = max(new["peak"], again["peak"]) / 1e6
        print(f"| {count:,} | {new['first']:.0f} | {again['first']:.0f} | {again['step']:.2f} | {peak:,.0f} |", flush=True)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("workspace", nargs="?")
    parser.add_argument("quantization", nargs="?", default="nf4")
    parser.add_argument("--rows", default="1000,10000,100000,1000000")
    parser.add_argument("--only-rows", action="store_true")
    parser.add_argument("--child")
    chosen = parser.parse_args()
    if chosen.child:
        print(json.dumps(start(*json.loads(chosen.child))))
        return
    models = (Path(chosen.workspace) / "models").resolve()
    if not chosen.only_rows:
        step_costs(str(models / "starter"), chosen.quantization)
    row_costs(models, [int(count) for count in chosen.rows.split(",")])


if __name__ == "__main__":
    main()
