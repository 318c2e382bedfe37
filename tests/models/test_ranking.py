"""Which models suit which computer, in what order, and with what reason."""

from __future__ import annotations

import dataclasses
import re
import time

import pytest

from studio.config import RunConfig
from studio.models import memory
from studio.models.catalog import ModelCatalog, ModelEntry
from studio.models.hardware import Hardware
from studio.models.memory import RowSizes, estimate
from studio.models.ranking import SENSIBLE_SECONDS, Ranked, rank
from studio.workspace import Workspace, gib

GB = 2**30
SMALL = Hardware(2, 4 * GB, 3 * GB)
DESK = Hardware(8, 24 * GB, 20 * GB)
GPU = Hardware(8, 64 * GB, 50 * GB, "a GPU", 24 * GB, 23 * GB)
SIZES = RowSizes(rows=80, validation_rows=8, mean_tokens=60.0, longest_tokens=120, shared_tokens=24)


@pytest.fixture
def entries(workspace: Workspace) -> list[ModelEntry]:
    catalog = ModelCatalog(workspace)
    return [*catalog.entries(), *catalog.published_entries()]


@pytest.fixture(autouse=True)
def nothing_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test before this one measured says nothing of these computers."""
    monkeypatch.setattr(memory.machine, "measured", lambda: False)


def of(ranked: list[Ranked], fits: str) -> list[Ranked]:
    return [item for item in ranked if item.fits == fits]


@pytest.mark.parametrize("computer", [SMALL, DESK, GPU])
@pytest.mark.parametrize("quantization", ["none", "nf4"])
def test_what_fits_comes_first_and_says_its_numbers(entries: list[ModelEntry], computer: Hardware, quantization: str) -> None:
    config = RunConfig().replace(quantization=quantization)
    ranked = rank(entries, config, SIZES, computer)
    assert {item.entry.id for item in ranked} == {entry.id for entry in entries} and len(ranked) == len(entries)
    assert ranked == of(ranked, "well") + of(ranked, "tight") + of(ranked, "no")
    for fits in ("well", "tight"):
        slow = [item.estimate.seconds > SENSIBLE_SECONDS for item in of(ranked, fits)]
        assert slow == sorted(slow)
        sizes = [item.entry.parameters for item in of(ranked, fits) if item.estimate.seconds <= SENSIBLE_SECONDS]
        assert sizes == sorted(sizes, reverse=True)
    for item in ranked:
        assert item.estimate == estimate(config, item.entry, SIZES, computer) and item.fits == item.estimate.fits
        assert gib(item.estimate.needed_bytes) in item.why and gib(computer.working_memory) in item.why
        assert ("Slow here" in item.why) == (item.fits != "no" and item.estimate.seconds > SENSIBLE_SECONDS)
        assert all(len(sentence.split()) <= 20 for sentence in re.split(r"(?<=\.) ", item.why))


def test_a_small_computer_gets_a_small_model_and_a_gpu_a_large_one(entries: list[ModelEntry]) -> None:
    small, gpu = rank(entries, RunConfig(), SIZES, SMALL), rank(entries, RunConfig(), SIZES, GPU)
    assert small[0].entry.parameters < 0.6e9 and small[0].fits == "well"
    assert small[-1].entry.parameters > 30e9 and small[-1].fits == "no"
    assert gpu[0].entry.parameters > 5e9 and len(of(gpu, "well")) > len(of(small, "well"))


def test_too_big_says_which_memory_saving_would_do(entries: list[ModelEntry]) -> None:
    ranked = rank(entries, RunConfig().replace(quantization="none"), SIZES, DESK)
    helped = 0
    for item in of(ranked, "no"):
        assert item.why.startswith("Too big at 16 bit: about ")
        savings = {"8 bit": "int8", "4 bit": "nf4"}
        others = {bits: estimate(RunConfig().replace(quantization=q), item.entry, SIZES, DESK) for bits, q in savings.items()}
        said = re.search(r"At (\d bit) it needs (.+)\.$", item.why)
        assert bool(said) == any(other.fits != "no" for other in others.values())
        if said:
            helped += 1
            assert others[said[1]].fits != "no" and gib(others[said[1]].needed_bytes) == said[2]
    assert helped


def test_long_runs_are_called_slow(entries: list[ModelEntry]) -> None:
    ranked = rank(entries, RunConfig(), dataclasses.replace(SIZES, rows=200_000), DESK)
    assert "Slow here: about " in ranked[0].why and re.search(r"\d+ (hours|days)\.$", ranked[0].why)
    times = [item.estimate.seconds for item in of(ranked, "well")]
    assert times == sorted(times), "slow ones: the quickest first"


def test_what_cannot_be_used_comes_last(entries: list[ModelEntry]) -> None:
    gone = dataclasses.replace(entries[0], id="gone", origin="local", trouble="Its folder is missing.")
    last = rank([gone, *entries], RunConfig(), SIZES, DESK)[-1]
    assert (last.entry.id, last.fits, last.why) == ("gone", "no", gone.trouble)


def test_ranking_keeps_pace_with_every_change(entries: list[ModelEntry]) -> None:
    config, taken = RunConfig().replace(quantization="none"), []
    for _ in range(5):
        begun = time.perf_counter()
        rank(entries, config, SIZES, SMALL)
        taken.append(time.perf_counter() - begun)
    assert min(taken) < 0.05, "about 6 ms when two cores are idle"
