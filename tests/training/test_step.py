"""The padded step: loss and gradient of a batch, compared with the plainest form that could be written."""

from __future__ import annotations

import pytest
import torch

from studio.training.plan import learned_tokens
from studio.training.step import PREFIX_TESTED, SHORTEST_PREFIX, can_share_prefix, collate, loss_sum
from tests.training.tiny import base_of, far, gradients, plain_loss, rows_of, with_adapter


@pytest.mark.long
@pytest.mark.parametrize("kind", sorted(PREFIX_TESTED))
@pytest.mark.parametrize("prefix", [0, SHORTEST_PREFIX - 2, 15])
@pytest.mark.parametrize("share", [False, True])
def test_loss_and_gradient_equal_the_definition(kind: str, prefix: int, share: bool) -> None:
    model, rows = with_adapter(base_of(kind)), rows_of(5, prefix)
    assert can_share_prefix(model)
    batch = collate(rows, 0, "cpu", share_prefix=share)
    assert batch.prefix_ids.shape[1] == (15 if share and prefix == 15 else 0)
    loss, expected = loss_sum(model, batch), plain_loss(model, rows)
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)
    mine, theirs = gradients(model, loss), gradients(model, expected)
    assert far(mine, theirs) < 1e-5


def test_how_rows_are_grouped_does_not_change_the_gradient() -> None:
    model, rows = with_adapter(base_of("llama")), rows_of(6, 12)
    learned = learned_tokens(rows)
    whole = gradients(model, loss_sum(model, collate(rows, 0, "cpu", share_prefix=True)) / learned)
    parts = [rows[:1], rows[1:3], rows[3:]]
    split = gradients(model, sum(loss_sum(model, collate(part, 0, "cpu", share_prefix=True)) / learned for part in parts))
    assert far(split, whole) < 1e-5


def test_padding_that_equals_the_end_token_changes_nothing() -> None:
    model, rows = with_adapter(base_of("llama")), rows_of(4, 0)
    losses = [loss_sum(model, collate(rows, pad, "cpu", share_prefix=False)).item() for pad in (0, rows[0].input_ids[-1])]
    assert losses[0] == pytest.approx(losses[1], rel=1e-6)


@pytest.mark.parametrize("change", [{"sliding_window": 8, "use_sliding_window": True, "max_window_layers": 0}])
def test_windows_and_dropout_keep_the_plain_form(change: dict[str, object]) -> None:
    assert not can_share_prefix(base_of("qwen2", **change))
    model = with_adapter(base_of("llama"))
    model.lora_dropout = torch.nn.Dropout(0.1)
    assert not can_share_prefix(model)
