"""Attention over a whole pack in one call, where PyTorch's flash attention for rows of any length runs.

That is T. Dao's FlashAttention-2 (arXiv:2307.08691), in 16 bit on graphics cards. A row's keys are those of the shared opening
and its own, and causal attention is aligned at the ends of queries and keys, so that each of its tokens sees the whole opening.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.backends.cuda import SDPAParams, can_use_flash_attention
from torch.nn.attention.varlen import varlen_attn

from studio.training.fused.heads import Heads
from studio.training.packs import Sequences

CAUSAL = (-1, 0)  # any number of tokens before, none after


def usable(heads: Heads, dtype: torch.dtype, device: Any) -> bool:
    """Whether PyTorch says that its flash attention runs on this device in this format for heads of this shape."""
    query, key = (torch.empty(1, count, 8, heads.size, dtype=dtype, device=device) for count in (heads.query, heads.key))
    gqa = heads.query != heads.key
    return heads.size % 8 == 0 and can_use_flash_attention(SDPAParams(query, key, key, None, 0.0, True, gqa))


def attend(turned: torch.Tensor, value: torch.Tensor, heads: Heads, sequences: Sequences) -> torch.Tensor:
    """[tokens, query * size] from turned queries and keys [tokens, query + key, size] and values [tokens, key, size]."""
    keys, contents = (item.index_select(0, sequences.seen) for item in (turned[:, heads.query :], value))
    result = varlen_attn(
        turned[:, : heads.query],
        keys,
        contents,
        sequences.query_starts,
        sequences.key_starts,
        sequences.longest_query,
        sequences.longest_key,
        scale=heads.scaling,
        window_size=CAUSAL,
        enable_gqa=heads.query != heads.key,
    )
    return result.flatten(1)


def attend_backward(
    grad: torch.Tensor, turned: torch.Tensor, value: torch.Tensor, heads: Heads, sequences: Sequences
) -> tuple[torch.Tensor, ...]:
    """Gradients of `turned` and `value`; the forward pass is made again, which is cheaper than keeping what it needs."""
    with torch.enable_grad():
        leaves = [item.detach().requires_grad_() for item in (turned, value)]
        return torch.autograd.grad(attend(*leaves, heads, sequences), leaves, grad)
