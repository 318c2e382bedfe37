"""The training loop, readable from top to bottom: check, step, check again, keep the best, save, until done or asked to stop."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

import torch
from accelerate import Accelerator
from transformers import get_scheduler

from studio.data.encode import Encoded
from studio.errors import Stopped
from studio.models.hardware import trim
from studio.models.lease import give_back_memory
from studio.records import StepMetrics, Validation
from studio.training import checkpoints
from studio.training.faults import (
    device_broken,
    diverged,
    is_device_broken,
    is_out_of_memory,
    too_little_memory,
)
from studio.training.optimizers import make_optimizer
from studio.training.plan import Plan, check_steps, learned_tokens
from studio.training.ranks import Ranks

Result = TypeVar("Result")
BLIND_STEPS = 3  # steps in a row with a loss a nat above both blind guessing and the start: it has run away, not stumbled


@dataclass(frozen=True)
class Recipe:
    """The plain values the loop needs. `checkpoint_seconds` is the longest time between two checkpoints.

    `early_stopping_patience`: checks without a new best after which the run ends; 0 never.

    `optim` names the optimizer (see `make_optimizer`).

    `chance_loss` is the loss of guessing blindly, ln(vocabulary); see `BLIND_STEPS`.
    """

    learning_rate: float
    lr_scheduler_type: str
    warmup_ratio: float
    weight_decay: float
    max_grad_norm: float
    evaluations: int
    optim: str = "adamw"
    early_stopping_patience: int = 0
    chance_loss: float = math.inf
    checkpoint_seconds: float = 60.0


@dataclass
class Progress:
    """Where a run stands. Survives in checkpoints."""

    step: int = 0
    training_seconds: float = 0.0
    best_step: int | None = None
    best_validation_loss: float | None = None


class Step(Protocol):
    """How rows become a loss: `training.step.PaddedStep` or `training.fused.step.FusedStep`."""

    def batches(self, rows: Sequence[Encoded]) -> Iterable[Any]:
        """The rows in parts that fit into memory, each with its count of `rows` and of tokens `computed`."""

    def loss_sum(self, batch: Any) -> torch.Tensor:
        """Summed loss over a part's learned tokens, in nats, with a gradient."""

    def shrink(self, rows: Sequence[Encoded]) -> bool:
        """Make the parts smaller, since these rows did not fit. False when each is a single row already."""


class Listener(Protocol):
    """Who is told what happens. Methods run in the training thread; what they raise ends the run."""

    def stepped(self, metrics: StepMetrics, progress: Progress) -> None:
        """After every optimizer step."""

    def validated(self, result: Validation, progress: Progress, *, best: bool) -> None:
        """After every look at the validation rows, `best` when it is the lowest loss so far."""

    def saved(self, path: Path, progress: Progress) -> None:
        """After every checkpoint."""

    def shrunk(self, step: int) -> None:
        """Memory ran out at this step; it is done again in smaller parts, with the same result."""

    def beat(self, detail: str) -> None:
        """While something long goes on."""


