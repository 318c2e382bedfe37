"""The estimate: right where it was measured, moving the right way everywhere else, and honest when nothing is measured."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest

from studio.config import AdapterConfig, RunConfig
from studio.models import calibration, footprint, memory, work
from studio.models.catalog import ModelCatalog
from studio.models.hardware import Hardware
from studio.models.memory import Estimate, RowSizes, estimate
from studio.workspace import Workspace

COMPUTER = Hardware(2, 24 * 2**30, 20 * 2**30)
SIZES = RowSizes(rows=80, validation_rows=8, mean_tokens=64.0, longest_tokens=64)


@pytest.fixture
def reckon(workspace: Workspace, monkeypatch: pytest.MonkeyPatch):
    """Estimates for the starter on a computer without torch loaded, so that nothing depends on this machine's speed."""
    monkeypatch.setattr(memory.machine, "measured", lambda: False)
    starter = ModelCatalog(workspace).get("starter")

    def make(computer: Hardware = COMPUTER, sizes: dict | None = None, **changes: object) -> Estimate:
        return estimate(RunConfig().replace(**changes), starter, dataclasses.replace(SIZES, **(sizes or {})), computer)

    return make


MEASURED = [  # MB of real runs of the starter, of `python -m tests.benchmarks.estimates`
    ("none", 16, 4, 48, 1157),
    ("none", 16, 8, 256, 3062),
    ("nf4", 16, 4, 48, 1267),
    ("nf4", 16, 8, 64, 1342),
    ("nf4", 64, 8, 128, 2196),
]


@pytest.mark.parametrize(("quantization", "r", "rows", "tokens", "measured"), MEASURED)
def test_memory_is_what_was_measured(reckon, quantization: str, r: int, rows: int, tokens: int, measured: float) -> None:
    sizes = {"longest_tokens": tokens, "mean_tokens": float(tokens), "shared_tokens": 24}
    found = reckon(sizes=sizes, quantization=quantization, r=r, per_device_train_batch_size=rows)
    assert found.total_bytes == pytest.approx(measured * 1e6, rel=0.15)
    assert found.bytes_low < measured * 1e6 < found.bytes_high
    assert found.total_bytes == found.model_bytes + found.adapter_bytes + found.work_bytes
    assert found.total_bytes == sum(part.bytes for part in found.parts) >= found.needed_bytes


def test_the_adapter_is_counted_exactly(tiny_model: Path) -> None:
    from studio.models.folder import check_model_folder
    from studio.models.load import load_base
    from studio.models.targets import inspect

    shape = check_model_folder(tiny_model).shape
    model = load_base(tiny_model, "none")
    for choice in ("attention", "all-linear"):
        linear = [
            module
            for name, module in model.named_modules()
            if hasattr(module, "in_features") and "lm_head" not in name
            and (choice == "all-linear" or any(name.endswith(end) for end in inspect(model, "attention").modules))
        ]  # fmt: skip
        counted = footprint.adapter_parameters(shape, AdapterConfig(r=5, target_modules=choice))
        assert counted == sum(5 * (item.in_features + item.out_features) for item in linear)
        doing_more = footprint.adapter_parameters(shape, AdapterConfig(r=5, target_modules=choice, use_dora=True))
        assert doing_more - counted == sum(item.out_features for item in linear)
    assert shape.parameters == sum(item.numel() for item in model.parameters())


@pytest.mark.parametrize("more", [{}, {"init_lora_weights": "pissa"}, {"use_dora": True}, {"new_tokens": "zyxwv\nqqqkkk"}])
def test_it_is_what_peft_makes(tiny_model: Path, more: dict) -> None:
    from studio.models import adapters, words
    from studio.models.folder import check_model_folder
    from studio.models.load import load_base, load_tokenizer

    chosen = AdapterConfig(r=4, **more)
    fresh = words.extend(load_tokenizer(tiny_model), chosen.new_tokens)
    assert len(fresh) == len(words.words_of(chosen.new_tokens))
    settings = {name: getattr(chosen, name) for name in ("r", "lora_alpha", "lora_dropout", "target_modules", "use_rslora")}
    settings |= {"use_dora": chosen.use_dora, "init_lora_weights": chosen.init_lora_weights}
    model = adapters.add_adapter(load_base(tiny_model, "none"), **settings, new_tokens=fresh, seed=1)
    made = sum(item.numel() for item in model.parameters() if item.requires_grad)
    assert footprint.adapter_parameters(check_model_folder(tiny_model).shape, chosen) == made


