"""The autograd pieces of a layer. Each saves the outputs of its matrix products and computes everything cheap again.

Their gradients go to the LoRA parameters through autograd, so that whatever listens there (DDP) sees them.
"""

from __future__ import annotations

from typing import Any

import torch

from studio.models import half
from studio.training.fused import kernels
from studio.training.fused.group import Group

LOGITS_AT_ONCE = 2**23  # numbers; positions whose logits are made together times the vocabulary


class NormLinear(torch.autograd.Function):
    """group(rms_norm(hidden)). Arguments: hidden, group, norm weight, eps, *group.parameters."""

    @staticmethod
    def forward(ctx: Any, hidden: torch.Tensor, group: Group, weight: torch.Tensor, eps: float, *_: torch.Tensor) -> torch.Tensor:
        inputs, scale = kernels.rms_norm(hidden, weight, eps)
        result, inner = group.forward(inputs)
        ctx.save_for_backward(hidden, scale, inner)
        ctx.group, ctx.weight = group, weight
        return result

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        hidden, scale, inner = ctx.saved_tensors
        inputs = kernels.rms_norm_again(hidden, ctx.weight, scale)
        back, own = ctx.group.backward(grad, inputs, inner, to_inputs=ctx.needs_input_grad[0])
        if back is not None:
            back = kernels.rms_norm_backward(back, hidden, ctx.weight, scale)
        return back, None, None, None, *own


class Linear(torch.autograd.Function):
    """group(inputs). Arguments: inputs, group, *group.parameters."""

    @staticmethod
    def forward(ctx: Any, inputs: torch.Tensor, group: Group, *_: torch.Tensor) -> torch.Tensor:
        result, inner = group.forward(inputs)
        ctx.save_for_backward(inputs, inner)
        ctx.group = group
        return result

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        inputs, inner = ctx.saved_tensors
        back, own = ctx.group.backward(grad, inputs, inner, to_inputs=ctx.needs_input_grad[0])
        return back, None, *own


class GatedMLP(torch.autograd.Function):
    """down(gate(gate_up(rms_norm(hidden)))). Arguments: hidden, layer pieces, *gate_up.parameters, *down.parameters.

    With `lean` the widest product is computed again in the backward pass instead of kept.
    """

    @staticmethod
    def forward(  # noqa: PLR0913 - autograd passes them by place
        ctx: Any,
        hidden: torch.Tensor,
        wide: Group,
        narrow: Group,
        weight: torch.Tensor,
        eps: float,
        activation: str,
        lean: bool,
        *_: torch.Tensor,
    ) -> torch.Tensor:
        inputs, scale = kernels.rms_norm(hidden, weight, eps)
        gate_up, wide_inner = wide.forward(inputs)
        result, narrow_inner = narrow.forward(kernels.GATES[activation][0](gate_up))
        ctx.save_for_backward(hidden, scale, wide_inner, narrow_inner, *([] if lean else [gate_up]))
        ctx.wide, ctx.narrow, ctx.weight, ctx.activation = wide, narrow, weight, activation
        return result

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        hidden, scale, wide_inner, narrow_inner, *kept = ctx.saved_tensors
        gate, gate_backward = kernels.GATES[ctx.activation]
        inputs = kernels.rms_norm_again(hidden, ctx.weight, scale)
        gate_up = kept[0] if kept else ctx.wide.forward(inputs)[0]
        to_gated, narrow_own = ctx.narrow.backward(grad, gate(gate_up), narrow_inner, to_inputs=True)
        to_gate_up = gate_backward(to_gated, gate_up)
        del gate_up, kept, to_gated
        back, wide_own = ctx.wide.backward(to_gate_up, inputs, wide_inner, to_inputs=ctx.needs_input_grad[0])
        if back is not None:
            back = kernels.rms_norm_backward(back, hidden, ctx.weight, scale)
        return back, None, None, None, None, None, None, *wide_own, *narrow_own


class Norm(torch.autograd.Function):
    """rms_norm(hidden), the last one before the head. Arguments: hidden, weight, eps."""

    @staticmethod
    def forward(ctx: Any, hidden: torch.Tensor, weight: torch.Tensor, eps: float) -> torch.Tensor:
        result, scale = kernels.rms_norm(hidden, weight, eps)
        ctx.save_for_backward(hidden, scale)
        ctx.weight = weight
        return result

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        hidden, scale = ctx.saved_tensors
        return kernels.rms_norm_backward(grad, hidden, ctx.weight, scale), None, None


class HeadLoss(torch.autograd.Function):
    """Summed cross-entropy of a frozen head over the learned positions, a few at a time.

    Arguments: hidden [learned, size], head weight [vocabulary, size] as stored, bias or None, targets [learned]. The gradient
    is made in the forward pass, chunk by chunk, so that [positions, vocabulary] never exists.
    """

    @staticmethod
    def forward(
        ctx: Any, hidden: torch.Tensor, head: torch.Tensor, bias: torch.Tensor | None, targets: torch.Tensor
    ) -> torch.Tensor:
        needed = ctx.needs_input_grad[0]
        back = torch.empty_like(hidden) if needed else None
        total = torch.zeros((), dtype=torch.float32, device=hidden.device)
        chunk = max(16, LOGITS_AT_ONCE // len(head))
        for start in range(0, len(hidden), chunk):
            part = slice(start, start + chunk)
            logits = half.wide_linear(hidden[part], head, bias)
            loss, logs = kernels.cross_entropy(logits, targets[part])
            total += loss
            if needed:
                grad = kernels.cross_entropy_backward(logs, targets[part]).to(hidden.dtype)
                half.wide_linear_backward(grad, head, back[part])
        if needed:
            ctx.save_for_backward(back)
        return total

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        (back,) = ctx.saved_tensors
        return (back * grad).to(back.dtype), None, None, None
