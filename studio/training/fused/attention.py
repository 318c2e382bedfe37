"""Causal attention over a pack: each row sees itself and the shared opening, nothing else."""

from __future__ import annotations

from typing import Any

import torch
from torch.nn import functional

from studio.training.fused import flash, kernels
from studio.training.fused.heads import Heads
from studio.training.packs import AttentionGroup, Pack

# tokens; on shorter rows plain batched products beat the library's flash form, whose CPU backward is slow with a mask
LONGEST_PLAIN = 256


class Attention(torch.autograd.Function):
    """Heads attended and joined again: [tokens, query * size] from qkv [tokens, (query + 2 key) * size].

    Arguments: qkv, heads, pack, cos, sin (both [tokens, 1, turned]), whether in one call of flash attention. Saves qkv alone.
    """

    @staticmethod
    def forward(
        ctx: Any, qkv: torch.Tensor, heads: Heads, pack: Pack, cos: torch.Tensor, sin: torch.Tensor, at_once: bool
    ) -> torch.Tensor:
        turned, value, _ = _prepare(qkv, heads, cos, sin)
        ctx.save_for_backward(qkv, cos, sin)
        ctx.heads, ctx.pack, ctx.at_once = heads, pack, at_once
        if at_once:
            return flash.attend(turned, value, heads, pack.sequences)
        return _attend(turned, value, heads, pack)

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        qkv, cos, sin = ctx.saved_tensors
        heads = ctx.heads
        turned, value, norms = _prepare(qkv, heads, cos, sin)
        if ctx.at_once:
            to_turned, to_value = flash.attend_backward(grad, turned, value, heads, ctx.pack.sequences)
        else:
            to_turned, to_value = _attend_backward(grad, turned, value, heads, ctx.pack)
        joint = heads.query + heads.key
        back = torch.empty_like(qkv)
        to_heads = kernels.rotate(to_turned, cos, -sin)
        if norms:
            raw = qkv[:, : joint * heads.size].view(len(qkv), joint, heads.size)
            to_heads = _norm_backward(to_heads, raw, heads, norms)
        back[:, : joint * heads.size] = to_heads.flatten(1)
        back[:, joint * heads.size :] = to_value.flatten(1)
        return back, None, None, None, None, None


def _prepare(
    qkv: torch.Tensor, heads: Heads, cos: torch.Tensor, sin: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, list[torch.Tensor]]:
    """Turned queries and keys [tokens, query + key, size], values [tokens, key, size], and what the q/k norms divided by."""
    joint = heads.query + heads.key
    raw = qkv[:, : joint * heads.size].view(len(qkv), joint, heads.size)
    norms: list[torch.Tensor] = []
    if heads.query_norm and heads.key_norm:
        query, query_scale = kernels.rms_norm(raw[:, : heads.query], *heads.query_norm)
        key, key_scale = kernels.rms_norm(raw[:, heads.query :], *heads.key_norm)
        raw, norms = torch.cat([query, key], 1), [query_scale, key_scale]
    return kernels.rotate(raw, cos, sin), qkv[:, joint * heads.size :].view(len(qkv), heads.key, heads.size), norms


def _norm_backward(grad: torch.Tensor, raw: torch.Tensor, heads: Heads, norms: list[torch.Tensor]) -> torch.Tensor:
    cut = heads.query
    query = kernels.rms_norm_backward(grad[:, :cut], raw[:, :cut], heads.query_norm[0], norms[0])
    key = kernels.rms_norm_backward(grad[:, cut:], raw[:, cut:], heads.key_norm[0], norms[1])
    return torch.cat([query, key], 1)


def _attend(turned: torch.Tensor, value: torch.Tensor, heads: Heads, pack: Pack) -> torch.Tensor:
    """[tokens, query * size], group by group."""
    result = turned.new_empty(len(turned), heads.query * heads.size)
    for group in pack.groups:
        query, key, content = _blocks(turned, value, heads, group)
        if group.longest > LONGEST_PLAIN:
            block = _long(query, key, content, heads, group)
        else:
            block = torch.bmm(_chances(query, key, heads, group), content)
        result[group.start : group.start + group.count] = _real(_rows(block, heads, group), group)
    return result


def _attend_backward(
    grad: torch.Tensor, turned: torch.Tensor, value: torch.Tensor, heads: Heads, pack: Pack
) -> tuple[torch.Tensor, torch.Tensor]:
    """Gradients of `turned` and `value`."""
    to_turned, to_value = torch.empty_like(turned), torch.empty_like(value, memory_format=torch.contiguous_format)
    shared: torch.Tensor | None = None
    for group in pack.groups:
        query, key, content = _blocks(turned, value, heads, group)
        outer = grad[group.start : group.start + group.count]
        if group.select is not None:
            outer = grad.new_zeros(group.rows * group.longest, outer.shape[1]).index_copy_(0, group.select, outer)
        outer = _as_queries(outer, heads, group)
        if group.longest > LONGEST_PLAIN:
            to_query, to_key, to_content = _long_backward(outer, query, key, content, heads, group)
        else:
            to_query, to_key, to_content = _plain_backward(outer, query, key, content, heads, group)
        sizes = (group.rows, heads.key, group.prefix + group.longest, heads.size)
        to_key, to_content = (item.view(sizes).transpose(1, 2) for item in (to_key, to_content))
        if group.prefix:
            seen = torch.stack([item[:, : group.prefix].float().sum(0) for item in (to_key, to_content)])
            shared = seen if shared is None else shared.add_(seen)
        place = slice(group.start, group.start + group.count)
        to_turned[place, : heads.query] = _real(_rows(to_query, heads, group), group).view(-1, heads.query, heads.size)
        to_turned[place, heads.query :] = _real(to_key[:, group.prefix :].flatten(0, 1), group)
        to_value[place] = _real(to_content[:, group.prefix :].flatten(0, 1), group)
    if shared is not None:
        prefix = shared.shape[1]
        to_turned[:prefix, heads.query :] += shared[0].to(grad.dtype)
        to_value[:prefix] += shared[1].to(grad.dtype)
    return to_turned, to_value


