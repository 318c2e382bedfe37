"""Make it fit: mildest first, no further than needed, each with its cost, and honest when it does not suffice."""

from __future__ import annotations

import dataclasses

import pytest

from studio.config import RunConfig
from studio.models import memory
from studio.models.catalog import ModelCatalog, ModelEntry
from studio.models.fit import Change, fit, told
from studio.models.folder import ModelShape
from studio.models.hardware import Hardware
from studio.models.memory import RowSizes, estimate
from studio.workspace import Workspace

LENGTHS = (60,) * 96 + (900,) * 4
SIZES = RowSizes(400, 40, sum(LENGTHS) / 100, 900, 24, LENGTHS)
BIG = ModelShape(2048, 24, 50_000, 8192, 32, 8, 64, tied=True)
CONFIG = RunConfig().replace(quantization="none", max_length=1024)


@pytest.fixture
def entries(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> list[ModelEntry]:
    """A big model and the starter, on a computer where nothing is measured."""
    monkeypatch.setattr(memory.machine, "measured", lambda: False)
    starter = ModelCatalog(workspace).get("starter")
    big = dataclasses.replace(starter, id="big", title="Big", shape=BIG, parameters=BIG.parameters, origin="local")
    return [big, starter]


def computer(free: float) -> Hardware:
    return Hardware(2, 2**40, round(free))


def made(entries: list[ModelEntry], free: float, config: RunConfig = CONFIG, sizes: RowSizes = SIZES) -> list[Change]:
    return fit(config, entries[0], sizes, computer(free), entries[1:])


def test_nothing_is_changed_where_it_fits_well(entries: list[ModelEntry]) -> None:
    assert made(entries, 1e12) == []
    assert told(estimate(CONFIG, entries[0], SIZES, computer(1e12)), []).startswith("It fits well.")


def test_the_mildest_change_comes_first_and_alone_where_it_suffices(entries: list[ModelEntry]) -> None:
    shorter = estimate(CONFIG.replace(max_length=64), entries[0], SIZES, computer(1e12)).needed_bytes
    changes = made(entries, shorter / 0.69)
    assert [set(change.settings) for change in changes] == [{"max_length"}]
    only = changes[0]
    assert only.settings["max_length"] == 64 and only.after.fits == "well" and only.before.fits != "well"
    assert "16 of 400 rows are longer" in only.cost and "64" in only.sentence


def test_harder_changes_follow_in_their_order_until_it_fits(entries: list[ModelEntry]) -> None:
    order = ["max_length", "per_device_train_batch_size", "gradient_checkpointing", "quantization"]
    full = RowSizes(400, 40, 500.0, 900, 24, (100,) * 10 + (500,) * 86 + (900,) * 4)
    free, seen = 30e9, []
    while free > 1e9:
        changes = made(entries[:1], free, sizes=full)  # no smaller model to escape to
        names = [name for change in changes for name in order if name in change.settings]
        assert names == sorted(names, key=order.index)
        for before, after in zip(changes, changes[1:], strict=False):
            assert after.before == before.after
        seen.append(len(changes))
        free *= 0.9
    assert max(seen) >= 2


def test_a_smaller_model_is_the_last_resort_and_makes_other_changes_needless(entries: list[ModelEntry]) -> None:
    big, starter = entries
    shape = dataclasses.replace(BIG, layers=96)
    big = entries[0] = dataclasses.replace(big, shape=shape, parameters=shape.parameters)
    alone = estimate(CONFIG, starter, SIZES, computer(1e12)).needed_bytes
    changes = made(entries, alone / 0.69)
    assert [change.model_id for change in changes] == ["starter"] and changes[0].after.fits == "well"
    assert "135 million" in changes[0].cost
    assert fit(CONFIG, big, SIZES, computer(1e8), [dataclasses.replace(starter, trouble="gone")])[-1].model_id == ""


def test_micro_batches_keep_the_rows_of_a_step(entries: list[ModelEntry]) -> None:
    even = RowSizes(400, 40, 500.0, 500, 24, (500,) * 50)
    config = CONFIG.replace(max_length=500, per_device_train_batch_size=8)
    less = estimate(config.replace(per_device_train_batch_size=1), entries[0], even, computer(1e12)).needed_bytes
    changes = made(entries, less / 0.69, config, even)
    settings = changes[0].settings
    assert settings["per_device_train_batch_size"] * settings["gradient_accumulation_steps"] == 8
    assert "What is learned stays the same." in changes[0].cost and "longer" in changes[0].cost


def test_it_says_when_it_does_not_suffice(entries: list[ModelEntry]) -> None:
    before = estimate(CONFIG, entries[0], SIZES, computer(5e8))
    changes = made(entries, 5e8)
    assert changes and changes[-1].after.fits == "no" and told(before, changes).startswith("Even with these changes")
    least = RunConfig().replace(max_length=32, per_device_train_batch_size=1, gradient_checkpointing=True)
    assert fit(least, entries[1], SIZES, computer(5e8)) == []
    assert told(before, []).startswith("Nothing that can be set")
