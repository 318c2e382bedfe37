"""Ways of training: each combination trains or is refused with its sentence; noise, recomputing, optimizers do what they say."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate import Accelerator

from studio.config import RunConfig
from studio.config.combinations import REFUSALS
from studio.models import adapters
from studio.models.hardware import device
from studio.models.load import load_base
from studio.training.fused.layers import read_decoder
from studio.training.fused.step import FusedStep, choose_step
from studio.training.job import train_run
from studio.training.noise import add_noise
from studio.training.optimizers import make_optimizer
from studio.training.packs import make_pack
from studio.training.plan import learned_tokens
from studio.training.step import Extras, PaddedStep
from tests.training.tiny import CONFIGS, base_of, far, gradients, plain_loss, rows_of, with_adapter

pytestmark = pytest.mark.long

KINDS = {"lora": {}, "rslora": {"use_rslora": True}, "dora": {"use_dora": True}}


def steps_of(model: Any, extras: Extras) -> tuple[FusedStep, PaddedStep]:
    """Both steps over one model, for learning."""
    model.eval()
    fused, reason = choose_step(model, Accelerator(cpu=True), longest=64, batch=8, pad_id=0, tokens=2048, extras=extras)
    assert isinstance(fused, FusedStep), reason
    return fused, PaddedStep(model, Accelerator(cpu=True), batch=8, pad_id=0, extras=extras)


def loss_of(step: Any, rows: list[Any]) -> torch.Tensor:
    return sum(step.loss_sum(batch) for batch in step.batches(rows))


@pytest.mark.parametrize("start", ["default", "pissa", "loftq"])
@pytest.mark.parametrize("quantization", ["none", "nf4", "int8"])
def test_every_combination_learns_or_is_refused_with_its_sentence(tiny_model: Path, quantization: str, start: str) -> None:
    known = {item.sentence for item in REFUSALS}
    for changes in KINDS.values():
        config = RunConfig().replace(quantization=quantization, init_lora_weights=start, r=4, **changes)
        if refused := config.faults() + config.device_faults(device()):
            assert set(refused) <= known
            assert start != "default" or (quantization, changes) == ("int8", KINDS["dora"])
            continue
        assert start == "default" or (start, quantization) in {("pissa", "none"), ("loftq", "nf4")}
        shape = {name: value for name, value in vars(config.adapter).items() if name != "new_tokens"}
        model = adapters.add_adapter(load_base(tiny_model, quantization), **shape, seed=1, folder=tiny_model)
        step, _ = choose_step(model, Accelerator(cpu=True), longest=64, batch=4, pad_id=0, tokens=2048)
        model.train()
        rows, learned = rows_of(4, 10), [item for item in model.parameters() if item.requires_grad]
        optimizer, losses = make_optimizer("adamw", learned, 1e-2, 0.0), []
        for _ in range(2):
            loss = loss_of(step, rows) / learned_tokens(rows)
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            losses.append(loss.item())
        assert losses[1] < losses[0], (quantization, start, changes)


def test_what_needs_a_graphics_card_is_refused_without_one_before_anything_is_loaded(setup) -> None:
    if device() != "cpu":
        pytest.skip("this computer has a graphics card")
    _, runs, config = setup
    for changes in ({"optim": "paged_adamw_8bit"}, {"compute_dtype": "float16"}, {"init_lora_weights": "loftq"}):
        changes |= {"quantization": "nf4"}
        status = train_run(runs.folder(runs.create(config.replace(**changes))))
        assert status.state == "failed" and "needs a graphics card" in status.error["why"]
        assert status.phase == "" and not status.total_steps
    several = config.replace(quantization="int8", use_dora=True, optim="paged_adamw_8bit", compute_dtype="float16")
    assert len(several.device_faults("cpu")) == 3 and not several.device_faults("cuda")


# ---- computing again


@pytest.mark.parametrize("kind", CONFIGS)
def test_recomputing_gives_the_same_gradient_bit_for_bit(kind: str) -> None:
    model, rows = with_adapter(base_of(kind)), rows_of(5, 15)
    plain, again = (steps_of(model, Extras(recompute=recompute)) for recompute in (False, True))
    model.train()
    padded = gradients(model, loss_of(again[1], rows))  # it shares no opening, so it is compared with the definition
    assert torch.equal(gradients(model, loss_of(again[0], rows)), gradients(model, loss_of(plain[0], rows)))
    assert far(padded, gradients(model, plain_loss(model, rows))) < 1e-5


@pytest.mark.parametrize("which", [0, 1], ids=["fused", "padded"])
@pytest.mark.parametrize("quantization", ["none", "nf4"])
def test_recomputing_keeps_the_stream_between_layers_only(tiny_model: Path, quantization: str, which: int) -> None:
    model, rows = with_adapter(load_base(tiny_model, quantization, compute_dtype="float32")), rows_of(6, 0)
    kept, found = {}, {}
    for recompute in (False, True):
        step = steps_of(model, Extras(recompute=recompute))[which]
        model.train()
        sizes: list[int] = []
        with torch.autograd.graph.saved_tensors_hooks(
            lambda item, to=sizes: (to.append(item.numel()), item)[1], lambda item: item
        ):
            loss = loss_of(step, rows)
        kept[recompute], found[recompute] = sum(sizes), gradients(model, loss)
    assert kept[True] < 0.6 * kept[False]
    assert torch.equal(found[True], found[False])


# ---- noise


def test_who_recomputes_gets_no_unpacked_weights_for_the_sample_answers(setup, monkeypatch: pytest.MonkeyPatch) -> None:
    from studio.training import callbacks

    _, runs, config = setup
    opened = []
    monkeypatch.setattr(callbacks, "unpacked", lambda model: opened.append(model) or contextlib.nullcontext())
    for recompute in (False, True):
        opened.clear()
        changes = {"quantization": "nf4", "gradient_checkpointing": recompute, "num_train_epochs": 1, "evaluations": 1}
        run_id = runs.create(config.replace(**changes))
        assert train_run(runs.folder(run_id)).state == "finished"
        assert bool(opened) != recompute
        assert {line["step"] for line in runs.lines(run_id, "samples")} == {0, runs.status(run_id).total_steps}


def test_noise_is_uniform_and_as_large_as_the_paper_says() -> None:
    torch.manual_seed(0)
    lengths = torch.tensor([[4], [400]])
    added = add_noise(torch.zeros(2, 500, 64), lengths, 5.0)
    for row, length in enumerate((4, 400)):
        most = 5.0 / (length * 64) ** 0.5
        assert added[row].abs().max() <= most
        assert added[row].std().item() == pytest.approx(most / 3**0.5, rel=0.02), "the spread of a uniform number"
        assert added[row].mean().abs() < 0.02 * most


def test_noise_follows_the_length_of_each_row_in_a_pack() -> None:
    rows = rows_of(5, 12)
    pack = make_pack(rows, share=False)
    sizes = sorted((len(row.input_ids) for row in rows), reverse=True)
    assert pack.lengths.tolist() == [size for size in sizes for _ in range(size)]


@pytest.mark.parametrize("which", [0, 1], ids=["fused", "padded"])
def test_noise_is_there_while_learning_and_nowhere_else(which: int) -> None:
    model, rows = with_adapter(base_of("llama")), rows_of(4, 12)
    quiet, noisy = (steps_of(model, Extras(noise=alpha))[which] for alpha in (0.0, 5.0))
    model.eval()
    assert loss_of(noisy, rows).item() == loss_of(quiet, rows).item(), "looking at the rows kept aside"
    model.train()
    torch.manual_seed(3)
    before = torch.get_rng_state()
    first, second = (loss_of(noisy, rows).item() for _ in range(2))
    assert len({first, second, loss_of(quiet, rows).item()}) == 3
    torch.set_rng_state(before)
    assert loss_of(noisy, rows).item() == first, "the same random numbers again"


def test_noise_of_both_steps_is_alike() -> None:
    """The same strength: over many draws both steps' losses have the same mean and spread."""
    model, rows = with_adapter(base_of("llama", hidden_size=64)), rows_of(4, 12)
    model.train()
    drawn = []
    for step in steps_of(model, Extras(noise=15.0)):
        torch.manual_seed(1)
        model.train()
        with torch.no_grad():
            losses = torch.tensor([loss_of(step, rows).item() for _ in range(150)])
        drawn.append((losses.mean().item(), losses.std().item()))
    (mean, spread), (other, other_spread) = drawn
    assert abs(mean - other) < 4 * spread / 150**0.5
    assert other_spread == pytest.approx(spread, rel=0.35)


