"""The one loader: three quantizations, adapters that plain peft loads, and gradients that an evaluation leaves alone."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

import pytest
import torch

from studio.errors import StudioError
from studio.models import adapters, load
from studio.models.targets import inspect
from studio.workspace import Workspace

QUANTIZATIONS = ("none", "nf4", "int8")
ADAPTER = {"r": 4, "lora_alpha": 8, "lora_dropout": 0.0, "target_modules": "all-linear", "use_rslora": False, "use_dora": False}
IDS = torch.arange(3, 35).reshape(2, 16)


def gradients(model: Any, ids: torch.Tensor = IDS) -> dict[str, torch.Tensor]:
    """The adapter's gradients for one fixed batch."""
    model.zero_grad(set_to_none=True)
    model.train()
    model(input_ids=ids, labels=ids).loss.backward()
    return {name: item.grad.clone() for name, item in model.named_parameters() if item.requires_grad}


def adapted(folder: Path, quantization: str, **changes: Any) -> Any:
    """A base with an adapter whose second half is not zero, so that every weight has a gradient."""
    model = adapters.add_adapter(load.load_base(folder, quantization), **(ADAPTER | changes), seed=3)
    with torch.no_grad():
        for name, item in model.named_parameters():
            if "lora_B" in name:
                item.fill_(0.01)
    return model


def check_forward_backward(folder: Path, quantization: str) -> None:
    model = adapted(folder, quantization)
    found = gradients(model)
    assert found and all(torch.isfinite(item).all() for item in found.values())
    assert sum(item.norm() > 0 for item in found.values()) == len(found)
    for name, item in model.named_parameters():
        assert item.requires_grad == ("lora_" in name), name
        assert "lora_" not in name or item.dtype == torch.float32


@pytest.mark.parametrize("quantization", QUANTIZATIONS)
def test_forward_and_backward(tiny_model: Path, quantization: str) -> None:
    check_forward_backward(tiny_model, quantization)


@pytest.mark.slow
@pytest.mark.parametrize("quantization", QUANTIZATIONS)
def test_forward_and_backward_of_the_real_model(shared_starter: Workspace, quantization: str) -> None:
    check_forward_backward(shared_starter.folder("models", "starter"), quantization)


def evaluate(model: Any) -> torch.Tensor:
    model.eval()
    with torch.no_grad():
        return model(input_ids=IDS).logits


@pytest.mark.parametrize("quantization", QUANTIZATIONS)
def test_an_evaluation_leaves_the_gradient_alone(tiny_model: Path, quantization: str) -> None:
    model = adapted(tiny_model, quantization)
    before = gradients(model)
    evaluate(model)
    after = gradients(model)
    assert before.keys() == after.keys()
    for name, item in before.items():
        assert torch.equal(item, after[name]), name


def test_nf4_weights_are_never_repacked(tiny_model: Path) -> None:
    import bitsandbytes as bnb

    layers = [module for module in load.load_base(tiny_model, "nf4").modules() if isinstance(module, bnb.nn.Linear4bit)]
    assert len(layers) == 14
    assert not any(layer.support_avx512bf16_for_cpu for layer in layers)


def test_without_the_fix_bitsandbytes_would_repack(tiny_model: Path) -> None:
    """Shows what the fix is for, where the trap exists; when this fails, the fix can go."""
    from bitsandbytes.functional import has_avx512bf16

    if not has_avx512bf16():
        pytest.skip("this CPU lacks avx512_bf16, so bitsandbytes has no packed form to fall into")
    import bitsandbytes as bnb

    model = adapted(tiny_model, "nf4")
    for module in model.modules():
        if isinstance(module, bnb.nn.Linear4bit):
            module.support_avx512bf16_for_cpu = True
    before = gradients(model)
    evaluate(model)
    model.zero_grad(set_to_none=True)
    model.train()
    model(input_ids=IDS, labels=IDS).loss.backward()
    after = {name: item.grad for name, item in model.named_parameters() if item.requires_grad}
    assert any(after[name] is None or not torch.allclose(item, after[name], rtol=0.1) for name, item in before.items())


def test_the_loaded_base_is_plain(tiny_model: Path) -> None:
    model = load.load_base(tiny_model, "none")
    assert not model.training and not any(item.requires_grad for item in model.parameters())
    assert model.name_or_path == "tiny" and model.config._attn_implementation == "sdpa"
    dtypes = {item.dtype for item in load.load_base(tiny_model, "nf4", compute_dtype="bfloat16").parameters()}
    assert dtypes == {torch.uint8, torch.bfloat16}
    with pytest.raises(StudioError):
        load.load_base(tiny_model, "nf2")


