"""Attention over a whole pack in one kernel, for GPUs: PyTorch's FlexAttention with the pack's own mask.

It makes no scores outside the kernel and skips blocks nobody looks at (arXiv:2412.05496). It has no backward on a CPU, where
`attention.py` works through groups of rows instead. Never run on a GPU by its authors: before every run the whole step is
compared with the padded one, and where this form fails or differs the groups are taken.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch

from studio.training.packs import Pack

if TYPE_CHECKING:
    from studio.training.fused.attention import Heads


def usable(device: Any) -> bool:
    """Whether PyTorch can compile the kernel for this device: a GPU, with Triton installed."""
    from torch.utils._triton import has_triton  # noqa: PLC0415

    return torch.device(device).type == "cuda" and has_triton()


def sees(pack: Pack) -> Callable[..., torch.Tensor]:
    """Which token may look at which, as FlexAttention asks it: its own row and the shared opening, never ahead."""
    owners, prefix = pack.owners, pack.prefix

    def may(_batch: Any, _head: Any, query: torch.Tensor, key: torch.Tensor) -> torch.Tensor:
        return ((owners[query] == owners[key]) | (key < prefix)) & (key <= query)

    return may


def block_mask(pack: Pack) -> Any:
    """The mask of a pack, made once for all layers."""
    from torch.nn.attention.flex_attention import create_block_mask  # noqa: PLC0415

    count = pack.computed
    return create_block_mask(sees(pack), None, None, count, count, device=pack.input_ids.device)


@functools.cache
def _kernel(kind: str) -> Callable[..., torch.Tensor]:
    from torch.nn.attention.flex_attention import flex_attention  # noqa: PLC0415

    return torch.compile(flex_attention, dynamic=True) if kind == "cuda" else flex_attention


def attend(turned: torch.Tensor, value: torch.Tensor, heads: Heads, mask: Any) -> torch.Tensor:
    """[tokens, query * size] from turned queries and keys [tokens, query + key, size] and values [tokens, key, size]."""
    query, key = turned[:, : heads.query], turned[:, heads.query :]
    query, key, content = (item.transpose(0, 1).unsqueeze(0) for item in (query, key, value))
    grouped = heads.query != heads.key
    result = _kernel(turned.device.type)(query, key, content, block_mask=mask, scale=heads.scaling, enable_gqa=grouped)
    return result[0].transpose(0, 1).flatten(1)


def attend_backward(
    grad: torch.Tensor, turned: torch.Tensor, value: torch.Tensor, heads: Heads, mask: Any
) -> tuple[torch.Tensor, ...]:
    """Gradients of `turned` and `value`; the forward is done again, which is cheaper than keeping what it needs."""
    with torch.enable_grad():
        leaves = [item.detach().requires_grad_() for item in (turned, value)]
        return torch.autograd.grad(attend(*leaves, heads, mask), leaves, grad)
