"""The fused step: the same loss and gradient as the definition, for every family, split and form; and when it is not taken."""

from __future__ import annotations

import random
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState

from studio.models import half, load
from studio.models.load import load_base, unpack
from studio.training.fused import attention
from studio.training.fused.layers import NotFusable, read_decoder
from studio.training.fused.step import FusedStep, choose_step
from studio.training.packs import SHORTEST_PREFIX, make_pack
from studio.training.plan import by_tokens, learned_tokens
from studio.training.step import PaddedStep
from tests.training.tiny import CONFIGS, base_of, far, gradients, plain_loss, rows_of, with_adapter

every_family = pytest.mark.parametrize("kind", CONFIGS)


def chosen(model: Any, longest: int = 64) -> tuple[Any, str]:
    return choose_step(model, Accelerator(cpu=True), longest=longest, batch=4, pad_id=0, tokens=2048)


@pytest.mark.long
@every_family
@pytest.mark.parametrize("prefix", [0, SHORTEST_PREFIX - 2, 15])
@pytest.mark.parametrize("lean", [False, True])
def test_loss_and_gradient_equal_the_definition(kind: str, prefix: int, lean: bool) -> None:
    model, rows = with_adapter(base_of(kind)), rows_of(5, prefix)
    expected = plain_loss(model, rows)
    theirs = gradients(model, expected)
    decoder = read_decoder(model, 64, lean=lean)
    loss = decoder.loss_sum(make_pack(rows))
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)
    assert far(gradients(model, loss), theirs) < 1e-5


@every_family
def test_every_family_is_fused_by_default(kind: str) -> None:
    step, reason = chosen(with_adapter(base_of(kind)))
    assert isinstance(step, FusedStep), reason


@pytest.mark.parametrize("prefix", [0, 20])
def test_long_rows_take_the_other_form_and_agree(prefix: int, monkeypatch: pytest.MonkeyPatch) -> None:
    model, rows = with_adapter(base_of("llama")), rows_of(5, prefix, longest=60)
    theirs = gradients(model, plain_loss(model, rows))
    decoder = read_decoder(model, 80)
    plain = gradients(model, decoder.loss_sum(make_pack(rows)))
    monkeypatch.setattr(attention, "LONGEST_PLAIN", 4)
    assert far(gradients(model, decoder.loss_sum(make_pack(rows))), theirs) < 1e-5
    assert far(plain, theirs) < 1e-5


@pytest.mark.parametrize("seed", range(12))
def test_no_budget_order_or_split_changes_the_gradient(seed: int) -> None:
    source = random.Random(seed)
    model = with_adapter(base_of(source.choice(list(CONFIGS))))
    rows = rows_of(source.randrange(2, 12), source.choice([0, 9, 30]), seed, longest=source.choice([8, 40]))
    decoder = read_decoder(model, 128)
    whole = gradients(model, decoder.loss_sum(make_pack(rows)) / learned_tokens(rows))
    source.shuffle(rows)
    step = FusedStep(decoder, "cpu", tokens=source.randrange(1, 200))
    parts = sum(step.loss_sum(pack) for pack in step.batches(rows)) / learned_tokens(rows)
    assert far(gradients(model, parts), whole) < 1e-5


def test_without_a_gradient_more_rows_go_together_for_the_same_loss() -> None:
    rows = rows_of(12, 9)
    step = FusedStep(read_decoder(with_adapter(base_of("llama")), 64), "cpu", tokens=40)
    learning = list(step.batches(rows))
    with torch.no_grad():
        checking = list(step.batches(rows))
        assert len(checking) < len(learning)
        assert sum(step.loss_sum(pack).item() for pack in checking) == pytest.approx(
            sum(step.loss_sum(pack).item() for pack in learning), rel=1e-6
        )


@pytest.mark.parametrize("rows", [1, half.ROWS_AT_ONCE, half.ROWS_AT_ONCE + 7])
@pytest.mark.parametrize("biased", [False, True])
def test_a_wide_product_in_pieces_is_the_product(rows: int, biased: bool) -> None:
    inputs, weight, bias = torch.randn(5, 8), torch.randn(rows, 8), torch.randn(rows) if biased else None
    torch.testing.assert_close(half.wide_linear(inputs, weight, bias), torch.nn.functional.linear(inputs, weight, bias))


@pytest.mark.parametrize("budget", [1, 40, 100, 10_000])
def test_packs_hold_every_row_once_and_keep_to_the_budget(budget: int) -> None:
    rows = rows_of(9, 12)
    packs = by_tokens(rows, budget)
    assert sorted(row.source_row for pack in packs for row in pack) == list(range(9))
    for pack in packs:
        assert len(pack) == 1 or len(make_pack(pack).input_ids) <= budget
    assert sum(len(make_pack(pack).targets) for pack in packs) == learned_tokens(rows)


def test_one_row_never_sees_another() -> None:
    model = with_adapter(base_of("llama"))
    decoder, rows = read_decoder(model, 64), rows_of(4, 0)
    with torch.no_grad():
        alone = [decoder.loss_sum(make_pack([row])).item() for row in rows]
        together = decoder.loss_sum(make_pack(rows)).item()
    assert together == pytest.approx(sum(alone), rel=1e-6)


