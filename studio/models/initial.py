"""What an adapter starts from when not from nothing: PiSSA and LoftQ. The base's own weights stay as they are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

ADAPTER = "default"
ROUNDS = 16  # of the randomised decomposition; peft's documentation names 16 as close to the exact one


def lora_layers(model: Any) -> Iterator[Any]:
    """The layers that hold an adapter, stacks of experts apart: those have no matrix to take directions from."""
    held = (module for module in model.modules() if ADAPTER in getattr(module, "lora_A", {}))
    return (module for module in held if hasattr(module.get_base_layer(), "weight"))


def pissa_shape(r: int, lora_alpha: float, *, use_rslora: bool) -> dict[str, float]:
    """Rank and strength of the plain adapter that holds a PiSSA one of rank `r`: twice the rank, at the same scale."""
    return {"r": 2 * r, "lora_alpha": lora_alpha * (2**0.5 if use_rslora else 2)}


def start_from_principal(model: Any) -> None:
    """Start every layer's adapter from its weight's strongest directions: PiSSA, arXiv:2404.02948.

    PiSSA learns A, B from W = R + s B0 A0 on, with R kept. Here W itself is kept, in a plain adapter of twice the rank:
    R + s B A = W + s (B A - B0 A0) = W + s [B, -B0] [A; A0]. Only the first halves learn, so each step is that of PiSSA,
    the base is never changed, and what is saved is plain LoRA on the untouched base. Weight decay shrinks both halves
    alike, and with them the difference to the base.
    """
    import torch  # noqa: PLC0415

    from studio.models.half import HalfLinear  # noqa: PLC0415 - imports torch

    for layer in lora_layers(model):
        first, second, base = layer.lora_A[ADAPTER].weight, layer.lora_B[ADAPTER].weight, layer.get_base_layer()
        weight = base.unpacked() if isinstance(base, HalfLinear) else base.weight.detach().float()
        half = first.shape[0] // 2
        if getattr(layer, "fan_in_fan_out", False):
            weight = weight.T
        kept = min(half, *weight.shape)
        left, size, right = torch.svd_lowrank(weight, q=kept, niter=ROUNDS)
        root = (size / layer.scaling[ADAPTER]).sqrt()
        with torch.no_grad():
            # directions beyond those a small layer has start from nothing, as plain LoRA does
            first[:kept] = root[:, None] * right.T
            second[:, :kept] = left * root
            first[half:] = first[:half]
            second[:, half:] = -second[:, :half]
    learn_first_half(model)


def learn_first_half(model: Any) -> None:
    """Let only the first half of each adapter's rank learn: the other half's gradient is zero."""
    for layer in lora_layers(model):
        first, second = layer.lora_A[ADAPTER].weight, layer.lora_B[ADAPTER].weight
        half = first.shape[0] // 2
        first.register_hook(_without((slice(half, None),)))
        second.register_hook(_without((slice(None), slice(half, None))))


def _without(place: tuple[slice, ...]) -> Callable[[Any], Any]:
    def cut(grad: Any) -> Any:
        grad = grad.clone()  # a hook must not change what it is given
        grad[place] = 0
        return grad

    return cut


def start_from_rounding(model: Any, folder: Path) -> None:
    """Start from what 4 bit rounds away: LoftQ, arXiv:2310.08659, by peft's own code. Only on a graphics card (see `REFUSALS`).

    Args:
        folder: The base's folder, for its weights before rounding.
    """
    from peft import replace_lora_weights_loftq  # noqa: PLC0415

    replace_lora_weights_loftq(model, str(folder))
    for layer in lora_layers(model):
        layer.lora_B[ADAPTER].weight.data /= layer.scaling[ADAPTER]  # peft leaves out that the layer multiplies by it
