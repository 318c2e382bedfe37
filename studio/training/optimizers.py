"""The optimizers a run can use, by the name of the setting."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch


def make_optimizer(
    name: str, parameters: Sequence[torch.nn.Parameter], rate: float, weight_decay: float
) -> torch.optim.Optimizer:
    """AdamW (arXiv:1711.05101) over `parameters`.

    The 8-bit forms (arXiv:2110.02861) keep its two moments in 8 bit, in blocks of 256 numbers; weights with fewer than 4,096
    numbers keep them in 32. The paged form may move them to main memory while a graphics card is full.

    Args:
        name: "adamw", "adamw_8bit" or "paged_adamw_8bit".
    """
    # the schedule asks for the first rate where it does not begin at its start
    group: dict[str, Any] = {"params": list(parameters), "initial_lr": rate}
    if name == "adamw":
        return torch.optim.AdamW([group], lr=rate, weight_decay=weight_decay, fused=True)
    from bitsandbytes import optim  # noqa: PLC0415 - with the 4-bit layers it is loaded anyway, otherwise not

    kind = {"adamw_8bit": optim.AdamW8bit, "paged_adamw_8bit": optim.PagedAdamW8bit}[name]
    return kind([group], lr=rate, weight_decay=weight_decay)
