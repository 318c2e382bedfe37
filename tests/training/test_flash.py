"""Flash attention for a whole pack: what it is told, and where it cannot be had. There is no graphics card here."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch.nn.functional import scaled_dot_product_attention

from studio.training.fused import flash
from studio.training.fused.heads import Heads
from studio.training.fused.layers import read_decoder
from studio.training.fused.step import FusedStep
from studio.training.packs import make_pack
from tests.training.test_fused import chosen
from tests.training.tiny import base_of, far, gradients, plain_loss, rows_of, with_adapter


def as_documented(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, query_starts: Any, key_starts: Any, *longest: int, **how: Any
) -> torch.Tensor:
    """What `varlen_attn` says it computes, row by row; causal attention is aligned at the ends."""
    assert how.pop("window_size") == (-1, 0)
    assert longest == (int(query_starts.diff().max()), int(key_starts.diff().max()))
    results = []
    for row in range(len(query_starts) - 1):
        mine, seen = (slice(int(starts[row]), int(starts[row + 1])) for starts in (query_starts, key_starts))
        parts = [item.transpose(0, 1) for item in (query[mine], key[seen], value[seen])]
        count, all_of_them = parts[0].shape[1], parts[1].shape[1]
        mask = torch.ones(count, all_of_them, dtype=torch.bool).tril(all_of_them - count)
        results.append(scaled_dot_product_attention(*parts, attn_mask=mask, **how).transpose(0, 1))
    return torch.cat(results)


@pytest.mark.parametrize("kind", ["llama", "qwen3", "phi3"])
@pytest.mark.parametrize("prefix", [0, 15])
def test_loss_and_gradient_equal_the_definition(kind: str, prefix: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flash, "varlen_attn", as_documented)
    model, rows = with_adapter(base_of(kind)), rows_of(5, prefix)
    expected = plain_loss(model, rows)
    theirs = gradients(model, expected)
    loss = replace(read_decoder(model, 64), flash=True).loss_sum(make_pack(rows))
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)
    assert far(gradients(model, loss), theirs) < 1e-5


def test_the_real_operation_takes_what_it_is_given() -> None:
    heads, sequences = Heads(4, 2, 16, 0.25), make_pack(rows_of(5, 15)).sequences
    on_meta = replace(sequences, **{name: value.to("meta") for name, value in vars(sequences).items() if hasattr(value, "to")})
    tokens = int(sequences.query_starts[-1])
    turned, value, grad = (torch.empty(tokens, count, 16, dtype=torch.bfloat16, device="meta") for count in (6, 2, 4))
    assert flash.attend(turned, value, heads, on_meta).shape == (tokens, 64)
    back = flash.attend_backward(grad.flatten(1), turned, value, heads, on_meta)
    assert [item.shape for item in back] == [turned.shape, value.shape]


def test_it_is_not_for_this_processor() -> None:
    assert not flash.usable(Heads(4, 2, 16, 0.25), torch.bfloat16, "cpu")


def test_where_it_fails_the_fused_step_goes_without_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flash, "usable", lambda *_: True)  # as a card would say whose attention then does not run
    step, said = chosen(with_adapter(base_of("llama")))
    assert isinstance(step, FusedStep) and not step.decoder.flash
    assert (
        said.startswith("fused step; they differ by") and "the fused step with flash attention failed on the trial rows" in said
    )


@pytest.mark.parametrize("wrong", [0.0, 0.05])
def test_where_it_computes_something_else_it_is_not_taken(wrong: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flash, "usable", lambda *_: True)
    monkeypatch.setattr(flash, "varlen_attn", lambda *given, **how: as_documented(*given, **how) * (1 + wrong))
    step, said = chosen(with_adapter(base_of("llama")))
    assert isinstance(step, FusedStep) and step.decoder.flash is not bool(wrong)
    assert ("flash attention is not exact" in said) is bool(wrong)
