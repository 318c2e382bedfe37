"""The shapes of an attention layer."""

from __future__ import annotations

from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Heads:
    """Shapes of an attention layer, and its q/k norms (weight, eps) where the family has them."""

    query: int
    key: int
    size: int
    scaling: float
    query_norm: tuple[torch.Tensor, float] | None = None
    key_norm: tuple[torch.Tensor, float] | None = None
