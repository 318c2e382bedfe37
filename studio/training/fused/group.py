"""Frozen linear layers that read the same input, and their LoRA pairs, as one matrix."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch.nn import functional

ADAPTER = "default"


class Group:
    """Several layers y_i = W_i x + scaling_i B_i A_i x + bias_i over one input, computed as two products.

    `combined` [N, K + R] stacks the W_i (N rows in all, K inputs) and carries scaling_i * B_i block by block in R more
    columns; with u = A x (all A_i stacked, R rows) it is y = combined [x, u]. The LoRA weights stay ordinary float32
    parameters of the PEFT modules; `refresh` copies them into the compute format after each update.

    A layer in 4 bit is unpacked into a buffer at each use (buffers are shared by all groups of a shape); a plain one is
    moved into `combined` once, and its module keeps a view of it.
    """

    def __init__(
        self, layers: Sequence[torch.nn.Module], dtype: torch.dtype, buffers: dict[tuple[int, int], torch.Tensor]
    ) -> None:
        bases = [getattr(layer, "base_layer", layer) for layer in layers]
        self.sizes = [base.out_features for base in bases]
        self.inputs = bases[0].in_features
        self.dtype, self.buffers = dtype, buffers
        self.bias = _bias(bases, self.sizes, dtype)
        self.pairs: list[tuple[int, torch.nn.Parameter, torch.nn.Parameter, float]] = []
        for index, layer in enumerate(layers):
            if ADAPTER in getattr(layer, "lora_A", {}):
                first, second = layer.lora_A[ADAPTER].weight, layer.lora_B[ADAPTER].weight
                self.pairs.append((index, first, second, float(layer.scaling[ADAPTER])))
        self.rank = sum(first.shape[0] for _, first, _, _ in self.pairs)
        device = bases[0].weight.device
        self.down = torch.empty(self.rank, self.inputs, dtype=dtype, device=device)
        packed = hasattr(bases[0].weight, "quant_state")
        self.packed = [(base.weight.data, plain_scales(base.weight.quant_state)) for base in bases] if packed else []
        shape = (sum(self.sizes), self.inputs + self.rank)
        if self.packed:
            self.tail = torch.zeros(shape[0], self.rank, dtype=dtype, device=device)
        else:
            self.plain = torch.zeros(shape, dtype=dtype, device=device)
            self.tail = self.plain[:, self.inputs :]
            for base, rows in zip(bases, self.plain.split(self.sizes), strict=True):
                rows[:, : self.inputs] = base.weight.data
                base.weight.data = rows[:, : self.inputs]

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
        """Where each layer's rows begin in `combined`; one more at the end."""
        starts = [0]
        for size in self.sizes:
            starts.append(starts[-1] + size)
        return starts

    def combined(self) -> torch.Tensor:
        """[N, K + R]. For 4-bit layers it is valid only until any other group of the same shape asks."""
        if not self.packed:
            return self.plain
        from bitsandbytes.functional import dequantize_4bit  # noqa: PLC0415

        shape = (sum(self.sizes), self.inputs + self.rank)
        if shape not in self.buffers:
            self.buffers[shape] = torch.empty(shape, dtype=self.dtype, device=self.down.device)
        whole = self.buffers[shape]
        for (weight, state), rows in zip(self.packed, whole.split(self.sizes), strict=True):
            rows[:, : self.inputs] = dequantize_4bit(weight, state)
        whole[:, self.inputs :] = self.tail
        return whole

    def forward(self, inputs: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """(y [tokens, N], u [tokens, R]) of inputs [tokens, K]."""
        inner = functional.linear(inputs, self.down)
        both = torch.cat([inputs, inner], 1) if self.rank else inputs
        return functional.linear(both, self.combined(), self.bias), inner

    def backward(
        self, grad: torch.Tensor, inputs: torch.Tensor, inner: torch.Tensor, *, to_inputs: bool
    ) -> tuple[torch.Tensor | None, list[torch.Tensor]]:
        """Gradient with respect to the inputs (None unless asked for) and to `parameters`.

        Args:
            grad: [tokens, N].
            inputs, inner: What `forward` took and the u it returned.
        """
        if to_inputs:
            back = grad @ self.combined()
            to_inner = back[:, self.inputs :]
        else:
            to_inner = grad @ self.tail
        first_grad = (to_inner.T @ inputs).float() if self.rank else to_inner
        result, column, starts = [], 0, self.starts
        for index, first, _, scaling in self.pairs:
            columns = slice(column, column + first.shape[0])
            rows = slice(starts[index], starts[index + 1])
            result += [first_grad[columns], (grad[:, rows].T @ inner[:, columns]).float().mul_(scaling)]
            column += first.shape[0]
        if not to_inputs:
            return None, result
        return torch.addmm(back[:, : self.inputs], to_inner, self.down) if self.rank else back, result


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
