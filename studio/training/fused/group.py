"""Frozen linear layers that read the same input, and their LoRA pairs, computed together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from bitsandbytes.functional import dequantize_4bit
from bitsandbytes.nn import Linear4bit
from torch.nn import functional

from studio.models.half import HalfLinear

ADAPTER = "default"


class Group:
    """Several layers y_i = W_i x + scaling_i B_i A_i x + bias_i over one input.

    With u = A x (all A_i stacked, R rows) and `tail` [N, R], the scaling_i * B_i block by block (N outputs in all), it is
    y = W x + tail u + bias. The LoRA weights stay ordinary float32 parameters of the PEFT modules; `refresh` copies them into
    the compute format after each update.

    Each W_i is multiplied by itself, packed ones as soon as they are unpacked. To copy them together first, for one product a
    group, took a tenth of a step more for 4 bit, and for plain weights, copied once, was no quicker either (2 cores, 8 rows of
    40 tokens, float32).
    """

    def __init__(self, layers: Sequence[torch.nn.Module], dtype: torch.dtype) -> None:
        bases = [getattr(layer, "base_layer", layer) for layer in layers]
        self.sizes = [base.out_features for base in bases]
        self.inputs = bases[0].in_features
        self.bias = _bias(bases, self.sizes, dtype)
        self.pairs: list[tuple[int, torch.nn.Parameter, torch.nn.Parameter, float]] = []
        for index, layer in enumerate(layers):
            if ADAPTER in getattr(layer, "lora_A", {}):
                first, second = layer.lora_A[ADAPTER].weight, layer.lora_B[ADAPTER].weight
                self.pairs.append((index, first, second, float(layer.scaling[ADAPTER])))
        self.rank = sum(first.shape[0] for _, first, _, _ in self.pairs)
        about = {"dtype": dtype, "device": bases[0].weight.device}
        self.down = torch.empty(self.rank, self.inputs, **about)
        self.tail = torch.zeros(sum(self.sizes), self.rank, **about)
        self._weights = [_weight(base, dtype) for base in bases]

    @property
    def parameters(self) -> list[torch.nn.Parameter]:
        """A_1, B_1, A_2, B_2, ... in the order in which gradients are returned."""
        return [item for _, first, second, _ in self.pairs for item in (first, second)]

    @torch.no_grad()
    def refresh(self) -> None:
        """Take over the LoRA weights as they are now. (Fused optimizers change them without raising their version.)"""
        column, starts = 0, self.starts
        for index, first, second, scaling in self.pairs:
            rank = first.shape[0]
            self.down[column : column + rank] = first
            self.tail[starts[index] : starts[index + 1], column : column + rank] = second * scaling
            column += rank

    @property
    def starts(self) -> list[int]:
        """Where each layer's outputs begin among the N; one more at the end."""
        starts = [0]
        for size in self.sizes:
            starts.append(starts[-1] + size)
        return starts

    def forward(self, inputs: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """(y [tokens, N], u [tokens, R]) of inputs [tokens, K]."""
        inner = functional.linear(inputs, self.down)
        result = inputs.new_empty(len(inputs), sum(self.sizes))
        for part, weight in zip(result.split(self.sizes, 1), self._weights, strict=True):
            torch.mm(inputs, weight().T, out=part)
        if self.bias is not None:
            result += self.bias
        return result.addmm_(inner, self.tail.T), inner

    def _to_inputs(self, grad: torch.Tensor) -> torch.Tensor:
        """Gradient with respect to the inputs [tokens, K], without u's part."""
        first, *others = zip(grad.split(self.sizes, 1), self._weights, strict=True)
        back = first[0] @ first[1]()
        for part, weight in others:
            back.addmm_(part, weight())
        return back

    def backward(
        self, grad: torch.Tensor, inputs: torch.Tensor, inner: torch.Tensor, *, to_inputs: bool
    ) -> tuple[torch.Tensor | None, list[torch.Tensor]]:
        """Gradient with respect to the inputs (None unless asked for) and to `parameters`.

        Args:
            grad: [tokens, N].
            inputs, inner: What `forward` took and the u it returned.
        """
        back, to_inner = self._to_inputs(grad) if to_inputs else None, grad @ self.tail
        first_grad = (to_inner.T @ inputs).float() if self.rank else to_inner
        result, column, starts = [], 0, self.starts
        for index, first, _, scaling in self.pairs:
            columns = slice(column, column + first.shape[0])
            rows = slice(starts[index], starts[index + 1])
            result += [first_grad[columns], (grad[:, rows].T @ inner[:, columns]).float().mul_(scaling)]
            column += first.shape[0]
        return torch.addmm(back, to_inner, self.down) if to_inputs and self.rank else back, result


def _weight(base: Any, dtype: torch.dtype) -> Callable[[], torch.Tensor]:
    """How to come by a layer's weight [outputs, inputs] in the compute format, at each use."""
    if isinstance(base, Linear4bit):
        packed, state = base.weight.data, plain_scales(base.weight.quant_state)
        return lambda: dequantize_4bit(packed, state).to(dtype)
    if isinstance(base, HalfLinear):
        return base.unpacked
    weight = base.weight.data
    return lambda: weight


def plain_scales(state: Any) -> Any:
    """The quantization state of a 4-bit weight with its scales unpacked: the same numbers, without unpacking them at each use.

    Double quantization (arXiv:2305.14314, section 3) keeps the scales in 8 bit; unpacked they take half a bit more a weight.
    """
    if not state.nested:
        return state
    from bitsandbytes.functional import QuantState, dequantize_blockwise  # noqa: PLC0415

    return QuantState(
        absmax=dequantize_blockwise(state.absmax, state.state2).add_(state.offset).float(),
        shape=state.shape,
        code=state.code,
        blocksize=state.blocksize,
        quant_type=state.quant_type,
        dtype=state.dtype,
    )


def _bias(bases: Sequence[Any], sizes: Sequence[int], dtype: torch.dtype) -> torch.Tensor | None:
    if all(base.bias is None for base in bases):
        return None
    device = bases[0].weight.device
    parts = [
        torch.zeros(size, dtype=dtype, device=device) if base.bias is None else base.bias.detach().to(dtype)
        for base, size in zip(bases, sizes, strict=True)
    ]
    return torch.cat(parts)