# ---- optimizers


def test_eight_bit_keeps_a_quarter_of_the_bytes_and_goes_nearly_the_same_way() -> None:
    ends, kept = {}, {}
    for name in ("adamw", "adamw_8bit"):
        torch.manual_seed(0)
        weight, goal = torch.nn.Parameter(torch.randn(64, 128)), torch.randn(64, 128)
        optimizer = make_optimizer(name, [weight], 0.05, 0.0)
        for _ in range(60):
            (weight - goal).square().mean().backward()
            optimizer.step()
            optimizer.zero_grad()
        ends[name] = (weight - goal).square().mean().item()
        moments = [
            item for item in optimizer.state[weight].values() if isinstance(item, torch.Tensor) and item.shape == weight.shape
        ]
        kept[name] = sum(item.numel() * item.element_size() for item in moments)
    assert kept["adamw"] == 4 * kept["adamw_8bit"] == 4 * 2 * 64 * 128
    assert ends["adamw_8bit"] == pytest.approx(ends["adamw"], rel=0.2)


def test_the_decoder_is_untouched_by_what_is_off() -> None:
    decoder = read_decoder(with_adapter(base_of("llama")), 64)
    step = FusedStep(decoder, "cpu", tokens=64)
    assert not decoder.recompute and step.noise == 0.0
