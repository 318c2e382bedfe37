"""Controls and config say the same: no setting without a control, no control without a setting."""

from __future__ import annotations

from typing import Any

import gradio as gr
import pytest

from studio.config import RunConfig, all_settings
from studio.errors import ConfigError
from studio.ui.app import Page
from studio.ui.form import Form, control, info

CHANGED: dict[str, Any] = {
    **{"system_prompt": "Be kind.", "max_length": 256, "quantization": "none", "r": 8, "lora_alpha": 64, "lora_dropout": 0.1},
    **{"target_modules": "attention", "use_rslora": True, "use_dora": True, "goal": "voice", "depth": "quick"},
    **{"num_train_epochs": 4, "learning_rate": 1e-4, "lr_scheduler_type": "linear", "warmup_ratio": 0.1},
    **{"per_device_train_batch_size": 4, "gradient_accumulation_steps": 2, "weight_decay": 0.01, "max_grad_norm": 0.5},
    **{"compute_dtype": "bfloat16", "chat_template": "chatml", "optim": "adamw_8bit", "neftune_noise_alpha": 5.0},
    **{"gradient_checkpointing": True, "init_lora_weights": "pissa", "new_tokens": "sourdough"},
    **{"evaluations": 5, "early_stopping_patience": 4, "seed": 7},
}


@pytest.fixture
def form(page: Page) -> Form:
    return page.views["model"].form


def defaults(form: Form) -> list[Any]:
    return [item.value for item in form.inputs]


def test_every_setting_has_one_control(form: Form) -> None:
    assert set(form.names) == set(all_settings()) == set(CHANGED)
    assert len({item._id for item in form.inputs}) == len(form.inputs)


def test_untouched_controls_give_the_default_config(form: Form) -> None:
    assert form.config(defaults(form)) == RunConfig()


@pytest.mark.parametrize("name", list(CHANGED))
def test_each_control_changes_its_setting_and_no_other(form: Form, name: str) -> None:
    values = defaults(form)
    values[form.names.index(name)] = CHANGED[name]
    config = form.config(values)
    assert config == RunConfig().replace(**{name: CHANGED[name]})
    assert config != RunConfig()


def test_form_config_json_config_form(form: Form) -> None:
    values = [CHANGED[name] for name in form.names]
    config = form.config(values)
    again = RunConfig.from_json(config.to_json())
    assert again == config
    assert {key: change["value"] for key, change in form.updates(again).items()} == dict(zip(form.inputs, values, strict=True))


def test_whole_numbers_may_arrive_as_floats(form: Form) -> None:
    values = defaults(form)
    values[form.names.index("r")] = 8.0
    assert form.config(values).validate().adapter.r == 8


def test_all_faults_are_told_together(form: Form) -> None:
    values = defaults(form)
    for name, value in {"r": 10**9, "learning_rate": float("nan"), "seed": 1.5, "quantization": "none at all"}.items():
        values[form.names.index(name)] = value
    with pytest.raises(ConfigError) as caught:
        form.config(values).validate()
    assert len(caught.value.faults) == 4


@pytest.mark.parametrize("value", [None, "8", [8], {"a": 1}, True, float("inf"), -1, 10**12, "x" * 1_000_000])
def test_nonsense_from_a_crafted_request_is_a_fault(form: Form, value: Any) -> None:
    for name, item in all_settings().items():
        if item.kind is bool and value is True:
            continue
        if item.kind is str and not item.choices and isinstance(value, str) and len(value) < 100:
            continue
        values = defaults(form)
        values[form.names.index(name)] = value
        with pytest.raises(ConfigError):
            form.config(values).validate()


def test_help_says_range_default_and_source() -> None:
    text = info(all_settings()["learning_rate"])
    assert "More than 0, at most 0.1." in text
    assert "Default 0.0005." in text
    assert "QLoRA" in text


def test_the_kind_of_control_follows_the_setting() -> None:
    with gr.Blocks():
        made = {name: control(item) for name, item in all_settings().items()}
    assert isinstance(made["use_dora"], gr.Checkbox)
    assert isinstance(made["quantization"], gr.Radio)
    assert isinstance(made["r"], gr.Slider)
    assert (made["r"].minimum, made["r"].maximum) == (all_settings()["r"].minimum, all_settings()["r"].maximum)
    assert isinstance(made["learning_rate"], gr.Number)
    assert isinstance(made["system_prompt"], gr.Textbox)
    assert all(item.interactive for item in made.values())