def test_it_moves_the_right_way(reckon) -> None:
    plain = reckon()
    assert reckon(quantization="none").model_bytes > reckon(quantization="int8").model_bytes > plain.model_bytes
    assert reckon(r=64).adapter_bytes == pytest.approx(4 * plain.adapter_bytes, abs=4)
    assert reckon(target_modules="attention").adapter_bytes < plain.adapter_bytes
    assert reckon(optim="adamw_8bit").adapter_bytes < plain.adapter_bytes
    assert reckon(quantization="none", compute_dtype="bfloat16").model_bytes == reckon(quantization="none").model_bytes
    padded = {"quantization": "none", "lora_dropout": 0.1}  # whose weights are held in the format it computes in
    assert reckon(**padded, compute_dtype="bfloat16").model_bytes == reckon(**padded).model_bytes // 2
    long = {"longest_tokens": 400, "mean_tokens": 400.0}
    full = reckon(sizes=long)
    assert full.work_bytes > plain.work_bytes
    assert reckon(sizes={**long, "longest_tokens": 9999}, max_length=400).work_bytes == full.work_bytes
    assert reckon(sizes=long, lora_dropout=0.1).work_bytes > full.work_bytes
    again = reckon(sizes=long, gradient_checkpointing=True)
    assert again.needed_bytes < 0.7 * full.needed_bytes and again.seconds > 1.1 * full.seconds
    fewer = {"per_device_train_batch_size": 2, "gradient_accumulation_steps": 4, "max_length": 400}
    assert reckon(sizes=long, **fewer).needed_bytes < full.needed_bytes
    assert reckon(per_device_train_batch_size=4, gradient_accumulation_steps=2).steps == plain.steps
    assert reckon(sizes={"shared_tokens": 30}).seconds < plain.seconds
    assert reckon(num_train_epochs=20).seconds > plain.seconds
    assert reckon(quantization="int8").seconds_high > plain.seconds_high
    assert reckon(sizes={"validation_rows": 200}).seconds > plain.seconds
    assert plain.steps == RunConfig().total_steps(80)
    assert plain.download_bytes == 92_871_040 and plain.disk_bytes > 200 * 10**6
    assert plain.seconds_low < plain.seconds < plain.seconds_high


def test_rows_of_unlike_length_need_less_than_if_all_were_the_longest(reckon) -> None:
    uneven = {"longest_tokens": 400, "mean_tokens": 77.0, "lengths": (60,) * 95 + (400,) * 5}
    worst = {"longest_tokens": 400, "mean_tokens": 77.0}
    assert reckon(sizes=uneven).needed_bytes < 0.8 * reckon(sizes=worst).needed_bytes


def test_unpacked_weights_count_only_where_there_is_room(reckon) -> None:
    short = {"longest_tokens": 40, "mean_tokens": 40.0}
    roomy, narrow = reckon(sizes=short, r=64), reckon(Hardware(2, 2**31, 2**31), short, r=64)
    frugal = reckon(sizes=short, r=64, gradient_checkpointing=True)
    assert roomy.total_bytes > narrow.total_bytes
    assert roomy.needed_bytes == narrow.needed_bytes <= narrow.total_bytes
    assert [memory.ANSWERING in {part.name for part in found.parts} for found in (roomy, narrow, frugal)] == [True, False, False]


def test_numbers_taken_from_other_rooms_are_theirs() -> None:
    from studio.models import load
    from studio.training import callbacks
    from studio.training.fused import attention, functions

    assert (work.SAMPLE_PROMPTS, work.SAMPLE_TOKENS) == (callbacks.PROMPTS, callbacks.SAMPLE_TOKENS)
    assert callbacks.SAMPLE_SHARE == work.SAMPLE_SHARE
    assert load.UNPACKED_ROOM == memory.UNPACKED_ROOM
    assert (footprint.LOGITS_AT_ONCE, footprint.LONGEST_PLAIN) == (functions.LOGITS_AT_ONCE, attention.LONGEST_PLAIN)


def test_what_fits_depends_on_what_is_free(reckon) -> None:
    total = reckon().needed_bytes
    found = [reckon(Hardware(2, 2**40, round(total * share))).fits for share in (3, 1.2, 1.0)]
    assert found == ["well", "tight", "no"]


def test_without_torch_it_says_that_it_guesses() -> None:
    code = (
        "import sys, tempfile\n"
        "from studio.config import RunConfig\n"
        "from studio.models.catalog import ModelCatalog\n"
        "from studio.models.hardware import hardware\n"
        "from studio.models.memory import RowSizes, estimate\n"
        "from studio.workspace import Workspace\n"
        "entry = ModelCatalog(Workspace(tempfile.mkdtemp())).entries()[0]\n"
        "sizes = RowSizes(rows=80, mean_tokens=60, longest_tokens=90, validation_rows=8)\n"
        "made = estimate(RunConfig(), entry, sizes, hardware())\n"
        "assert made.rough and made.seconds_high > 5 * made.seconds_low and 'torch' not in sys.modules\n"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.long
def test_a_measured_computer_is_no_guess_and_an_unmeasured_one_is_said_to_be(workspace: Workspace) -> None:
    memory.machine.compute_dtype()  # one product, measured whatever else goes on, says too little
    entry = ModelCatalog(workspace).get("starter")
    guessed = estimate(RunConfig(), entry, SIZES, COMPUTER)
    assert guessed.rough and guessed.seconds_high > 5 * guessed.seconds_low
    found = estimate(RunConfig(), entry, SIZES, COMPUTER, speed=calibration.measure())
    assert not found.rough and found.seconds_high < 5 * found.seconds_low