def test_weights_that_change_are_taken_over() -> None:
    model, rows = with_adapter(base_of("llama")), rows_of(3, 0)
    decoder = read_decoder(model, 64)
    decoder.loss_sum(make_pack(rows))
    optimizer = torch.optim.AdamW([item for item in model.parameters() if item.requires_grad], lr=0.05, fused=True)
    for _ in range(2):
        optimizer.zero_grad()
        decoder.loss_sum(make_pack(rows)).backward()
        optimizer.step()
        assert decoder.loss_sum(make_pack(rows)).item() == pytest.approx(plain_loss(model, rows).item(), rel=1e-5)


def test_the_models_own_forward_still_works_afterwards() -> None:
    model, rows = with_adapter(base_of("qwen2")), rows_of(3, 0)
    before = plain_loss(model, rows).item()
    read_decoder(model, 64)
    assert plain_loss(model, rows).item() == pytest.approx(before, rel=1e-6)


@pytest.mark.parametrize("kind", ["llama", "qwen2", "phi3"])  # qwen2's layers have biases, phi3's q, k and v are one
def test_four_bit_layers_give_the_gradient_of_their_unpacked_weights(kind: str, tiny_model: Path, tmp_path: Path) -> None:
    rows = rows_of(5, 12)
    base_of(kind).save_pretrained(tmp_path)
    for file in tiny_model.glob("token*"):
        shutil.copy(file, tmp_path)
    model = with_adapter(load_base(tmp_path, "nf4", compute_dtype="float32"))
    step, reason = chosen(model)
    assert isinstance(step, FusedStep), reason
    assert load.packed_layers(model)
    loss = step.loss_sum(make_pack(rows))
    mine = gradients(model, loss)
    unpack(model)
    expected = plain_loss(model, rows)
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)
    assert far(mine, gradients(model, expected)) < 1e-5


@every_family
def test_in_bfloat16_it_errs_no_more_than_the_padded_step(kind: str) -> None:
    rows = rows_of(8, 12)
    rough = with_adapter(base_of(kind, torch.bfloat16))
    exact = with_adapter(base_of(kind, torch.bfloat16).float())
    with torch.no_grad():
        for name, item in exact.named_parameters():
            item.copy_(dict(rough.named_parameters())[name])
    truth = gradients(exact, plain_loss(exact, rows))
    AcceleratorState._reset_state()
    padded = PaddedStep(rough, Accelerator(cpu=True, mixed_precision="bf16"), batch=8, pad_id=0)
    theirs = far(gradients(rough, sum(padded.loss_sum(batch) for batch in padded.batches(rows))), truth)
    mine = far(gradients(rough, read_decoder(rough, 64).loss_sum(make_pack(rows))), truth)
    AcceleratorState._reset_state()
    assert mine < 1.15 * theirs


def test_attention_alone_can_learn() -> None:
    names = ["q_proj", "v_proj"]
    model, rows = with_adapter(base_of("llama"), target_modules=names), rows_of(4, 10)
    theirs = gradients(model, plain_loss(model, rows))
    step, reason = chosen(model)
    assert isinstance(step, FusedStep), reason
    assert far(gradients(model, step.loss_sum(make_pack(rows))), theirs) < 1e-5


@pytest.mark.parametrize("ranks", [{"q_proj": 2, "up_proj": 7}])
def test_layers_of_a_group_may_differ_in_rank(ranks: dict[str, int]) -> None:
    model, rows = with_adapter(base_of("llama"), rank_pattern=ranks, use_rslora=True), rows_of(4, 10)
    theirs = gradients(model, plain_loss(model, rows))
    assert far(gradients(model, read_decoder(model, 64).loss_sum(make_pack(rows))), theirs) < 1e-5


@pytest.mark.parametrize(
    ("kind", "base", "adapter", "longest", "reason"),
    [
        ("llama", {}, {"use_dora": True}, 64, "DoRA"),
        ("llama", {}, {"lora_dropout": 0.1}, 64, "dropout"),
        ("llama", {}, {"modules_to_save": ["lm_head"]}, 64, "output layer"),
        ("llama", {"hidden_act": "relu"}, {}, 64, "activation relu"),
        ("mistral", {"sliding_window": 32}, {}, 64, "sliding window of 32"),
    ],
)
def test_what_is_not_known_takes_the_padded_step(
    kind: str, base: dict[str, Any], adapter: dict[str, Any], longest: int, reason: str
) -> None:
    model = with_adapter(base_of(kind, **base), **adapter)
    step, said = chosen(model, longest)
    assert isinstance(step, PaddedStep)
    assert reason in said
    with pytest.raises(NotFusable):
        read_decoder(model, longest)


def test_a_window_no_row_reaches_is_no_hindrance() -> None:
    step, reason = chosen(with_adapter(base_of("mistral", sliding_window=64)), longest=64)
    assert isinstance(step, FusedStep), reason


def test_a_model_that_only_looks_alike_is_caught_by_the_trial() -> None:
    model = with_adapter(base_of("llama"))
    body = model.get_base_model().model
    body.layers[0].register_forward_hook(lambda _module, _inputs, output: output * 1.1)  # as Granite scales its layers
    step, reason = chosen(model)
    assert isinstance(step, PaddedStep)
    assert "not exact" in reason
