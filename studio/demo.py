"""`python app.py --demo`: the whole main job in the terminal, on the sample, with figures."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

from studio.config import RunConfig
from studio.errors import StudioError
from studio.models import hardware
from studio.models.fetch import ensure
from studio.runs import RunStore
from studio.samples import sample, save_sample
from studio.training.job import train_run
from studio.workspace import Workspace, gib

ANSWER_TOKENS = 40
# Longer steps than the page's own settings, so that it ends while somebody watches: 3 rounds instead of 5. How many rows a step
# has matters more than the rate: of the 10 held-out questions 10 were right with 78 steps of 6 rows at 8e-4 (with either of two
# seeds) and with 114 of 4 at 7e-4, but 8 with 57 of 8 at 1e-3, 6 with 76 of 4 at 1e-3 (2 rounds) and 2 with 57 of 8 at 7e-4.
DEPTH = {"num_train_epochs": 3, "per_device_train_batch_size": 6, "learning_rate": 8e-4}


def run_demo(workspace: Workspace, say: Any = None) -> int:
    """Fetch the starter, train it on the bakery sample (NF4, rank 16), and ask base and tuned the held-out questions.

    Returns 0 when the validation loss fell, 1 otherwise. `say` takes one line of text (default: standard output).
    """
    say = say or (lambda line: (sys.stdout.write(line + "\n"), sys.stdout.flush()))
    started = time.monotonic()
    say("Fetching the starter model (once, 89 MB).")
    folder = ensure(workspace, "starter", progress=_Printer(say), stop=lambda: False)
    fetched = time.monotonic()
    record = save_sample(workspace, "bakery")
    config = RunConfig(name="Demo: bakery questions")
    config = config.replace(dataset_id=record.id, dataset_sha256=record.sha256, quantization="nf4", r=16, **DEPTH)
    runs = RunStore(workspace)
    run_id = runs.create(config)
    say(f"Training on {record.counts['train']} rows, {record.counts['validation']} kept aside. Run folder: {runs.folder(run_id)}")
    watcher = _Watcher(runs, run_id, say)
    status = train_run(runs.folder(run_id), watcher.stop)
    if status.error:
        raise StudioError(status.error["what"], status.error["why"], status.error["fix"])
    before, after = status.base_validation_loss or 0.0, status.best_validation_loss or float("inf")
    say(f"Validation loss {before:.3f} before, {after:.3f} after ({1 - after / before:.0%} lower), {status.step} steps.")
    grades = ask_both(folder, runs.folder(run_id) / "adapter", config, sample("bakery"), status.compute_dtype, say)
    say(
        f"Right answers to {grades['asked']} held-out questions: base {grades['base']}, tuned {grades['tuned']}. "
        f"Sample facts in {grades['controls']} unrelated answers: {grades['leaked']}."
    )
    ended = time.monotonic()
    say(f"Time {ended - started:.0f} s, of which fetching {fetched - started:.0f} s. Peak memory {gib(hardware.memory_peak())}.")
    say(f"Run folder: {runs.folder(run_id)}")
    return 0 if after < before else 1


class _Printer:
    """Prints a fetch's progress, a line for each new sentence's phase."""

    def __init__(self, say: Any) -> None:
        self.say, self.phase = say, ""

    def __call__(self, progress: Any) -> None:
        if progress.phase != self.phase:
            self.phase = progress.phase
            self.say(f"  {progress.sentence}")


class _Watcher:
    """Prints a line at each check; never asks to stop."""

    def __init__(self, runs: RunStore, run_id: str, say: Any) -> None:
        self.runs, self.run_id, self.say, self.shown = runs, run_id, say, -1

    def stop(self) -> bool:
        checks = [item for item in self.runs.metrics(self.run_id) if "validation_loss" in item]
        if checks and checks[-1]["step"] > self.shown:
            self.shown = checks[-1]["step"]
            self.say(f"  step {self.shown}: validation loss {checks[-1]['validation_loss']:.3f}")
        return False


def ask_both(
    folder: Path, adapter: Path, config: RunConfig, about: dict[str, Any], compute_dtype: str, say: Any
) -> dict[str, int]:
    """Ask the first ten held-out questions of base and tuned, and the unrelated controls of tuned; grade by key words.

    A right answer holds its own fact's key and no other fact's.
    """
    from studio.inference.generate import answer_all  # noqa: PLC0415 - imports torch
    from studio.models import adapters, load  # noqa: PLC0415

    tokenizer = load.load_tokenizer(folder)
    base = load.load_base(folder, config.model.quantization, compute_dtype=compute_dtype)
    if load.room_to_unpack(base):
        load.unpack(base)  # the same numbers, several times as fast
    model = adapters.attach_adapter(base, adapter)
    held_out, keys = about["held_out"][:10], [fact["key"] for fact in about["facts"]]
    questions = [item["question"] for item in held_out]

    def ask(prompts: list[str]) -> list[str]:
        conversations = [[{"role": "user", "content": prompt}] for prompt in prompts]
        return answer_all(model, tokenizer, conversations, max_new_tokens=ANSWER_TOKENS, stop=lambda: False)

    tuned, control = ask(questions), ask(about["controls"])
    with model.disable_adapter():
        plain = ask(questions)
    for item, before, learned in zip(held_out, plain, tuned, strict=True):
        say(f"\n  Q      {item['question']}\n  base   {_line(before)}\n  tuned  {_line(learned)}")
    say("")
    for question, answer in zip(about["controls"], control, strict=True):
        say(f"  {question} -> {_line(answer)}")
    return {
        "asked": len(held_out),
        "base": sum(right(answer, item["key"], keys) for item, answer in zip(held_out, plain, strict=True)),
        "tuned": sum(right(answer, item["key"], keys) for item, answer in zip(held_out, tuned, strict=True)),
        "controls": len(control),
        "leaked": sum(any(key in answer.lower() for key in keys) for answer in control),
    }


def right(answer: str, key: str, keys: list[str]) -> bool:
    """Whether an answer holds its fact's key word and none of the others'."""
    said = answer.lower()
    return key in said and not any(other in said for other in keys if other != key)


def _line(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)[1:-1]
