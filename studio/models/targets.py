"""Which parts of a model an adapter sits on, found by looking at the loaded model, and what a person should know of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from studio.errors import StudioError
from studio.models.load import PACKED

CHOICES = ("all-linear", "attention")
UNPACKED_EXPERTS = "The experts of this model stay in 16 or 32 bit: the library that saves memory cannot pack them."
UNTAUGHT_EXPERTS = "The experts of this model do not learn with dropout or DoRA; its other layers do."
TAUGHT_EXPERTS = "The experts of this model learn too, each a little. That takes much memory."


@dataclass(frozen=True)
class Inspection:
    """What an adapter sits on, as peft names it, and sentences for the person.

    `modules` are endings of layer names. `parameters` are endings of the names of expert weights, which lie stacked,
    [experts, out, in], in one parameter instead of in layers of their own.
    """

    modules: tuple[str, ...]
    parameters: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def inspect(model: Any, choice: str = "all-linear", *, plain: bool = True) -> Inspection:
    """Look for the layers that `choice` names in a loaded base model.

    Never the output layer, nor what chooses among experts: which expert reads a token stays as it was learned.

    Args:
        choice: "all-linear" or "attention".
        plain: Whether the adapter is plain LoRA, without dropout and DoRA. Only that can sit on experts (peft 0.21).
    Raises:
        StudioError: There are none.
    """
    if choice not in CHOICES:
        raise StudioError("The adapter was not made.", f"{choice!r} names no layers.", "Choose “All layers”.")
    layers = _layers(model)
    wanted = {name for name in layers if choice == "all-linear" or in_attention(name)}
    if not wanted:
        raise StudioError(
            "The adapter was not made.", "This model names no attention layers this app can find.", "Choose “All layers”."
        )
    stacked = experts(model)
    quantized = any(type(layer).__name__ in PACKED for layer in layers.values())
    notes = expert_notes(quantized=quantized, choice=choice, plain=plain) if stacked else ()
    taught = stacked if choice == "all-linear" and plain else {}
    others = {name for name, _ in model.named_modules()} - wanted
    return Inspection(endings(wanted, others), tuple(sorted({".".join(name.split(".")[-2:]) for name in taught})), notes)


def expert_notes(*, quantized: bool, choice: str, plain: bool) -> tuple[str, ...]:
    """What to say of a mixture of experts (a `ModelShape` with several) before it is loaded. Arguments as for `inspect`.

    Args:
        quantized: Whether the rest of the model is held in 4 or 8 bit.
    """
    notes = (UNPACKED_EXPERTS,) if quantized else ()
    if choice == "all-linear":
        return (*notes, TAUGHT_EXPERTS if plain else UNTAUGHT_EXPERTS)
    return notes


def targets(model: Any, choice: str, *, r: int, lora_alpha: int, plain: bool) -> dict[str, Any]:
    """Arguments of peft's LoraConfig that place an adapter of rank `r`; see `inspect`.

    A token goes through several experts, so each gets its share of the rank: r divided by how many are used, at least 1, with
    the same alpha / r (John Schulman et al., LoRA Without Regret, 2025).
    """
    found = inspect(model, choice, plain=plain)
    values: dict[str, Any] = {"target_modules": list(found.modules)}
    if found.parameters:
        share = max(1, r // experts_used(model))
        values["target_parameters"] = list(found.parameters)
        values["rank_pattern"] = dict.fromkeys(found.parameters, share)
        values["alpha_pattern"] = dict.fromkeys(found.parameters, lora_alpha * share / r)
    return values


def experts(model: Any) -> dict[str, Any]:
    """The stacked weights of a mixture of experts, by name: three-dimensional parameters of a module that is called so."""
    return {
        f"{path}.{name}": item
        for path, module in model.named_modules()
        if "expert" in path
        for name, item in module.named_parameters(recurse=False)
        if item.ndim == 3
    }


def experts_used(model: Any) -> int:
    """How many experts read one token; 1 where there are none."""
    config = model.config.get_text_config()
    return int(getattr(config, "num_experts_per_tok", None) or 1)


def teaches_experts(model: Any) -> bool:
    """Whether an adapter of this PeftModel sits on experts. Such a model cannot answer with and without it in one batch."""
    return any(config.target_parameters for config in model.peft_config.values())


def in_attention(name: str) -> bool:
    """Whether a layer of this name belongs to attention, under any family's word for it."""
    return any("attn" in part or "attention" in part for part in name.split(".")[:-1])


def endings(wanted: set[str], others: set[str]) -> tuple[str, ...]:
    """The shortest ends of dotted names that match all of `wanted` and none of `others`, as peft matches them."""
    tails = {tail for name in others for tail in _tails(name)}
    return tuple(sorted({next((tail for tail in _tails(name) if tail not in tails), name) for name in wanted}))


def _tails(name: str) -> list[str]:
    parts = name.split(".")
    return [".".join(parts[-count:]) for count in range(1, len(parts) + 1)]


def _layers(model: Any) -> dict[str, Any]:
    """The linear layers of a model's body, packed ones included, by name."""
    from torch.nn import Linear  # noqa: PLC0415
    from transformers.pytorch_utils import Conv1D  # noqa: PLC0415

    head, mixture = model.get_output_embeddings(), experts_used(model) > 1
    return {
        name: module
        for name, module in model.named_modules()
        if isinstance(module, (Linear, Conv1D)) and module is not head and not (mixture and _chooses(name))
    }


def _chooses(name: str) -> bool:
    """Whether a layer of a mixture of experts decides which expert is asked, or how loudly it speaks."""
    last = name.rpartition(".")[2]
    return "router" in name or last == "gate" or last.endswith("_gate")
