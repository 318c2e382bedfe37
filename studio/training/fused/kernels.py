"""Small elementwise pieces with their gradients, each in as few passes over memory as plain PyTorch allows.

Shapes are [..., features]; sums and roots are taken in float32, results come back in the input's format.
"""

from __future__ import annotations

import torch
from torch.nn import functional

aten = torch.ops.aten


def rms_norm(hidden: torch.Tensor, weight: torch.Tensor, eps: float) -> tuple[torch.Tensor, torch.Tensor]:
    """RMSNorm (arXiv:1910.07467) and the reciprocal root [..., 1] (float32) that its gradient needs."""
    wide = hidden.float()
    scale = torch.rsqrt(wide.square().mean(-1, keepdim=True).add_(eps))
    return weight * (wide * scale).to(hidden.dtype), scale


def rms_norm_again(hidden: torch.Tensor, weight: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
    """The same normalised values, from the saved `scale`."""
    return weight * (hidden.float() * scale).to(hidden.dtype)


def rms_norm_backward(grad: torch.Tensor, hidden: torch.Tensor, weight: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
    """Gradient of the loss with respect to `hidden`."""
    weighted, unit = grad.float() * weight.float(), hidden.float() * scale
    return weighted.sub_(unit * (weighted * unit).mean(-1, keepdim=True)).mul_(scale).to(hidden.dtype)


def silu_gate(gate_up: torch.Tensor) -> torch.Tensor:
    """SwiGLU (arXiv:2002.05202): silu(gate) * up, from [..., 2 * inner] with the gate first."""
    gate, up = gate_up.chunk(2, -1)
    return functional.silu(gate).mul_(up)


def silu_gate_backward(grad: torch.Tensor, gate_up: torch.Tensor) -> torch.Tensor:
    """Gradient with respect to `gate_up`."""
    gate, up = gate_up.chunk(2, -1)
    inner, result = gate.shape[-1], torch.empty_like(gate_up)
    torch.mul(grad, functional.silu(gate), out=result[..., inner:])
    result[..., :inner] = aten.silu_backward(grad * up, gate)
    return result


def gelu_gate(gate_up: torch.Tensor) -> torch.Tensor:
    """GeGLU with the tanh form of GELU, from [..., 2 * inner] with the gate first."""
    gate, up = gate_up.chunk(2, -1)
    return functional.gelu(gate, approximate="tanh").mul_(up)


def gelu_gate_backward(grad: torch.Tensor, gate_up: torch.Tensor) -> torch.Tensor:
    """Gradient with respect to `gate_up`."""
    gate, up = gate_up.chunk(2, -1)
    inner, result = gate.shape[-1], torch.empty_like(gate_up)
    torch.mul(grad, functional.gelu(gate, approximate="tanh"), out=result[..., inner:])
    result[..., :inner] = aten.gelu_backward(grad * up, gate, approximate="tanh")
    return result


GATES = {
    "silu": (silu_gate, silu_gate_backward),
    "swish": (silu_gate, silu_gate_backward),
    "gelu_pytorch_tanh": (gelu_gate, gelu_gate_backward),
}


def rotate(heads: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    """Rotary position (arXiv:2104.09864) in the half-split form. heads [tokens, heads, size]; cos, sin [tokens, 1, turned].

    Only the first `turned` numbers of a head are turned. With -sin it turns back, which is its gradient.
    """
    turned = cos.shape[-1]
    half = turned // 2
    result = torch.empty_like(heads, memory_format=torch.contiguous_format)
    first, second = heads[..., :half], heads[..., half:turned]
    torch.mul(first, cos[..., :half], out=result[..., :half]).addcmul_(second, sin[..., :half], value=-1)
    torch.mul(second, cos[..., half:], out=result[..., half:turned]).addcmul_(first, sin[..., half:])
    if turned < heads.shape[-1]:
        result[..., turned:] = heads[..., turned:]
    return result


def cross_entropy(logits: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """(summed loss in nats, log-probabilities in float32) for logits [positions, vocabulary] and targets [positions]."""
    logs = torch.log_softmax(logits, -1, dtype=torch.float32)
    return -logs.gather(1, targets[:, None]).sum(), logs


def cross_entropy_backward(logs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Gradient with respect to the logits, in the place of the log-probabilities."""
    places = targets[:, None]
    return logs.exp_().scatter_add_(1, places, logs.new_full(places.shape, -1.0))
