"""Loss and gradient of a batch, compared with the plainest form that could be written."""

from __future__ import annotations

import random

import pytest
import torch
from torch.nn import functional
from transformers import AutoModelForCausalLM, LlamaConfig, Qwen2Config, Qwen3Config

from studio.data.encode import READ_ONLY as IGNORED
from studio.data.encode import Encoded
from studio.training.step import SHORTEST_PREFIX, can_share_prefix, collate, loss_sum, shared_prefix

VOCABULARY = 97
SHAPE = {
    "vocab_size": VOCABULARY,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 128,
    "pad_token_id": 0,
}
CONFIGS = {"llama": LlamaConfig, "qwen2": Qwen2Config, "qwen3": Qwen3Config}


def model_of(kind: str) -> torch.nn.Module:
    torch.manual_seed(0)
    return AutoModelForCausalLM.from_config(CONFIGS[kind](**SHAPE), dtype=torch.float32)


def rows_of(count: int, prefix: int, seed: int = 0) -> list[Encoded]:
    source = random.Random(seed)
    head = [source.randrange(1, VOCABULARY) for _ in range(prefix)]
    made = []
    for index in range(count):
        tail = [(index + 1) % VOCABULARY] + [source.randrange(1, VOCABULARY) for _ in range(source.randrange(4, 20))]
        learned = source.randrange(1, len(tail) - 1)
        labels = [IGNORED] * (prefix + len(tail) - learned) + tail[-learned:]
        made.append(Encoded(input_ids=tuple(head + tail), labels=tuple(labels), source_row=index, cut_turns=0))
    return made


def plain_loss(model: torch.nn.Module, rows: list[Encoded]) -> torch.Tensor:
    """One row at a time, all positions, no padding: the definition."""
    total = torch.zeros(())
    for row in rows:
        logits = model(input_ids=torch.tensor([row.input_ids])).logits[0, :-1].float()
        total = total + functional.cross_entropy(logits, torch.tensor(row.labels[1:]), ignore_index=IGNORED, reduction="sum")
    return total


def gradients(model: torch.nn.Module, loss: torch.Tensor) -> torch.Tensor:
    model.zero_grad()
    loss.backward()
    return torch.cat([item.grad.flatten() for item in model.parameters() if item.grad is not None])


@pytest.mark.parametrize("kind", CONFIGS)
@pytest.mark.parametrize("prefix", [0, SHORTEST_PREFIX - 2, 15])
@pytest.mark.parametrize("share", [False, True])
def test_loss_and_gradient_equal_the_definition(kind: str, prefix: int, share: bool) -> None:
    model, rows = model_of(kind), rows_of(5, prefix)
    assert can_share_prefix(model)
    batch = collate(rows, 0, "cpu", share_prefix=share)
    assert batch.prefix_ids.shape[1] == (15 if share and prefix == 15 else 0)
    loss, expected = loss_sum(model, batch), plain_loss(model, rows)
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)
    mine, theirs = gradients(model, loss), gradients(model, expected)
    assert ((mine - theirs).norm() / theirs.norm()).item() < 1e-5


def test_how_rows_are_grouped_does_not_change_the_gradient() -> None:
    model, rows = model_of("llama"), rows_of(6, 12)
    learned = sum(label != IGNORED for row in rows for label in row.labels)
    whole = gradients(model, loss_sum(model, collate(rows, 0, "cpu", share_prefix=True)) / learned)
    parts = [rows[:1], rows[1:3], rows[3:]]
    split = gradients(model, sum(loss_sum(model, collate(part, 0, "cpu", share_prefix=True)) / learned for part in parts))
    assert ((whole - split).norm() / whole.norm()).item() < 1e-5


def test_tokens_are_counted_without_padding() -> None:
    rows = rows_of(3, 10)
    batch = collate(rows, 0, "cpu", share_prefix=True)
    assert batch.tokens == sum(len(row.input_ids) for row in rows)
    assert batch.learned_tokens == sum(label != IGNORED for row in rows for label in row.labels)


def test_padding_that_equals_the_end_token_changes_nothing() -> None:
    model, rows = model_of("llama"), rows_of(4, 0)
    losses = [loss_sum(model, collate(rows, pad, "cpu", share_prefix=False)).item() for pad in (0, rows[0].input_ids[-1])]
    assert losses[0] == pytest.approx(losses[1], rel=1e-6)


def test_a_prefix_never_reaches_into_what_is_learned() -> None:
    same = [Encoded((5, 6, 7, 8, 9), (IGNORED, IGNORED, 7, 8, 9), 0, 0)] * 2
    assert shared_prefix(same) == 1
    whole = [Encoded((5, 6, 7), (5, 6, 7), 0, 0)] * 2
    assert shared_prefix(whole) == 0


@pytest.mark.parametrize("change", [{"sliding_window": 8, "use_sliding_window": True, "max_window_layers": 0}])
def test_windows_and_dropout_keep_the_plain_form(change: dict[str, object]) -> None:
    windowed = AutoModelForCausalLM.from_config(Qwen2Config(**SHAPE, **change))
    assert not can_share_prefix(windowed)
    model = model_of("llama")
    model.lora_dropout = torch.nn.Dropout(0.1)
    assert not can_share_prefix(model)
