"""NEFTune (arXiv:2310.05914): noise on the embedded tokens while learning."""

from __future__ import annotations

import torch


def add_noise(embedded: torch.Tensor, lengths: torch.Tensor, alpha: float) -> torch.Tensor:
    """`embedded` [..., tokens, width] with uniform noise of at most alpha / sqrt(length * width) on each number.

    Args:
        lengths: Tokens of the row that each token belongs to; [..., tokens], or what broadcasts to it.
        alpha: The strength; the paper tried 5, 10 and 15.
    """
    scale = alpha / (lengths * embedded.shape[-1]).float().sqrt()
    noise = torch.rand_like(embedded, dtype=torch.float32).mul_(2).sub_(1).mul_(scale[..., None])
    return embedded + noise.to(embedded.dtype)
