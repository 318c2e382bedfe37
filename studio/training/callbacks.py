"""Writes what happens in a run into its folder: metrics, status, sample answers, events and the adapter that counts."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from studio.inference.generate import answer_all
from studio.models.energy import EnergyMeter
from studio.models.hardware import gemm_rate_now, memory_now, memory_peak
from studio.models.load import unpacked
from studio.models.words import as_base
from studio.records import Example, RunStatus, StepMetrics, Validation
from studio.runs import RunStore
from studio.training.checkpoints import save_adapter
from studio.training.loop import Progress
from studio.training.pace import Pace

STATE_OF = {"": "running", "pause": "pausing", "keep": "stopping", "discard": "stopping"}
STATUS_INTERVAL = 0.5  # seconds between two writes of status.json
PEAK_INTERVAL = 30.0  # seconds between two measurements of what this computer can do; one takes about 50 ms
SAMPLE_TOKENS = 48
SAMPLE_SHARE = 0.1  # of the run's time, at most, goes into sample answers
PROMPTS = 3


class Recorder:
    """The listener of a real run. Holds the newest status and writes it at most twice a second."""

    def __init__(self, runs: RunStore, run_id: str, status: RunStatus) -> None:
        self.runs, self.run_id, self.status = runs, run_id, status
        self._written = 0.0
        self._energy, self._energy_before = EnergyMeter(), status.energy_joules or 0.0
        self.pace, self._peak_measured = Pace(), time.monotonic()
        self._check_seconds = 0.0
        self._check_started: float | None = None
        self.checks: set[int] = set()
        self.sampler: Sampler | None = None
        self.model: Any = None
        self.tokenizer: Any = None  # kept beside the adapter where it brings new words
        self.chat_template = ""

    def update(self, *, now: bool = True, **changes: Any) -> None:
        """Change the status; `now` writes it at once."""
        self.status = dataclasses.replace(self.status, **changes)
        if now or time.monotonic() - self._written >= STATUS_INTERVAL:
            self.status = dataclasses.replace(
                self.status, memory_bytes=memory_now(), peak_memory_bytes=memory_peak(), **self._energy_so_far()
            )
            self.runs.write_status(self.run_id, self.status)
            self._written = time.monotonic()

    def beat(self, detail: str) -> None:
        """Say that something long still goes on."""
        self._check_started = self._check_started or time.monotonic()
        self.update(now=False, detail=detail)

    def stepped(self, metrics: StepMetrics, progress: Progress) -> None:
        """Append the step and refresh speed and time left."""
        self.runs.append(self.run_id, "metrics", dataclasses.asdict(metrics))
        self.pace.stepped(metrics)
        self.update(
            now=False,
            state=STATE_OF[self.runs.stop_requested(self.run_id)],
            phase="learning",
            detail="",
            step=metrics.step,
            training_seconds=progress.training_seconds,
            **self.pace.figures(),
            **self.pace.left(self.status.total_steps - metrics.step, self._checks_left(metrics.step)),
        )

    def _checks_left(self, step: int) -> float:
        """Seconds for the checks to come, each as long as the last one."""
        checks = sum(1 for check in self.checks if check > step)
        return checks * (self._check_seconds + (self.sampler.seconds_each if self.sampler else 0.0))

    def _energy_so_far(self) -> dict[str, Any]:
        joules, method = self._energy.read(), self._energy.method
        return {"energy_joules": self._energy_before + joules if method else None, "energy_method": method}

    def validated(self, result: Validation, progress: Progress, *, best: bool) -> None:
        """Append the validation loss, keep the adapter when it is the best so far, and ask the sample prompts."""
        if time.monotonic() - self._peak_measured > PEAK_INTERVAL:  # who measured it before may have been disturbed
            self.pace.peak, self._peak_measured = max(self.pace.peak, gemm_rate_now()), time.monotonic()
        if self._check_started is not None:
            self._check_seconds, self._check_started = time.monotonic() - self._check_started, None
        if result.validation_loss is not None:
            self.runs.append(self.run_id, "metrics", dataclasses.asdict(result))
        changes: dict[str, Any] = {"step": result.step, "detail": ""}
        if result.step == 0:
            changes["base_validation_loss"] = result.validation_loss
        if best:
            folder = self.runs.folder(self.run_id) / "adapter"
            save_adapter(folder, self.model, self.chat_template, tokenizer=self.tokenizer)
            changes |= {
                "best_step": progress.best_step,
                "best_validation_loss": progress.best_validation_loss,
                "adapter_step": result.step,
            }
        self.update(**changes)
        if self.sampler:
            last = result.step >= self.status.total_steps
            self.sampler.ask(self, result.step, progress.training_seconds, last=last)

    def shrunk(self, step: int) -> None:
        """Say that memory ran out and what was done about it."""
        self.runs.event(self.run_id, "memory", f"Memory ran out at step {step}. It goes on with fewer examples at once.")

    def saved(self, path: Path, progress: Progress) -> None:
        """Note the checkpoint."""
        self.runs.event(self.run_id, "checkpoint", f"Saved at step {progress.step}.")


class Sampler:
    """Asks the same prompts at checkpoints, within a share of the run's time.

    Args:
        tokenizers: The base model's and the tuned one's; the same unless new words are learned.
        unpack: Whether 4-bit weights may be unpacked for the answers, where there is room: more memory, less time.
    """

    def __init__(
        self,
        model: Any,
        tokenizers: tuple[Any, Any],
        prompts: Sequence[str],
        system_prompt: str,
        stop: Callable[[], bool],
        *,
        unpack: bool = True,
    ) -> None:
        self.model, self.tokenizers, self.prompts = model, tokenizers, list(prompts)
        self.unpack = unpack
        self.system_prompt, self.stop = system_prompt, stop
        self.spent = 0.0
        self.seconds_each = 0.0
        self._told = False

    def ask(self, recorder: Recorder, step: int, training_seconds: float, *, last: bool) -> None:
        """Answer the prompts if there is time, and always after the last step.

        The base model's answers come with the first ones of the tuned model, so that the first step need not wait for them.
        """
        if not step or (self.stop() and not last):
            return
        room = SAMPLE_SHARE * training_seconds - self.spent
        if not last and room < self.seconds_each / 2:
            if not self._told:
                recorder.runs.event(
                    recorder.run_id, "samples", "Some checks have no sample answers, to keep them under a tenth of the time."
                )
                self._told = True
            return
        recorder.update(detail="Asking the three questions.")
        base_asked = any(line["step"] == 0 for line in recorder.runs.lines(recorder.run_id, "samples"))
        for asked_at in [step] if base_asked else [0, step]:
            if not self._answer(recorder, asked_at, last=last):
                return
        recorder.update(detail="")

    def _answer(self, recorder: Recorder, step: int, *, last: bool) -> bool:
        """Answer the prompts with what is learned by now, at step 0 with the base model. False when it was cut short."""
        started = time.monotonic()
        form = unpacked(self.model) if self.unpack else contextlib.nullcontext()
        with form, contextlib.nullcontext() if step else as_base(self.model):
            answers = answer_all(
                self.model,
                self.tokenizers[step > 0],
                [[{"role": "user", "content": prompt}] for prompt in self.prompts],
                system_prompt=self.system_prompt,
                max_new_tokens=SAMPLE_TOKENS,
                stop=(lambda: False) if last else self.stop,
            )
        if self.stop() and not last:
            return False  # half an answer would say nothing about the model
        self.seconds_each = time.monotonic() - started
        if step:
            self.spent += self.seconds_each
        for prompt, answer in zip(self.prompts, answers, strict=True):
            recorder.runs.append(recorder.run_id, "samples", {"step": step, "prompt": prompt, "answer": answer})
        return True


def sample_prompts(examples: Sequence[Example], goal: str) -> list[str]:
    """Three different first questions that suit the goal.

    Sorting: one of each group. Voice: the longest answers. Format: the longest, the shortest and one between.
    Questions: evenly spread over the rows.
    """
    asked = [(prompt, answer) for example in examples if (prompt := first_question(example)) for answer in [last_answer(example)]]
    unique = list(dict(reversed(asked)).items())[::-1]
    if goal == "sorting":
        groups = {answer: prompt for prompt, answer in reversed(unique)}
        unique = [(prompt, answer) for answer, prompt in sorted(groups.items())] if len(groups) >= PROMPTS else unique
    elif goal in ("voice", "format"):
        unique.sort(key=lambda pair: len(pair[1]), reverse=True)
    if goal == "voice":
        chosen = unique[:PROMPTS]
    else:
        count = min(PROMPTS, len(unique))
        chosen = [unique[round(index * (len(unique) - 1) / max(1, count - 1))] for index in range(count)]
    return [prompt for prompt, _ in chosen]


def first_question(example: Example) -> str:
    """What the person says first; the opening words of plain prose."""
    if example.messages:
        return next((item["content"] for item in example.messages if item["role"] == "user"), "")
    return " ".join(example.text.split()[:12])


def last_answer(example: Example) -> str:
    """The last thing the assistant says."""
    return next((item["content"] for item in reversed(example.messages) if item["role"] == "assistant"), "")
