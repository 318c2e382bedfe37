"""Whether the default learning rate and step count hold, from 30 rows to thousands: best validation loss for each rate.

    python -m tests.benchmarks.defaults WORKSPACE DATA_FOLDER [--rates 0.0002,0.0005,0.001] [--tokens 30000] [--depth balanced]

Every run is a user's run of the starter with the defaults but for the rate, no quantization (which changes neither steps nor
rates and is quicker here) and rows of at most 256 tokens. A data set whose rounds would take more than `--tokens` tokens is
cut to as many rows as one round of so many tokens takes, and marked *: what it says of the whole set is extrapolated.
WORKSPACE must hold the starter; DATA_FOLDER the files named in `SETS`.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from studio.config import DEPTHS, RunConfig
from studio.data.convert import convert
from studio.data.detect import detect
from studio.data.encode import encode_all
from studio.data.read import read
from studio.data.split import assign
from studio.datasets import DatasetStore
from studio.models.hardware import calm_threads
from studio.records import Example
from studio.runs import RunStore
from studio.workspace import Workspace

SETS = {  # name: (file, rows taken from its start; 0 all)
    "an assistant's identity, its first 30": ("instruction/identity_alpaca.json", 30),
    "Spanish small talk": ("multilingual/chat_es.csv", 0),
    "technical support": ("customer_service/tech_support_qa.csv", 0),
    "sorting requests": ("customer_service/clinc150_intents_3000.csv", 0),
    "school mathematics": ("qa/gsm8k_train_4500.jsonl", 0),
}
LONGEST = 256


def examples_of(path: Path, rows: int) -> list[Example]:
    """The rows of a file as the Data tab would take them."""
    reading = read(path)
    found = list(convert(reading, detect(reading)).examples)
    return found[:rows] if rows else found


def fitted(tokenizer: object, examples: list[Example], depth: str, budget: int) -> tuple[list[Example], bool]:
    """The examples, or as many as one round of `budget` tokens takes, and whether some were cut off."""
    rounds, least = DEPTHS[depth]
    if rounds * len(examples) <= least * RunConfig().rows_per_step:  # the least number of steps decides, not the rows
        return examples, False
    encoded, _ = encode_all(tokenizer, examples, max_length=LONGEST)
    most = budget * len(encoded) // sum(len(row.input_ids) for row in encoded)
    return (examples, False) if rounds * len(examples) <= most else (examples[:most], True)


def main() -> None:
    """Train everything and print the table as it grows."""
    from studio.models import load
    from studio.training.job import train_run

    parser = argparse.ArgumentParser()
    parser.add_argument("workspace", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("--rates", default="0.0002,0.0005,0.001")
    parser.add_argument("--tokens", type=int, default=30_000)
    parser.add_argument("--depth", default="balanced")
    chosen = parser.parse_args()
    calm_threads()
    rates = [float(rate) for rate in chosen.rates.split(",")]
    root = Path(tempfile.mkdtemp())
    (root / "models").symlink_to((chosen.workspace / "models").resolve())
    workspace = Workspace(root)
    store, runs = DatasetStore(workspace), RunStore(workspace)
    tokenizer = load.load_tokenizer(root / "models" / "starter")
    print(f"| data | rows | steps | before | {' | '.join(f'{rate:g}' for rate in rates)} |")
    print("|---|---|---|---|" + "---|" * len(rates), flush=True)
    for title, (file, rows) in SETS.items():
        every = examples_of(chosen.data / file, rows)
        examples, cut = fitted(tokenizer, every, chosen.depth, chosen.tokens)
        record = store.create(title, examples, assign(examples), format="pairs", seed=42)
        config = RunConfig(name=title).replace(
            dataset_id=record.id, dataset_sha256=record.sha256, quantization="none", depth=chosen.depth, max_length=LONGEST
        )
        if cut:
            config = config.replace(num_train_epochs=1)
        best: list[str] = []
        for rate in rates:
            began = time.monotonic()
            status = train_run(runs.folder(runs.create(config.replace(learning_rate=rate))))
            assert status.state == "finished", status.error
            best.append(f"{status.best_validation_loss:.3f} ({status.best_step})")
            sys.stderr.write(f"{title} {rate:g}: {best[-1]} of {status.step}, {time.monotonic() - began:.0f} s\n")
        mark = f"{len(examples):,} of {len(every):,} *" if cut else f"{len(examples):,}"
        print(f"| {title} | {mark} | {status.total_steps} | {status.base_validation_loss:.3f} | {' | '.join(best)} |", flush=True)


if __name__ == "__main__":
    main()
