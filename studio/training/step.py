"""The step that works for every model: padded batches through its own forward, loss over the learned tokens only."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn import functional

from studio.data.encode import READ_ONLY, Encoded
from studio.errors import StudioError
from studio.training.noise import add_noise
from studio.training.plan import by_rows, shared_prefix

SHORTEST_PREFIX = 8  # tokens; below this a second forward costs more than it saves


@dataclass(frozen=True)
class Extras:
    """What a step does besides, while learning only.

    `recompute`: layers keep their input alone and are computed again for the gradient (arXiv:1604.06174), which is the same.
    With the starter, 8 rows of 256 tokens and no quantization the fused step's peak fell from 2,904 to 1,658 MB here.

    `noise`: the alpha of `add_noise`; 0 is none. Each row has its own, so that openings are no longer shared.
    """

    recompute: bool = False
    noise: float = 0.0


PLAIN = Extras()


@dataclass(frozen=True)
class Batch:
    """Rows padded on the right. All tensors but `prefix_ids` are [rows, tokens] of what follows the shared prefix.

    `prefix_ids` is [1, prefix]; `keep` holds the positions (columns) at which some row's next token is learned.
    """

    input_ids: torch.Tensor
    attention_mask: torch.Tensor
    labels: torch.Tensor
    prefix_ids: torch.Tensor
    keep: torch.Tensor
    rows: int

    @property
    def computed(self) -> int:
        """Tokens that go through the model, padding included."""
        return self.prefix_ids.numel() + self.input_ids.numel()


def collate(rows: Sequence[Encoded], pad_id: int, device: Any, *, share_prefix: bool) -> Batch:
    """Make a Batch of encoded rows.

    Args:
        pad_id: Any token id; padded places are masked and never learned, even where it equals the end-of-text id.
        share_prefix: Whether the model can continue from a cached prefix (see `can_share_prefix`).
    """
    prefix = shared_prefix(rows) if share_prefix and len(rows) > 1 else 0
    prefix = prefix if prefix >= SHORTEST_PREFIX else 0
    longest = max(len(row.input_ids) for row in rows) - prefix
    ids = torch.full((len(rows), longest), pad_id, dtype=torch.long)
    labels = torch.full((len(rows), longest), READ_ONLY, dtype=torch.long)
    mask = torch.zeros((len(rows), prefix + longest), dtype=torch.long)
    for index, row in enumerate(rows):
        size = len(row.input_ids) - prefix
        ids[index, :size] = torch.tensor(row.input_ids[prefix:])
        labels[index, :size] = torch.tensor(row.labels[prefix:])
        mask[index, : prefix + size] = 1
    keep = (labels[:, 1:] != READ_ONLY).any(0).nonzero().flatten()
    return Batch(
        input_ids=ids.to(device),
        attention_mask=mask.to(device),
        labels=labels.to(device),
        prefix_ids=torch.tensor([rows[0].input_ids[:prefix]], dtype=torch.long, device=device),
        keep=keep.to(device),
        rows=len(rows),
    )


class PaddedStep:
    """Batches of at most `batch` rows, the opening they share computed once where that is exact (see `can_share_prefix`)."""

    name = "padded"

    def __init__(self, model: Any, accelerator: Any, *, batch: int, pad_id: int, extras: Extras = PLAIN) -> None:
        self.model, self.accelerator, self.batch, self.pad_id = model, accelerator, batch, pad_id
        self.extras, self.can_share = extras, can_share_prefix(model)
        if extras.recompute:
            _recompute(model)

    @property
    def share_prefix(self) -> bool:
        """Whether the opening is computed once: while learning, not beside noise or recomputing, which knows no cache."""
        return self.can_share and not (self.model.training and (self.extras.noise or self.extras.recompute))

    def batches(self, rows: Sequence[Encoded]) -> Iterator[Batch]:
        """The rows as batches, made when they are asked for."""
        for part in by_rows(rows, self.batch):
            yield collate(part, self.pad_id, self.accelerator.device, share_prefix=self.share_prefix)

    def loss_sum(self, batch: Batch) -> torch.Tensor:
        """See `loss_sum`; under the run's mixed precision."""
        with self.accelerator.autocast():
            return loss_sum(self.model, batch, noise=self.extras.noise if self.model.training else 0.0)

    def shrink(self, rows: Sequence[Encoded]) -> bool:
        """Halve the rows at once. False when it was one."""
        smaller = min(self.batch, len(rows)) // 2
        self.batch = max(1, smaller)
        return smaller > 0


def _recompute(model: Any) -> None:
    """Switch on transformers' own form, which acts in training mode only. Raises StudioError where the model has none."""
    if not model.supports_gradient_checkpointing:
        raise StudioError(
            "Training did not start.",
            "This model cannot compute again what it does not remember.",
            "Switch “Compute again instead of remembering” off.",
        )
    model.activation_checkpointing_enable(activation_checkpointing_kwargs={"use_reentrant": False})


def can_share_prefix(model: Any) -> bool:
    """Whether continuing from a cached prefix is exact: plain full attention in every layer, and no dropout."""
    config = model.config.get_text_config() if hasattr(model.config, "get_text_config") else model.config
    kinds = getattr(config, "layer_types", None)
    full = all(kind == "full_attention" for kind in kinds) if kinds else not getattr(config, "sliding_window", None)
    dropout = any(isinstance(module, torch.nn.Dropout) and module.p > 0 for module in model.modules())
    return full and not dropout and config.model_type in PREFIX_TESTED


PREFIX_TESTED = frozenset({"llama", "qwen2", "qwen3"})  # gradients compared with the plain form in the tests


def loss_sum(model: Any, batch: Batch, *, noise: float = 0.0) -> torch.Tensor:
    """Summed negative log-likelihood of the batch's learned tokens, in nats: a float32 scalar with a gradient.

    Only positions with something to learn go through the model's head, so that [rows, tokens, vocabulary] is never made.

    Args:
        noise: The alpha of `add_noise`; above 0 the batch must share no opening.
    """
    extra: dict[str, Any] = {"input_ids": batch.input_ids}
    if noise:
        embedded = model.get_input_embeddings()(batch.input_ids)
        extra = {"inputs_embeds": add_noise(embedded, batch.attention_mask.sum(1, keepdim=True), noise)}
    prefix = batch.prefix_ids.shape[1]
    if prefix:
        cache = model(input_ids=batch.prefix_ids, use_cache=True, logits_to_keep=1).past_key_values
        cache.batch_repeat_interleave(len(batch.input_ids))
        extra["past_key_values"] = cache
        positions = torch.arange(prefix, prefix + batch.input_ids.shape[1], device=batch.input_ids.device)
        extra["position_ids"] = positions.expand(len(batch.input_ids), -1)
    targets = batch.labels[:, batch.keep + 1]
    narrow = _keeps_positions(model)
    if narrow:
        extra["logits_to_keep"] = batch.keep
    logits = model(attention_mask=batch.attention_mask, use_cache=bool(prefix), **extra).logits
    if not narrow:
        logits = logits[:, batch.keep]
    learned = targets != READ_ONLY
    return functional.cross_entropy(logits[learned].float(), targets[learned], reduction="sum")


def _keeps_positions(model: Any) -> bool:
    base = model.get_base_model() if hasattr(model, "get_base_model") else model
    return "logits_to_keep" in inspect.signature(base.forward).parameters
