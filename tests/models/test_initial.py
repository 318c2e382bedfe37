"""PiSSA as plain LoRA on the untouched base: the same steps as peft's own, and the base stays the base."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from studio.models import adapters, initial, load

SHAPE = {"r": 4, "lora_alpha": 8, "lora_dropout": 0.0, "target_modules": "all-linear"}
IDS = torch.arange(3, 35).reshape(2, 16)


def started(folder: Path, **changes: Any) -> Any:
    base = load.load_base(folder, "none", compute_dtype="float32")
    return adapters.add_adapter(
        base, **({"use_rslora": False, "use_dora": False} | SHAPE | changes), init_lora_weights="pissa", seed=3
    )


def learn(model: Any, steps: int = 3, weight_decay: float = 0.0) -> None:
    learned = [item for item in model.parameters() if item.requires_grad]
    optimizer = torch.optim.AdamW(learned, lr=5e-3, weight_decay=weight_decay)
    model.train()
    for _ in range(steps):
        model(input_ids=IDS, labels=IDS).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    model.eval()


@torch.no_grad()
def answer(model: Any) -> torch.Tensor:
    return model(input_ids=IDS).logits


def plain_base(folder: Path) -> Any:
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()


@pytest.mark.parametrize(
    "changes", [{}, {"use_rslora": True}, {"use_dora": True}, {"r": 48}], ids=["lora", "rslora", "dora", "48"]
)
def test_it_starts_as_the_base_and_loads_in_plain_peft_on_the_untouched_base(
    tiny_model: Path, tmp_path: Path, changes: dict[str, Any]
) -> None:
    from peft import PeftModel

    model, base = started(tiny_model, **changes), plain_base(tiny_model)
    assert torch.allclose(answer(model), answer(base), atol=1e-4)
    learn(model)
    assert not torch.allclose(answer(model), answer(base), atol=1e-2)
    with model.disable_adapter():
        assert torch.equal(answer(model), answer(base)), "not one number of the base was changed"
    adapters.save_adapter(model, tmp_path / "adapter")
    assert torch.equal(answer(PeftModel.from_pretrained(base, tmp_path / "adapter")), answer(model))


def test_it_starts_from_the_strongest_directions(tiny_model: Path) -> None:
    for layer in initial.lora_layers(started(tiny_model)):
        first, second = layer.lora_A["default"].weight[:4], layer.lora_B["default"].weight[:, :4]
        found = (layer.scaling["default"] * second @ first).norm()
        most = torch.linalg.svdvals(layer.get_base_layer().weight)[:4].norm()
        assert 0.98 * most < found < 1.001 * most


def test_it_learns_as_pefts_own_pissa_does_from_the_same_start(tiny_model: Path) -> None:
    from peft import LoraConfig, get_peft_model

    theirs = get_peft_model(plain_base(tiny_model), LoraConfig(**SHAPE, task_type="CAUSAL_LM", init_lora_weights="pissa"))
    mine, plain = started(tiny_model), plain_base(tiny_model)
    with torch.no_grad():
        for one, other in zip(initial.lora_layers(theirs), initial.lora_layers(mine), strict=True):
            first, second = other.lora_A["default"].weight[:4], other.lora_B["default"].weight[:, :4]
            one.lora_A["default"].weight.copy_(first)
            one.lora_B["default"].weight.copy_(second)
            one.get_base_layer().weight.copy_(other.get_base_layer().weight - one.scaling["default"] * second @ first)
    for model in (theirs, mine):
        learn(model)
    moved = (answer(theirs) - answer(plain)).norm()
    assert (answer(mine) - answer(theirs)).norm() < 0.02 * moved


def test_only_the_first_half_learns_and_decay_pulls_towards_the_base(tiny_model: Path) -> None:
    model = started(tiny_model)
    before = {name: item.detach().clone() for name, item in model.named_parameters() if "lora_" in name}
    learn(model)
    for name, item in model.named_parameters():
        if "lora_A" in name:
            assert torch.equal(item[4:], before[name][4:]) and not torch.equal(item[:4], before[name][:4])
        if "lora_B" in name:
            assert torch.equal(item[:, 4:], before[name][:, 4:]) and not torch.equal(item[:, :4], before[name][:, :4])
    base = answer(plain_base(tiny_model))
    free, held = started(tiny_model), started(tiny_model)
    learn(free, 8)
    learn(held, 8, weight_decay=20.0)
    assert (answer(held) - base).norm() < 0.9 * (answer(free) - base).norm()
