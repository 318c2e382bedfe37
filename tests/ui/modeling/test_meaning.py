"""The drawings of the choices and of an adapter: they move with the values, and everything is said in words too."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from studio.config import RunConfig
from studio.models.catalog import ModelCatalog, ModelEntry
from studio.models.footprint import adapter_parameters
from studio.models.spectrum import ModuleSpectrum, Spectrum
from studio.ui import words_model as words
from studio.ui.modeling.meaning import meaning
from studio.ui.modeling.spectrum import picture
from studio.workspace import Workspace


@pytest.fixture(scope="module")
def entry(tmp_path_factory: pytest.TempPathFactory) -> ModelEntry:
    return ModelCatalog(Workspace(tmp_path_factory.mktemp("workspace"))).get("starter")


def sections(entry: ModelEntry, rows: int = 40, **settings: Any) -> list[str]:
    """What is drawn, one string a choice: rank, alpha, quantization, learning rate, epochs."""
    made = str(meaning(RunConfig().replace(**settings), entry, rows))
    return re.findall(r"<section.*?</section>", made, re.DOTALL)


@pytest.mark.parametrize(
    ("at", "settings"),
    [
        (0, {"r": 64}),
        (0, {"target_modules": "attention"}),
        (1, {"lora_alpha": 8}),
        (1, {"use_rslora": True}),
        (2, {"quantization": "none"}),
        (3, {"learning_rate": 0.01}),
        (3, {"lr_scheduler_type": "constant"}),
        (3, {"warmup_ratio": 0.5}),
        (4, {"depth": "thorough"}),
        (4, {"num_train_epochs": 50, "early_stopping_patience": 0}),
    ],
)
def test_a_drawing_moves_with_its_setting(entry: ModelEntry, at: int, settings: dict[str, Any]) -> None:
    plain, changed = sections(entry), sections(entry, **settings)
    assert len(plain) == len(changed) == 5
    assert plain[at] != changed[at]
    assert plain[2] == changed[2] or at == 2


def test_every_drawing_is_whole_and_named(entry: ModelEntry) -> None:
    for rows in (0, 40, 10**6):
        for settings in ({}, {"r": 1, "lora_alpha": 1024}, {"r": 256, "warmup_ratio": 0.0, "num_train_epochs": 1000}):
            for section in sections(entry, rows, **settings):
                whole = ElementTree.fromstring(section)
                for drawing in whole.iter("svg"):
                    assert drawing.get("role") == "img" and drawing.get("aria-label")
                assert "nan" not in section and "inf" not in section
                assert whole.findall("p")[-1].text


def test_the_numbers_are_those_of_the_core(entry: ModelEntry) -> None:
    size, _, memory, rate, rounds = sections(entry)
    config = RunConfig()
    assert f"{adapter_parameters(entry.shape, config.adapter) / 10**6:.1f} million" in size
    assert "counts 2 times" in sections(entry)[1]
    assert memory.count('role="img"') == 3
    assert f"{config.total_steps(40)} steps" in rate and f"{config.total_steps(40)} steps" in rounds
    assert "rises over the first 4 of 80 steps to 0.0005, then falls to 0" in rate


@pytest.mark.parametrize(
    ("rows", "settings", "said"),
    [
        (40, {"r": 128}, "More room than 40 rows can fill"),
        (5000, {"r": 128}, "many and varied rows"),
        (40, {"r": 2}, "Little room"),
        (40, {"r": 48}, "Larger than usual"),
        (40, {"lora_alpha": 4}, "Softer than usual. 16 to 32 is usual"),
        (40, {"lora_alpha": 320}, "Louder than usual"),
        (40, {"learning_rate": 1e-6}, "may learn little"),
        (40, {"learning_rate": 0.01}, "may forget"),
        (40, {"num_train_epochs": 60}, "ends early"),
        (40, {"num_train_epochs": 60, "early_stopping_patience": 0}, "nothing ends it early"),
        (40, {"num_train_epochs": 1}, "Each of the 40 rows is seen once."),
        (0, {}, "fitted to how many rows"),
    ],
)
def test_the_sentence_depends_on_the_value(entry: ModelEntry, rows: int, settings: dict[str, Any], said: str) -> None:
    assert said in str(meaning(RunConfig().replace(**settings), entry, rows))


def test_a_picture_of_an_adapter_says_everything_in_words(tmp_path: Path) -> None:
    modules = [ModuleSpectrum(layer, kind, (2.0, 1.0, 0.5, 0.1), 2) for layer in range(3) for kind in ("q_proj", "<b>odd</b>")]
    modules.append(replace(modules[0], layer=None, values=(0.0,) * 4, needed=0))
    made = str(picture(Spectrum(4, tuple(modules), ("Something is not counted.",))))
    assert "2 of 4 directions are in use" in made
    assert "<b>odd" not in made
    assert made.count("<rect") == len(modules)
    assert 'fill-opacity="0.00"' in made and 'fill-opacity="0.56"' in made
    label = re.search(r'class="spectrum" role="img" aria-label="([^"]+)"', made)[1]
    assert "2 of 4" in label and "stronger" in label
    assert "Something is not counted." in made
    assert re.search(r"<table.*2 of 4", made, re.DOTALL)


def test_nothing_learned_is_said() -> None:
    made = str(picture(Spectrum(4, (ModuleSpectrum(0, "q_proj", (0.0,) * 4, 0),))))
    assert words.VERDICTS["nothing"] in made
