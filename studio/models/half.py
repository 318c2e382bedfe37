"""Base weights that stay in the 16 bit they are stored in, for computers that compute in float32.

A CPU without 16-bit instructions multiplies float32 several times as fast. Both 16-bit formats convert to it without rounding,
so that the weights are held as stored and converted layer by layer at each use: half the memory, the very same products.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional

ROWS_AT_ONCE = 1024  # of a weight, in `wide_linear`


class HalfLinear(nn.Linear):
    """A frozen linear layer whose `weight` [outputs, inputs] holds the bits of 16-bit numbers, as int16.

    As integers no `.to(dtype)` touches them, and peft leaves the format of an adapter beside them alone, as with 4-bit layers.
    """

    def __init__(self, layer: nn.Linear, bits: nn.Parameter, stored: torch.dtype, compute: torch.dtype) -> None:
        super().__init__(layer.in_features, layer.out_features, bias=False, device="meta")
        self.weight, self.bias, self.stored, self.compute_dtype = bits, layer.bias, stored, compute

    @property
    def stored_weight(self) -> torch.Tensor:
        """The weight in the format it is stored in."""
        return self.weight.data.view(self.stored)

    def unpacked(self) -> torch.Tensor:
        """The weight in the compute format, which nothing keeps."""
        return self.stored_weight.to(self.compute_dtype)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """inputs @ weight.T + bias."""
        result = _Product.apply(inputs, self)
        return result if self.bias is None else result + self.bias


class HalfEmbedding(nn.Embedding):
    """A frozen embedding that holds its weight as `HalfLinear` does."""

    def __init__(self, layer: nn.Embedding, bits: nn.Parameter, stored: torch.dtype, compute: torch.dtype) -> None:
        super().__init__(layer.num_embeddings, layer.embedding_dim, layer.padding_idx, device="meta")
        self.weight, self.stored, self.compute_dtype = bits, stored, compute

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        """The rows of `ids` in the compute format."""
        return functional.embedding(ids, self.weight).view(self.stored).to(self.compute_dtype)


class _Product(torch.autograd.Function):
    """inputs @ weight.T of a HalfLinear, whose converted weight is not kept for the gradient. Arguments: inputs, layer."""

    @staticmethod
    def forward(ctx: Any, inputs: torch.Tensor, layer: HalfLinear) -> torch.Tensor:
        ctx.layer = layer
        return wide_linear(inputs.flatten(0, -2), layer.stored_weight).unflatten(0, inputs.shape[:-1])

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor, None]:
        return grad @ ctx.layer.unpacked(), None


def wide_linear(inputs: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None) -> torch.Tensor:
    """inputs [rows, K] @ weight.T + bias for a weight that may have very many rows, on a CPU `ROWS_AT_ONCE` of them at a time.

    In one product its library writes rows of the result that are far apart: 160 x 576 by 49,152 came to 83 to 91 GFLOP/s
    here, in pieces to 118 to 131 (2 cores, AVX2, float32). A weight in 16 bit is converted to the inputs' format on the way.
    """
    if inputs.is_cuda:
        return functional.linear(inputs, weight.to(inputs.dtype), bias)
    result = inputs.new_empty(len(inputs), len(weight))
    for part, rows in zip(result.split(ROWS_AT_ONCE, 1), weight.split(ROWS_AT_ONCE), strict=True):
        torch.mm(inputs, rows.to(inputs.dtype).T, out=part)
    return result if bias is None else result.add_(bias)


def wide_linear_backward(grad: torch.Tensor, weight: torch.Tensor, out: torch.Tensor) -> None:
    """Write grad @ weight, the gradient with respect to `wide_linear`'s inputs, to `out`; a 16-bit weight piece by piece."""
    if weight.dtype == grad.dtype:
        torch.mm(grad, weight, out=out)
        return
    out.zero_()
    for part, rows in zip(grad.split(ROWS_AT_ONCE, 1), weight.split(ROWS_AT_ONCE), strict=True):
        out.addmm_(part, rows.to(grad.dtype))


HALVES = {nn.Linear: HalfLinear, nn.Embedding: HalfEmbedding}


def hold(model: nn.Module, stored: torch.dtype, compute: torch.dtype) -> None:
    """Hold the weights of plain linear layers and embeddings in 16 bit, and all other numbers in the compute format.

    A weight that also belongs to a layer of another kind is held in the compute format.

    Args:
        stored: The 16-bit format in which the files hold every weight, so that nothing is rounded.
        compute: float32.
    """
    owners: dict[int, list[tuple[str, nn.Module, str]]] = {}
    for name, module in model.named_modules():
        for own, item in module.named_parameters(recurse=False):
            owners.setdefault(id(item), []).append((name, module, own))
    for places in owners.values():
        item = getattr(places[0][1], places[0][2])
        if all(own == "weight" and type(module) in HALVES for _, module, own in places):
            bits = nn.Parameter(item.data.to(stored).view(torch.int16), requires_grad=False)
            for name, module, _ in places:
                model.set_submodule(name, HALVES[type(module)](module, bits, stored, compute))
        elif item.is_floating_point():
            item.data = item.data.to(compute)
