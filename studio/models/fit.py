"""Make it fit: the least harmful change first, each with what it costs, until the run fits well into the memory that is free.

The order: rows cut at the length that 95 of 100 do not exceed, which touches few of them; fewer rows at once with more batches a
step, which changes nothing but time; checkpointing, likewise, at more time; 4 bit, which makes the model a little less exact; a
smaller model, which knows less.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from studio.config import RunConfig
from studio.config.data import DataConfig
from studio.fields import settings_of
from studio.models.calibration import Speed
from studio.models.catalog import ModelEntry
from studio.models.hardware import Hardware
from studio.models.memory import Estimate, Learned, RowSizes, estimate

SHARE_KEPT = 0.95  # of the rows that the first change leaves alone
WORTH = 0.98  # of the memory: a change that leaves more than this is not proposed
ROUNDED = 8  # tokens; lengths are cut at multiples of it


@dataclass(frozen=True)
class Change:
    """One change and what it costs. Changes are made one on top of the other, so `before` is the estimate after the last one.

    `settings` are values by their plain names; `model_id` is another model to start from, "" where it stays. `sentence` says
    what changes, `cost` what that costs.
    """

    settings: dict[str, Any]
    model_id: str
    sentence: str
    cost: str
    before: Estimate
    after: Estimate


@dataclass(frozen=True)
class _Move:
    """A change that was not judged yet. `slower`: its cost is time, told once both estimates are there."""

    settings: dict[str, Any]
    sentence: str
    cost: str
    model: ModelEntry | None = None
    slower: bool = False


@dataclass(frozen=True)
class _Case:
    """A run on this computer, and what else could be started from."""

    config: RunConfig
    entry: ModelEntry
    sizes: RowSizes
    hardware: Hardware
    speed: Speed | None
    learned: Learned | None

    @property
    def estimate(self) -> Estimate:
        return estimate(self.config, self.entry, self.sizes, self.hardware, speed=self.speed, learned=self.learned)

    def after(self, moves: Sequence[_Move]) -> _Case:
        """The run with all these changes made."""
        config, entry = self.config, self.entry
        for move in moves:
            config, entry = config.replace(**move.settings), move.model or entry
        return _Case(config, entry, self.sizes, self.hardware, self.speed, self.learned)


def fit(
    config: RunConfig,
    entry: ModelEntry,
    sizes: RowSizes,
    hardware: Hardware,
    others: Sequence[ModelEntry] = (),
    *,
    speed: Speed | None = None,
    learned: Learned | None = None,
) -> list[Change]:
    """The changes that make a run fit well, mildest first; empty where it does already or nothing helps (see `told`).

    Where the last one's `after.fits` is not "well", all that can be done still leaves it tight or too big.

    Args:
        others: Models that could be started from instead; only smaller, usable ones are looked at.
    """
    start = _Case(config, entry, sizes, hardware, speed, learned)
    if start.estimate.fits == "well":
        return []
    moves: list[_Move] = []
    for find in (_shorter, _fewer_at_once, _checkpointing, _four_bit):
        case = start.after(moves)
        moves += _best(case, find(case))
        if start.after(moves).estimate.fits == "well":
            break
    else:
        case = start.after(moves)
        moves += _best(case, _smaller(case, others))
    return list(_judged(start, _needed(start, moves)))


def told(before: Estimate, changes: Sequence[Change]) -> str:
    """What there is to say besides the changes: that nothing has to change, that they do not suffice, or that nothing helps."""
    if before.fits == "well":
        return "It fits well. Nothing has to change."
    if not changes:
        return "Nothing that can be set here makes it smaller. Close other programs, or choose a smaller model."
    return {
        "well": "With these changes it fits well.",
        "tight": "With these changes it fits, but tightly. Close other programs.",
        "no": "Even with these changes it is too big. Close other programs, or choose a smaller model.",
    }[changes[-1].after.fits]


def _best(case: _Case, moves: Iterator[_Move]) -> list[_Move]:
    """The first of the moves after which it fits well; else the one that needs least; none if that is no gain."""
    best, least = None, WORTH * case.estimate.needed_bytes
    for move in moves:
        changed = case.after([move])
        if changed.config.faults():  # settings that do not go together
            continue
        after = changed.estimate
        if after.needed_bytes <= least:
            best, least = move, after.needed_bytes
            if after.fits == "well":
                break
    return [best] if best else []


def _needed(start: _Case, moves: list[_Move]) -> list[_Move]:
    """The moves without those that the later ones made needless, the most harmful dropped first."""
    if start.after(moves).estimate.fits != "well":
        return moves
    for move in reversed(moves[:-1]):
        fewer = [item for item in moves if item is not move]
        if start.after(fewer).estimate.fits == "well":
            moves = fewer
    return moves


def _judged(start: _Case, moves: Sequence[_Move]) -> Iterator[Change]:
    before = start.estimate
    for count, move in enumerate(moves, 1):
        after = start.after(moves[:count]).estimate
        cost = move.cost
        if move.slower:
            more = round(100 * (after.seconds / before.seconds - 1))
            cost += f" It takes about {more} % longer." if more > 0 else " It takes no longer."
        yield Change(move.settings, move.model.id if move.model else "", move.sentence, cost, before, after)
        before = after


def _shorter(case: _Case) -> Iterator[_Move]:
    """Rows cut at the length that most have."""
    now = min(case.config.data.max_length, case.entry.context)
    most = -(-case.sizes.percentile_tokens(SHARE_KEPT) // ROUNDED) * ROUNDED
    most = max(most, int(settings_of(DataConfig)["max_length"].minimum or ROUNDED))
    cut = case.sizes.cut_rows(most)
    if most < min(now, case.sizes.longest_tokens):
        each = "1 row is" if cut == 1 else f"{cut} of {case.sizes.rows} rows are"
        yield _Move(
            {"max_length": most},
            f"Rows have at most {most} tokens instead of {now}.",
            f"{each} longer: what they lose is their oldest turns. Where that is not enough, the row is left out.",
        )


def _fewer_at_once(case: _Case) -> Iterator[_Move]:
    """Half as many rows at once, and half again, with as many more batches a step."""
    training = case.config.training
    rows, batches = training.per_device_train_batch_size, training.gradient_accumulation_steps
    while rows > 1 and rows % 2 == 0 and 2 * batches <= 512:
        rows, batches = rows // 2, 2 * batches
        yield _Move(
            {"per_device_train_batch_size": rows, "gradient_accumulation_steps": batches},
            f"{rows} {'row' if rows == 1 else 'rows'} at once instead of {training.per_device_train_batch_size}, "
            f"in {batches} batches a step.",
            "What is learned stays the same.",
            slower=True,
        )


def _checkpointing(case: _Case) -> Iterator[_Move]:
    """Compute again instead of keeping."""
    if not case.config.training.gradient_checkpointing:
        yield _Move(
            {"gradient_checkpointing": True},
            "Values between the layers are computed again instead of kept.",
            "What is learned stays the same.",
            slower=True,
        )


def _four_bit(case: _Case) -> Iterator[_Move]:
    """4 bit instead of 8 or 16. The figures: arXiv:2305.14314, table 4, mean of all models."""
    if case.config.model.quantization != "nf4":
        held = {"none": "16", "int8": "8"}[case.config.model.quantization]
        yield _Move(
            {"quantization": "nf4"},
            f"The model is held in 4 bit instead of {held}.",
            "It is a little less exact. In the method's own tests that cost nothing: 53.1 points against 53.0 in 16 bit.",
        )


def _smaller(case: _Case, others: Sequence[ModelEntry]) -> Iterator[_Move]:
    """Another model, the largest first."""
    now = case.entry
    usable = [item for item in others if not item.trouble and item.id != now.id and item.parameters < now.parameters]
    for item in sorted(usable, key=lambda item: item.parameters, reverse=True):
        yield _Move(
            {},
            f"Start from {item.title} instead of {now.title}.",
            f"It is smaller, {_millions(item.parameters)} weights instead of {_millions(now.parameters)}. It knows less.",
            model=item,
        )


def _millions(count: int) -> str:
    return f"{count / 1e9:.1f} billion" if count >= 1e9 else f"{count / 1e6:.0f} million"