def _blocks(
    turned: torch.Tensor, value: torch.Tensor, heads: Heads, group: AttentionGroup
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """A group's queries [rows * key, per key * longest, size], keys and values [rows * key, prefix + longest, size]."""
    mine = turned.index_select(0, group.gather)
    query = _as_queries(mine[:, : heads.query].flatten(1), heads, group)
    shape = (group.rows, group.longest, heads.key, heads.size)
    key, content = mine[:, heads.query :].view(shape), value.index_select(0, group.gather).view(shape)
    if group.prefix:
        opening = (turned[: group.prefix, heads.query :], value[: group.prefix])
        key, content = (
            torch.cat([first.expand(group.rows, -1, -1, -1), rest], 1)
            for first, rest in zip(opening, (key, content), strict=True)
        )
    return query, *(item.transpose(1, 2).flatten(0, 1) for item in (key, content))


def _as_queries(rows: torch.Tensor, heads: Heads, group: AttentionGroup) -> torch.Tensor:
    """[rows * longest, query * size] as [rows * key, per key * longest, size]: heads that share a key lie together."""
    shape = (group.rows, group.longest, heads.key, heads.query // heads.key, heads.size)
    return rows.reshape(shape).permute(0, 2, 3, 1, 4).reshape(group.rows * heads.key, -1, heads.size)


def _rows(block: torch.Tensor, heads: Heads, group: AttentionGroup) -> torch.Tensor:
    """The way back: [rows * longest, query * size]."""
    shape = (group.rows, heads.key, heads.query // heads.key, group.longest, heads.size)
    return block.view(shape).permute(0, 3, 1, 2, 4).reshape(group.rows * group.longest, -1)


def _real(block: torch.Tensor, group: AttentionGroup) -> torch.Tensor:
    return block if group.select is None else block.index_select(0, group.select)


def _chances(query: torch.Tensor, key: torch.Tensor, heads: Heads, group: AttentionGroup) -> torch.Tensor:
    """Attention weights [rows * key, per key * longest, prefix + longest]."""
    scores = torch.bmm(query, key.transpose(1, 2)).mul_(heads.scaling)
    shaped = scores.view(group.rows * heads.key, -1, group.longest, group.prefix + group.longest)
    shaped.masked_fill_(group.hidden, float("-inf"))
    return torch.softmax(scores, -1, dtype=torch.float32).to(query.dtype)


def _plain_backward(
    grad: torch.Tensor, query: torch.Tensor, key: torch.Tensor, content: torch.Tensor, heads: Heads, group: AttentionGroup
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Gradients of query, key and content; the weights are computed again, which is cheaper than keeping them."""
    chances = _chances(query, key, heads, group)
    to_content = torch.bmm(chances.transpose(1, 2), grad)
    to_chances = torch.bmm(grad, content.transpose(1, 2))
    to_scores = torch.ops.aten._softmax_backward_data(to_chances.float(), chances.float(), -1, torch.float32)
    to_scores = to_scores.mul_(heads.scaling).to(query.dtype)
    return torch.bmm(to_scores, key), torch.bmm(to_scores.transpose(1, 2), query), to_content


def _long(query: torch.Tensor, key: torch.Tensor, content: torch.Tensor, heads: Heads, group: AttentionGroup) -> torch.Tensor:
    """Long rows, without ever holding all weights: PyTorch's own attention, which picks the device's best form."""
    shape = (group.rows, heads.key, heads.query // heads.key, group.longest, heads.size)
    query = query.view(shape).flatten(1, 2)
    key, content = (item.view(group.rows, heads.key, -1, heads.size).repeat_interleave(shape[2], 1) for item in (key, content))
    mask = None if not group.prefix else ~group.hidden
    result = functional.scaled_dot_product_attention(
        query, key, content, attn_mask=mask, is_causal=mask is None, scale=heads.scaling
    )
    return result.reshape(group.rows * heads.key, -1, heads.size)


def _long_backward(
    grad: torch.Tensor, query: torch.Tensor, key: torch.Tensor, content: torch.Tensor, heads: Heads, group: AttentionGroup
) -> tuple[torch.Tensor, ...]:
    with torch.enable_grad():
        leaves = [item.detach().requires_grad_() for item in (query, key, content)]
        result = _long(*leaves, heads, group)
        return torch.autograd.grad(result, leaves, grad)
