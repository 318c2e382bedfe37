"""Which layers of a model an adapter sits on."""

from __future__ import annotations

from typing import Any

from studio.errors import StudioError


def attention_names(model: Any) -> list[str]:
    """Module-name endings of the attention projections, fused ones included ("self_attn.q_proj", "attn.c_attn")."""
    from torch.nn import Linear  # noqa: PLC0415
    from transformers.pytorch_utils import Conv1D  # noqa: PLC0415

    found = set()
    for name, module in model.named_modules():
        parts = name.split(".")
        if isinstance(module, (Linear, Conv1D)) and any("attn" in part or "attention" in part for part in parts[:-1]):
            found.add(".".join(parts[-2:]))
    if not found:
        raise StudioError(
            "The adapter was not made.", "This model names no attention layers this app can find.", "Choose “All layers”."
        )
    return sorted(found)