class Loop:
    """One run over one model. Everything that changes while it runs is in `progress`, the optimizer and the scheduler."""

    def __init__(
        self,
        model: Any,
        accelerator: Accelerator,
        step: Step,
        recipe: Recipe,
        plan: Plan,
        listener: Listener,
        ranks: Ranks,
    ) -> None:
        self.model, self.accelerator, self.step, self.ranks = model, accelerator, step, ranks
        self.recipe, self.plan, self.listener = recipe, plan, listener
        self.parameters = list(checkpoints.trainable(model).values())
        self.optimizer = make_optimizer(recipe.optim, self.parameters, recipe.learning_rate, recipe.weight_decay)
        # its first and last rate are 0: between them lie as many as there are steps, so that each one learns
        self.scheduler = get_scheduler(
            recipe.lr_scheduler_type,
            self.optimizer,
            num_warmup_steps=round(recipe.warmup_ratio * plan.total_steps),
            num_training_steps=plan.total_steps + 1,
            scheduler_specific_kwargs={"last_epoch": 0},
        )
        self.progress = Progress()
        self._blind, self._first_loss = 0, None
        self._stop: Callable[[], bool] = lambda: False

    def restore(self, checkpoint: Path) -> Progress:
        """Go back to a checkpoint."""
        state = checkpoints.restore(checkpoint, self.model, self.optimizer)
        # the schedule's functions are made from the settings; only where it stands is stored
        self.scheduler.load_state_dict({**state["scheduler"], "lr_lambdas": [None] * len(self.optimizer.param_groups)})
        for group, rate in zip(self.optimizer.param_groups, self.scheduler.get_last_lr(), strict=True):
            group["lr"] = rate
        self.progress = Progress(**{name: state[name] for name in Progress.__dataclass_fields__})
        return self.progress

    def run(
        self,
        train: Sequence[Encoded],
        validation: Sequence[Encoded],
        folder: Path,
        stop: Callable[[], bool],
    ) -> bool:
        """Train to the end of the plan, until it no longer improves, or until `stop()`. False only after a stop.

        Args:
            train, validation: Encoded rows; validation may be empty, then the last step counts as the best.
            folder: Where checkpoints go.

        Raises StudioError when a loss or gradient is not a number; the adapter kept so far stays. Raises Stopped when
        asked to stop before the first step.
        """
        self._stop = stop
        checks = check_steps(self.plan.total_steps, self.recipe.evaluations)
        if self.progress.step == 0:
            self._validate(validation)
        saved_at, saved_step = time.monotonic(), self.progress.step
        while not self._done(checks) and not self.ranks.agree(stop()):
            started = time.monotonic()
            step = self.progress.step + 1
            metrics = self._optimizer_step(step, [train[row] for row in self.plan.step(step)], started)
            self.progress.step = step
            self.progress.training_seconds += metrics.seconds
            self.listener.stepped(metrics, self.progress)
            due = time.monotonic() - saved_at > self.recipe.checkpoint_seconds
            if step in checks:
                self._validate(validation)
            if step in checks or due:
                self._save(folder)
                saved_at, saved_step = time.monotonic(), step
        if self.progress.step != saved_step:  # stopped between two checks: what was learned since counts too
            self._validate(validation)
            self._save(folder)
        return self._done(checks)

    def _done(self, checks: set[int]) -> bool:
        """Whether the plan's end is reached, or as many planned checks as are waited for brought nothing better.

        Told from steps alone, so that a run that goes on decides as one that was never cut.
        """
        step, best, patience = self.progress.step, self.progress.best_step, self.recipe.early_stopping_patience
        waited = (
            0 if best is None or self.progress.best_validation_loss is None else sum(best < check <= step for check in checks)
        )
        return step >= self.plan.total_steps or (0 < patience <= waited and step in checks)

    def _optimizer_step(self, step: int, rows: list[Encoded], started: float) -> StepMetrics:
        """Forward and backward over the step's rows, then one update. The loss is the mean over all learned tokens."""
        if not self.model.training:  # walks every module
            self.model.train()
        learned = learned_tokens(rows)
        mine = self.ranks.share(rows)
        total, computed = self._with_room(step, mine, lambda: self._gradients(mine, learned))
        total, computed = self.ranks.total(total), round(self.ranks.total(computed))
        if not math.isfinite(total):
            raise diverged(step)
        self.ranks.add_gradients(self.parameters)
        norm = float(self.accelerator.clip_grad_norm_(self.parameters, self.recipe.max_grad_norm))
        self._first_loss = total if self._first_loss is None else self._first_loss
        self._blind = self._blind + 1 if total > max(self.recipe.chance_loss, self._first_loss) + 1 else 0
        if not math.isfinite(norm) or self._blind >= BLIND_STEPS:
            raise diverged(step)
        rate = self.scheduler.get_last_lr()[0]
        self.optimizer.step()
        self.scheduler.step()
        self.optimizer.zero_grad(set_to_none=True)
        return StepMetrics(
            step=step,
            loss=total,
            learning_rate=rate,
            grad_norm=norm,
            tokens=sum(len(row.input_ids) for row in rows),
            learned_tokens=learned,
            seconds=time.monotonic() - started,
            computed_tokens=computed,
        )

    def _gradients(self, rows: Sequence[Encoded], learned: int) -> tuple[float, int]:
        """Fill the parameters' gradients. Returns the loss, and how many tokens went through the model.

        A loss that is not a number is returned at once, so that every process learns of it; where the base is split, after the
        passes that the others wait for.
        """
        total, computed = 0.0, 0
        for batch in self.step.batches(rows):
            if computed:
                trim()  # what one part leaves free fits none of the next's blocks: 2,970 -> 2,888 MB at the peak in one trial
            loss = self.step.loss_sum(batch) / learned
            if not torch.isfinite(loss) and not self.ranks.split:
                return math.nan, computed
            self.accelerator.backward(loss)
            total += loss.item()
            computed += batch.computed
            del loss  # 8-bit layers keep their inputs with it, which the next part has no room for
        return total, computed

    def _with_room(self, step: int, rows: Sequence[Encoded], work: Callable[[], Result]) -> Result:
        """Do `work`; when memory runs out, do all of it again in smaller parts. Nothing is skipped or counted twice."""
        states = checkpoints.random_states()
        while True:
            try:
                return work()
            except (RuntimeError, MemoryError) as error:
                if is_device_broken(error):
                    raise device_broken() from error
                if not is_out_of_memory(error):
                    raise
            # outside the except block, so that the failed attempt's tensors are no longer held by its traceback
            self.optimizer.zero_grad(set_to_none=True)
            give_back_memory()
            checkpoints.set_random_states(states)
            if not self.step.shrink(rows):
                raise too_little_memory()
            self.listener.shrunk(step)

    def _validate(self, rows: Sequence[Encoded]) -> None:
        """Measure the validation loss and tell the listener. Without rows every checkpoint is taken as the best."""
        value = self.validation_loss(rows) if rows else None
        known = self.progress.best_validation_loss
        best = self.progress.step > 0 and (value is None or self.progress.best_step is None or known is None or value < known)
        if best:
            self.progress.best_step, self.progress.best_validation_loss = self.progress.step, value
        self.listener.validated(Validation(self.progress.step, value), self.progress, best=best)

    def validation_loss(self, rows: Sequence[Encoded]) -> float:
        """Mean loss over the learned tokens of `rows`, in nats."""
        self.model.eval()
        with torch.no_grad():
            mine = self.ranks.share(rows)
            total = self.ranks.total(self._with_room(self.progress.step, mine, lambda: self._checked(mine)))
        if not math.isfinite(total):
            raise diverged(self.progress.step)
        return total / learned_tokens(rows)

    def _checked(self, rows: Sequence[Encoded]) -> float:
        """Summed loss over `rows`."""
        total, seen = 0.0, 0
        for batch in self.step.batches(rows):
            if self.progress.step == 0 and self.ranks.count == 1 and self._stop():
                raise Stopped  # nothing is learned yet that a whole check would be worth waiting for
            total += self.step.loss_sum(batch).item()
            seen += batch.rows
            self.listener.beat(f"Checked {seen} of {len(rows)} rows.")
        return total

    def _save(self, folder: Path) -> None:
        if not self.ranks.first:
            return
        path = checkpoints.save(
            folder,
            self.model,
            self.optimizer,
            {**vars(self.progress), "scheduler": {k: v for k, v in self.scheduler.state_dict().items() if k != "lr_lambdas"}},
        )
        checkpoints.prune(folder)
        self.listener.saved(path, self.progress)
