"""Weights that stay in the 16 bit they are stored in: the same numbers as in float32, in half the memory."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate import Accelerator
from safetensors.torch import load_file, save_file

from studio.config import RunConfig
from studio.models import adapters, footprint, load
from studio.models.catalog import ModelCatalog
from studio.models.half import HalfEmbedding, HalfLinear
from studio.runs import RunStore
from studio.training.fused.step import FusedStep, choose_step
from studio.training.job import train_run
from studio.training.packs import make_pack
from studio.training.step import PaddedStep
from studio.workspace import Workspace
from tests.training.conftest import tiny_run
from tests.training.tiny import CONFIGS, base_of, far, gradients, rows_of, with_adapter

ADAPTER = {"r": 4, "lora_alpha": 8, "lora_dropout": 0.0, "target_modules": "all-linear", "use_rslora": False, "use_dora": False}
HALVES = pytest.mark.parametrize("stored", [torch.bfloat16, torch.float16])


@pytest.fixture
def saved(tiny_model: Path, tmp_path: Path) -> Any:
    """Saves a model of a family in a number format, and returns its folder."""

    def save(kind: str, dtype: torch.dtype = torch.bfloat16, **changes: Any) -> Path:
        folder = tmp_path / f"{kind} {dtype} {len(list(tmp_path.iterdir()))}"
        base_of(kind, dtype, **changes).save_pretrained(folder)
        for file in [*tiny_model.glob("token*"), *tiny_model.glob("chat_template*")]:
            shutil.copy(file, folder)
        return folder

    return save


def loaded(folder: Path, *, as_stored: bool, quantization: str = "none") -> Any:
    return load.load_base(folder, quantization, compute_dtype="float32", as_stored=as_stored)


def held(model: Any) -> dict[str, Any]:
    """The layers that are in 16 bit, by name."""
    return {name: module for name, module in model.named_modules() if isinstance(module, (HalfLinear, HalfEmbedding))}


def step_of(model: Any) -> FusedStep:
    step, reason = choose_step(model, Accelerator(cpu=True), longest=64, batch=8, pad_id=0, tokens=2048)
    assert isinstance(step, FusedStep), reason
    return step


@HALVES
@pytest.mark.parametrize("kind", CONFIGS)
def test_loss_and_gradient_are_those_of_float32(saved, kind: str, stored: torch.dtype) -> None:
    folder, rows = saved(kind, stored), rows_of(5, 12)
    losses, found = [], []
    for as_stored in (False, True):
        model = with_adapter(loaded(folder, as_stored=as_stored))
        assert all(item.dtype == torch.float32 for item in model.parameters() if item.requires_grad)
        assert bool(held(model)) == as_stored
        loss = step_of(model).loss_sum(make_pack(rows))
        losses.append(loss.item())
        found.append(gradients(model, loss))
    assert losses[1] == losses[0]
    assert far(found[1], found[0]) < 1e-6


@pytest.mark.parametrize("kind", ["qwen2", "phi3"])  # with biases; q, k and v in one
def test_the_padded_step_and_the_models_own_forward_are_those_of_float32(saved, kind: str) -> None:
    folder, rows = saved(kind), rows_of(5, 12)
    losses, found = [], []
    for as_stored in (False, True):
        model = with_adapter(loaded(folder, as_stored=as_stored))
        step = PaddedStep(model, Accelerator(cpu=True), batch=8, pad_id=0)
        loss = sum(step.loss_sum(batch) for batch in step.batches(rows))
        losses.append(loss.item())
        found.append(gradients(model, loss))
    assert losses[1] == losses[0]
    assert far(found[1], found[0]) < 1e-6


def test_every_matrix_of_a_plain_decoder_is_held_in_half_its_bytes(saved) -> None:
    folder = saved("llama")
    model = loaded(folder, as_stored=True)
    assert len(held(model)) == 2 * 7 + 2, "the projections of two layers, embedding and head"
    assert all(item.requires_grad is False for item in model.parameters())
    matrices = [item for item in model.parameters() if item.ndim == 2]
    assert {item.element_size() for item in matrices} == {2}
    assert {item.dtype for item in model.parameters() if item.ndim == 1} == {torch.float32}


def test_a_shared_head_is_held_once(saved) -> None:
    model = loaded(saved("llama", tie_word_embeddings=True), as_stored=True)
    head, embedding = model.get_output_embeddings(), model.get_input_embeddings()
    assert isinstance(head, HalfLinear) and isinstance(embedding, HalfEmbedding)
    assert head.weight is embedding.weight


def test_an_embedding_of_another_kind_stays_as_computed_with_the_head_it_shares(saved) -> None:
    """Gemma multiplies its embedding by a number that 16 bit would round."""
    model = loaded(saved("gemma", tie_word_embeddings=True), as_stored=True)
    assert len(held(model)) == 2 * 7
    assert model.get_input_embeddings().weight.dtype == model.get_output_embeddings().weight.dtype == torch.float32
    assert all(item.dtype in (torch.float32, torch.int64) for item in model.buffers())


def test_four_bit_layers_are_those_of_answering_beside_a_head_in_16_bit(saved) -> None:
    folder = saved("llama")
    plain, model = (loaded(folder, as_stored=as_stored, quantization="nf4") for as_stored in (False, True))
    assert set(held(model)) == {"model.embed_tokens", "lm_head"}
    ours = load.packed_layers(model)
    for name, layer in load.packed_layers(plain).items():
        assert torch.equal(ours[name].weight.data, layer.weight.data)
        assert torch.equal(ours[name].weight.quant_state.absmax, layer.weight.quant_state.absmax)


def test_files_in_float32_or_of_several_formats_are_held_as_computed(saved) -> None:
    assert not held(loaded(saved("llama", torch.float32), as_stored=True))
    folder = saved("llama")
    weights = load_file(folder / "model.safetensors")
    weights["lm_head.weight"] = weights["lm_head.weight"].float() + 1e-5
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    model = loaded(folder, as_stored=True)
    assert not held(model)
    assert torch.equal(model.get_output_embeddings().weight.data, weights["lm_head.weight"])


def test_where_it_computes_in_16_bit_nothing_is_converted(saved) -> None:
    model = load.load_base(saved("llama"), "none", compute_dtype="bfloat16", as_stored=True)
    assert not held(model)
    assert {item.dtype for item in model.parameters()} == {torch.bfloat16}


def test_principal_directions_are_those_of_the_stored_numbers(saved) -> None:
    folder = saved("llama")
    both = [
        adapters.add_adapter(loaded(folder, as_stored=as_stored), **ADAPTER, init_lora_weights="pissa", seed=3)
        for as_stored in (False, True)
    ]
    mine, theirs = ({name: item for name, item in model.named_parameters() if item.requires_grad} for model in both)
    assert mine.keys() == theirs.keys()
    assert all(torch.allclose(item, theirs[name], atol=1e-6) for name, item in mine.items())


def test_a_run_holds_them_and_its_adapter_is_that_of_float32(
    saved, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The whole run: checks, sample answers, checkpoints, adapter."""
    from studio.training import session

    folder = saved("llama", torch.bfloat16, vocab_size=512)
    runs, catalog = RunStore(workspace), ModelCatalog(workspace)
    config = tiny_run(workspace).replace(base_model=catalog.register_local(str(folder)).id, compute_dtype="float32")
    assert catalog.get(config.model.base_model).number_format == "BF16"
    models, add = [], session.adapters.add_adapter

    def noted(model: Any, **more: Any) -> Any:
        models.append(bool(held(model)))
        return add(model, **more)

    monkeypatch.setattr(session.adapters, "add_adapter", noted)
    ran = [runs.create(config)]
    train_run(runs.folder(ran[0]))
    with monkeypatch.context() as patched:
        patched.setattr(session, "form_of", lambda *_: "padded")
        ran.append(runs.create(config))
        train_run(runs.folder(ran[1]))
    assert models == [True, False]
    (first, second) = (runs.status(run_id) for run_id in ran)
    assert first.state == second.state == "finished"
    assert first.best_validation_loss == pytest.approx(second.best_validation_loss, rel=1e-5)
    mine, theirs = (load_file(runs.folder(run_id) / "adapter" / "adapter_model.safetensors") for run_id in ran)
    assert all(torch.allclose(item, theirs[name], atol=1e-4) for name, item in mine.items())


@pytest.mark.parametrize(
    ("changes", "number_format", "number_bytes", "expected"),
    [
        ({}, "BF16", 4, 2),
        ({}, "", 4, 2),
        ({}, "F32", 4, 4),
        ({}, "mixed", 4, 4),
        ({}, "BF16", 2, 2),
        ({"quantization": "int8"}, "BF16", 4, 4),
        ({"use_dora": True}, "BF16", 4, 4),
    ],
)
def test_the_estimate_knows_which_runs_hold_them(
    changes: dict[str, Any], number_format: str, number_bytes: int, expected: int
) -> None:
    from studio.models.folder import shape_of

    shape = shape_of(
        {"model_type": "llama", "hidden_size": 64, "num_attention_heads": 4, "num_hidden_layers": 2, "vocab_size": 99}
    )
    config = RunConfig().replace(**{"quantization": "none", **changes})
    assert footprint.held_bytes(config, shape, number_bytes, number_format) == expected
