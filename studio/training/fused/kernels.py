"""Small elementwise pieces with their gradients, each in as few passes over memory as plain PyTorch allows.

Shapes are [..., features]; sums and roots are taken in float32, results come back in the input's format.
"""

from __future__ import annotations

import torch
from torch.nn import functional

aten = torch.ops.aten
ROWS_AT_ONCE = 1024  # of a weight, in `wide_linear`


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


def wide_linear(inputs: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
    """inputs @ weight.T + bias for a weight with very many rows, on a CPU `ROWS_AT_ONCE` of them at a time.

    In one product its library writes rows of the result that are far apart: 160 x 576 by 49,152 came to 83 to 91 GFLOP/s
    here, in pieces to 118 to 131 (2 cores, AVX2, float32). A weight in 16 bit is converted to the inputs' format on the way.
    """
    if inputs.is_cuda:
        return functional.linear(inputs, weight, bias)
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


def cross_entropy(logits: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """(summed loss in nats, log-probabilities in float32) for logits [positions, vocabulary] and targets [positions]."""
    logs = torch.log_softmax(logits, -1, dtype=torch.float32)
    return -logs.gather(1, targets[:, None]).sum(), logs


def cross_entropy_backward(logs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Gradient with respect to the logits, in the place of the log-probabilities."""
    places = targets[:, None]
    return logs.exp_().scatter_add_(1, places, logs.new_full(places.shape, -1.0))
