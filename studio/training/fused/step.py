"""The fused step, and the choice between it and the padded one."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import torch

from studio.data.encode import READ_ONLY, Encoded
from studio.training.faults import is_out_of_memory
from studio.training.fused import flash
from studio.training.fused.layers import Decoder, NotFusable, read_decoder
from studio.training.packs import Pack, make_pack
from studio.training.plan import by_tokens
from studio.training.step import PLAIN, Extras, PaddedStep

# How far the two steps may differ on the trial rows, relative to the padded one: (loss, gradient). The starter in
# float32 differs by 6e-7 and 3e-6. In bfloat16 both round, in different places; those bounds are chosen, no real model was tried.
TRIAL_TOLERANCE = {torch.float32: (1e-4, 1e-3), torch.bfloat16: (0.02, 0.2)}
CHECKED_AT_ONCE = 4  # times the tokens of a step, where no layer keeps anything


class FusedStep:
    """Packs of at most `tokens` computed tokens through the fused layers; more where no gradient is asked for."""

    name = "fused"

    def __init__(self, decoder: Decoder, device: Any, *, tokens: int, noise: float = 0.0) -> None:
        self.decoder, self.device, self.tokens, self._noise = decoder, device, tokens, noise

    @property
    def noise(self) -> float:
        """The alpha of `add_noise`: 0 unless the model is learning."""
        return self._noise if self.decoder.embedding.training else 0.0

    def batches(self, rows: Sequence[Encoded]) -> Iterator[Pack]:
        """The rows as packs, made when they are asked for. With noise no opening is shared, since each row has its own."""
        share = not self.noise
        keeps = torch.is_grad_enabled() or self.decoder.recompute  # recomputing, a step holds hardly more than a check
        most = self.tokens if keeps else CHECKED_AT_ONCE * self.tokens
        for part in by_tokens(rows, most, share=share):
            yield make_pack(part, self.device, share=share)

    def loss_sum(self, pack: Pack) -> torch.Tensor:
        """See `Decoder.loss_sum`. Not under autocast: every piece names its format."""
        return self.decoder.loss_sum(pack, noise=self.noise)

    def shrink(self, rows: Sequence[Encoded]) -> bool:
        """Halve the tokens at once until these rows fall into more packs; when every row is alone already, keep less of it.

        False when that is done too.
        """
        share = not self.noise
        before = len(by_tokens(rows, self.tokens, share=share))
        if before == len(rows):
            spared = not self.decoder.lean
            self.decoder = replace(self.decoder, lean=True)
            return spared
        while len(by_tokens(rows, self.tokens, share=share)) == before:
            self.tokens //= 2
        return True


def choose_step(
    model: Any,
    accelerator: Any,
    *,
    longest: int,
    batch: int,
    pad_id: int,
    tokens: int,
    extras: Extras = PLAIN,
) -> tuple[FusedStep | PaddedStep, str]:
    """The fused step where the model has the known shape and both steps agree on a trial, else the padded one; and why.

    Where flash attention runs the fused step is tried with it first.

    Args:
        model: A PeftModel with its adapter.
        longest: Tokens of the longest row.
        batch: Rows at once in the padded step.
        tokens: Tokens at once in the fused step.
    """
    padded = PaddedStep(model, accelerator, batch=batch, pad_id=pad_id, extras=extras)
    try:
        decoder = replace(read_decoder(model, longest), recompute=extras.recompute)
    except NotFusable as reason:
        return padded, f"padded step, since {reason}"
    except AttributeError as missing:
        return padded, f"padded step, since it has no {missing.name}"
    flashing = flash.usable(decoder.layers[0].heads, decoder.dtype, accelerator.device)
    refused = []
    for form in ["flash attention", ""] if flashing else [""]:
        fused = FusedStep(replace(decoder, flash=bool(form)), accelerator.device, tokens=tokens, noise=extras.noise)
        name = f"fused step{form and f' with {form}'}"
        try:
            loss, gradient = _differences(model, padded, fused)
        except (RuntimeError, AttributeError, TypeError, ValueError) as error:
            if is_out_of_memory(error):
                raise
            refused.append(f"the {name} failed on the trial rows: {error}")
            continue
        most_loss, most_gradient = TRIAL_TOLERANCE[decoder.dtype]
        figures = f"they differ by {loss:.1e} in loss and {gradient:.1e} in gradient on the trial rows"
        if loss <= most_loss and gradient <= most_gradient:
            return fused, "; ".join([name, figures, *refused])
        refused.append(f"the {name} is not exact for this model: {figures}")
    return padded, f"padded step, since {'; '.join(refused)}"


def _differences(model: Any, padded: PaddedStep, fused: FusedStep) -> tuple[float, float]:
    """Relative difference of loss and gradient between the two steps, on three short rows of random tokens."""
    source, size = random.Random(0), model.get_base_model().config.vocab_size
    opening = [source.randrange(size) for _ in range(10)]
    rows = []
    for length in (6, 8, 11):
        ids = opening + [source.randrange(size) for _ in range(length)]
        rows.append(Encoded(tuple(ids), (*[READ_ONLY] * 14, *ids[14:])))
    learned = [item for item in model.parameters() if item.requires_grad]
    results = []
    for step in (padded, fused):
        total = sum(step.loss_sum(batch) for batch in step.batches(rows))
        gradients = torch.autograd.grad(total, learned)
        results.append((total.item(), torch.cat([item.flatten() for item in gradients])))
    (first, first_gradient), (second, second_gradient) = results
    return abs(second - first) / abs(first), float((second_gradient - first_gradient).norm() / first_gradient.norm())
