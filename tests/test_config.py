"""Settings: said once, checked everywhere, none of them dead."""

from __future__ import annotations

import json
import math

import pytest

from studio.config import RunConfig, all_settings
from studio.config.combinations import REFUSALS
from studio.errors import ConfigError


def test_every_setting_says_what_a_person_needs() -> None:
    for name, item in all_settings().items():
        assert item.label and item.help, name
        assert item.fault(item.default) is None, name
        assert item.source or not item.advanced or name in ("r",), f"{name} has a default without a source"


def test_config_to_json_and_back_is_the_identity() -> None:
    config = RunConfig(name="A").replace(
        r=8, learning_rate=1e-3, quantization="int8", use_dora=True, system_prompt="Be short.", target_modules="attention"
    )
    assert RunConfig.from_json(json.loads(json.dumps(config.to_json()))) == config


def test_all_faults_are_reported_together() -> None:
    with pytest.raises(ConfigError) as caught:
        RunConfig(name=" ").replace(r=0, learning_rate=math.nan, quantization="two", seed=1.5).validate()
    assert len(caught.value.faults) == 5
    for word in ("rank", "Learning rate", "quantization", "Seed", "name"):
        assert any(word in fault for fault in caught.value.faults), word


BAD = [math.nan, math.inf, -math.inf, "12", "", None, [], [1], {}, 10**12 + 0.5, -1, "x" * 1_000_000]


@pytest.mark.parametrize("name", list(all_settings()))
@pytest.mark.parametrize("value", BAD, ids=lambda value: repr(value)[:20])
def test_a_value_out_of_range_never_passes(name: str, value: object) -> None:
    item = all_settings()[name]
    if item.kind is str and not item.choices and isinstance(value, str) and len(value) < 2000:
        pytest.skip("any short text is a system prompt")
    with pytest.raises(ConfigError):
        RunConfig().replace(**{name: value}).validate()


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"init_lora_weights": "pissa", "quantization": "nf4"}, "PiSSA"),
        ({"init_lora_weights": "pissa", "quantization": "int8"}, "PiSSA"),
        ({"init_lora_weights": "loftq", "quantization": "none"}, "LoftQ"),
        ({"init_lora_weights": "loftq", "quantization": "nf4", "use_dora": True}, "DoRA"),
    ],
)
def test_what_does_not_go_together_is_told_with_the_other_faults(changes: dict[str, object], word: str) -> None:
    (alone,) = RunConfig().replace(**changes).faults()
    assert word in alone
    assert RunConfig().replace(**changes, r=0).faults()[1:] == [alone]


def test_what_a_device_rules_out_is_no_fault_of_the_settings() -> None:
    config = RunConfig().replace(optim="paged_adamw_8bit")
    assert not config.faults() and not config.device_faults("cuda")
    assert "graphics card" in config.device_faults("cpu")[0]


def test_refusals_are_short_sentences_with_a_source() -> None:
    names = set(all_settings())
    for item in REFUSALS:
        assert set(item.when) <= names and item.source and item.sentence.endswith(".")
        assert all(len(part.split()) <= 20 for part in item.sentence.replace(": ", ". ").split(". "))


def test_booleans_are_not_numbers() -> None:
    assert RunConfig().replace(r=True).faults()
    assert RunConfig().replace(use_dora=1).faults()


def test_whole_numbers_from_a_form_are_accepted() -> None:
    assert RunConfig().replace(r=8.0).validate().adapter.r == 8


@pytest.mark.parametrize("rows", [1, 5, 30, 36, 40, 120, 1000])
@pytest.mark.parametrize("depth", ["quick", "balanced", "thorough"])
def test_small_data_still_gets_enough_steps(rows: int, depth: str) -> None:
    steps = RunConfig().replace(depth=depth).total_steps(rows)
    assert steps >= 50
    assert steps <= max(50, 200 + 5 * rows)


def test_set_epochs_are_used_as_they_are() -> None:
    assert RunConfig().replace(num_train_epochs=3).total_steps(16) == 6


def test_unknown_settings_are_refused() -> None:
    with pytest.raises(ConfigError):
        RunConfig().replace(nonsense=1)
    with pytest.raises(ConfigError):
        RunConfig.from_json({"training": {"nonsense": 1}})
    with pytest.raises(ConfigError):
        RunConfig.from_json({"training": []})