def test_same_seed_same_start(tiny_model: Path) -> None:
    base_logits = evaluate(load.load_base(tiny_model, "none"))

    def start(seed: int, noise: int) -> dict[str, torch.Tensor]:
        torch.manual_seed(noise)
        state = torch.get_rng_state()
        model = adapters.add_adapter(load.load_base(tiny_model, "none"), **ADAPTER, seed=seed)
        assert torch.equal(torch.get_rng_state(), state)
        assert torch.equal(evaluate(model), base_logits)
        return {name: item for name, item in model.named_parameters() if item.requires_grad}

    first, again, other = start(1, 10), start(1, 20), start(2, 10)
    assert all(torch.equal(item, again[name]) for name, item in first.items())
    assert any(not torch.equal(item, other[name]) for name, item in first.items())


def test_where_it_learns(tiny_model: Path) -> None:
    def places(choice: str) -> set[str]:
        model = adapters.add_adapter(load.load_base(tiny_model, "none"), **(ADAPTER | {"target_modules": choice}), seed=1)
        return {name.split(".")[-4] for name, _ in model.named_parameters() if "lora_A" in name}

    attention = {"q_proj", "k_proj", "v_proj", "o_proj"}
    assert places("attention") == attention
    assert places("all-linear") == attention | {"gate_proj", "up_proj", "down_proj"}


@pytest.mark.parametrize(
    ("family", "names"),
    [
        ("gpt2", {"c_attn", "attn.c_proj"}),
        ("gpt_neox", {"query_key_value", "dense"}),
        ("phi3", {"qkv_proj", "o_proj"}),
        ("falcon", {"query_key_value", "dense"}),
        ("qwen3", {f"{name}_proj" for name in "qkvo"}),
    ],
)
def test_attention_is_found_under_any_name(family: str, names: set[str]) -> None:
    from transformers import AutoConfig, AutoModelForCausalLM

    small = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "vocab_size": 64, "intermediate_size": 64}
    if family != "falcon":
        small |= {} if family == "gpt2" else {"num_key_value_heads": 2, "pad_token_id": 0}
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model(family, **small))
    assert set(inspect(model, "attention").modules) == names


@pytest.mark.parametrize(
    "changes",
    [{}, {"target_modules": "attention"}, {"use_rslora": True}, {"use_dora": True}],
    ids=["lora", "attention", "rslora", "dora"],
)
@pytest.mark.parametrize("quantization", ["none", "nf4"])
def test_a_saved_adapter_loads_here_and_in_plain_peft(
    tiny_model: Path, tmp_path: Path, quantization: str, changes: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = adapted(tiny_model, quantization, **changes)
    expected = evaluate(model)

    def no_network(*_: Any) -> None:
        raise AssertionError("asked the network")

    monkeypatch.setattr(socket.socket, "connect", no_network)
    adapters.save_adapter(model, tmp_path / "adapter")
    config = json.loads((tmp_path / "adapter" / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == "tiny" and config["revision"] is None
    assert str(tiny_model) not in (tmp_path / "adapter" / "adapter_config.json").read_text()
    again = adapters.attach_adapter(load.load_base(tiny_model, quantization), tmp_path / "adapter")
    assert torch.equal(evaluate(again), expected)
    if quantization == "none":
        from peft import PeftModel
        from transformers import AutoModelForCausalLM

        plain = AutoModelForCausalLM.from_pretrained(
            tiny_model, dtype=next(load.load_base(tiny_model, "none").parameters()).dtype
        )
        assert torch.equal(evaluate(PeftModel.from_pretrained(plain, tmp_path / "adapter")), expected)


def edited(folder: Path, **values: Any) -> None:
    path = folder / "adapter_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


@pytest.mark.parametrize(
    "break_it",
    [
        lambda f: edited(f, r=10**9),
        lambda f: edited(f, r=8),
        lambda f: edited(f, peft_type="PROMPT_TUNING"),
        lambda f: edited(f, megatron_config={"x": 1}, megatron_core="os"),
        lambda f: edited(f, target_modules=["nothing_here"]),
        lambda f: (f / "adapter_model.safetensors").rename(f / "adapter_model.bin"),
        lambda f: (f / "adapter_model.safetensors").write_bytes(b"\0" * 50),
        lambda f: (f / "adapter_config.json").write_text("{"),
        lambda f: (f / "adapter_config.json").unlink(),
    ],
    ids=[
        "rank 10^9",
        "another rank",
        "another kind",
        "megatron",
        "other layers",
        "only .bin",
        "damaged",
        "not JSON",
        "no config",
    ],
)
def test_adapters_that_cannot_be_used_are_refused(tiny_model: Path, tmp_path: Path, break_it: Any) -> None:
    adapters.save_adapter(adapted(tiny_model, "none"), tmp_path)
    break_it(tmp_path)
    with pytest.raises(StudioError):
        adapters.attach_adapter(load.load_base(tiny_model, "none"), tmp_path)


def test_a_tokenizer_always_has_a_pad_token(tiny_model: Path) -> None:
    tokenizer = load.load_tokenizer(tiny_model)
    assert tokenizer.pad_token_id is not None and tokenizer.chat_template
