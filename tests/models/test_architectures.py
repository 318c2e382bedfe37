"""Every family this app takes: a tiny random model is checked, loaded, taught, saved, loaded again, and asked."""

from __future__ import annotations

import shutil
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState

from studio.errors import StudioError
from studio.inference.generate import answer_all
from studio.models import adapters, load
from studio.models.catalog import ModelCatalog
from studio.models.folder import MODEL_TYPES, check_model_folder
from studio.models.targets import TAUGHT_EXPERTS, UNPACKED_EXPERTS, UNTAUGHT_EXPERTS, inspect, teaches_experts
from studio.runs import RunStore
from studio.training.fused.step import choose_step
from studio.training.job import train_run
from studio.training.plan import learned_tokens
from studio.training.step import PaddedStep
from studio.workspace import Workspace
from tests.conftest import tiny_tokenizer
from tests.inference.test_engine import engine_of, make_run
from tests.training.conftest import tiny_run
from tests.training.tiny import far, gradients, rows_of

pytestmark = pytest.mark.long

QKVO = {"q_proj", "k_proj", "v_proj", "o_proj"}
GATED = {"gate_proj", "up_proj", "down_proj"}
SIZE = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "intermediate_size": 48}
EXPERTS = {"num_experts": 4, "num_local_experts": 4, "num_experts_per_tok": 2}
WINDOW = {"sliding_window": 16}
EXACT = 1e-6  # relative, in 32 bit: the same numbers in the same order, or nearly
# family: (what its config has besides, the ends of the layers' names)
FAMILIES: dict[str, tuple[dict[str, Any], set[str]]] = {
    "llama": ({}, QKVO | GATED),
    "mistral": ({"sliding_window": None}, QKVO | GATED),
    "ministral": ({**WINDOW, "head_dim": 16, "rope_parameters": {"rope_type": "default", "rope_theta": 1e4}}, QKVO | GATED),
    "qwen2": ({}, QKVO | GATED),
    "qwen3": ({"head_dim": 16}, QKVO | GATED),
    "smollm3": ({"no_rope_layer_interval": 2}, QKVO | GATED),
    "phi": ({}, QKVO - {"o_proj"} | {"dense", "fc1", "fc2"}),
    "phi3": ({}, {"qkv_proj", "o_proj", "gate_up_proj", "down_proj"}),
    "gemma": ({"head_dim": 16}, QKVO | GATED),
    "gemma2": ({"head_dim": 16, **WINDOW}, QKVO | GATED),
    "gemma3_text": ({"head_dim": 16, **WINDOW}, QKVO | GATED),
    "gpt2": ({"n_embd": 32, "n_layer": 2, "n_head": 4}, {"c_attn", "c_proj", "c_fc"}),
    "gpt_neox": ({}, {"query_key_value", "dense", "dense_h_to_4h", "dense_4h_to_h"}),
    "olmo": ({}, QKVO | GATED),
    "olmo2": ({}, QKVO | GATED),
    "olmo3": (WINDOW, QKVO | GATED),
    "granite": ({"residual_multiplier": 0.5, "attention_multiplier": 0.3}, QKVO | GATED),
    "stablelm": ({}, QKVO | GATED),
    "starcoder2": (WINDOW, QKVO | {"c_fc", "c_proj"}),
    "falcon": ({}, {"query_key_value", "dense", "dense_h_to_4h", "dense_4h_to_h"}),
    "helium": ({"head_dim": 8}, QKVO | GATED),
    "cohere": ({}, QKVO | GATED),
    "cohere2": ({**WINDOW, "head_dim": 16}, QKVO | GATED),
    "mixtral": (EXPERTS, QKVO),
    "qwen2_moe": ({**EXPERTS, "moe_intermediate_size": 24, "shared_expert_intermediate_size": 24}, QKVO | GATED),
    "qwen3_moe": ({**EXPERTS, "moe_intermediate_size": 24, "head_dim": 16}, QKVO),
    "olmoe": (EXPERTS, QKVO),
    "granitemoe": (EXPERTS, QKVO),
}
MIXTURES = {"mixtral", "qwen2_moe", "qwen3_moe", "olmoe", "granitemoe"}
FUSED = {"llama", "mistral", "qwen2", "qwen3", "phi3", "gemma"}
ADAPTER = {"r": 4, "lora_alpha": 8, "lora_dropout": 0.0, "target_modules": "all-linear", "use_rslora": False, "use_dora": False}
ASKED = [[{"role": "user", "content": "When do you open?"}], [{"role": "user", "content": "what is red"}]]

UNPACKED = {"falcon"}  # bitsandbytes cannot take its layers
PAIRS = [(family, "none") for family in FAMILIES] + [(family, "nf4") for family in FAMILIES if family not in UNPACKED]
PAIRS += [("llama", "int8")]


@cache
def tokenizer() -> Any:
    return tiny_tokenizer()


def save_family(family: str, folder: Path) -> Path:
    """A random model of the family, saved as transformers does."""
    from transformers import AutoConfig, AutoModelForCausalLM

    extra, _ = FAMILIES[family]
    ids = {"vocab_size": len(tokenizer()), "pad_token_id": 0, "bos_token_id": None, "eos_token_id": tokenizer().eos_token_id}
    size = {} if family == "gpt2" else SIZE if family != "falcon" else {**SIZE, "intermediate_size": None}
    config = AutoConfig.for_model(family, **{**size, **ids, "max_position_embeddings": 256, "initializer_range": 0.15, **extra})
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
        with torch.no_grad():
            for name, item in model.named_parameters():
                if "norm" in name or name.endswith("bias"):
                    item.add_(torch.randn_like(item) * 0.1)
        model.save_pretrained(str(folder))
    tokenizer().save_pretrained(str(folder))
    return folder


def answers(model: Any) -> list[str]:
    return answer_all(model, tokenizer(), ASKED, max_new_tokens=8)


def logits(model: Any) -> torch.Tensor:
    with torch.no_grad():
        return model.eval()(input_ids=torch.arange(5, 25).reshape(2, 10)).logits.float()


def base(folder: Path, quantization: str) -> Any:
    return load.load_base(folder, quantization, compute_dtype="float32")


def adapted(folder: Path, quantization: str, **changes: Any) -> Any:
    return adapters.add_adapter(base(folder, quantization), **(ADAPTER | changes), seed=3)


def step_of(model: Any) -> tuple[Any, str]:
    AcceleratorState._reset_state()
    return choose_step(model, Accelerator(cpu=True), longest=64, batch=4, pad_id=0, tokens=2048)


def train_one_step(model: Any) -> tuple[Any, str]:
    """One optimizer step as a run makes it, large enough to change answers. Returns the step and why it was chosen."""
    step, reason = step_of(model)
    rows = rows_of(5, 12, longest=16)
    learned = [item for item in model.parameters() if item.requires_grad]
    optimizer = torch.optim.AdamW(learned, lr=0.05)
    model.train()
    for _ in range(2):  # the first moves the half that starts at zero, the second both
        optimizer.zero_grad()
        sum(step.loss_sum(batch) for batch in step.batches(rows)).div(learned_tokens(rows)).backward()
        assert all(item.grad is not None and torch.isfinite(item.grad).all() for item in learned)
        optimizer.step()
    model.eval()
    return step, reason


def plain_peft(folder: Path, adapter: Path) -> Any:
    """The adapter on the base, both loaded as their own libraries do."""
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    return PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32), adapter).eval()


@pytest.fixture(scope="module")
def folder_of(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Gives the folder of a family's model, made once."""
    return cache(lambda family: save_family(family, tmp_path_factory.mktemp(family) / family))


@pytest.mark.parametrize(("family", "quantization"), PAIRS)
@pytest.mark.filterwarnings("ignore:The following .*_pattern keys:RuntimeWarning", "ignore:fan_in_fan_out is set:UserWarning")
def test_a_family_learns_and_comes_back(family: str, quantization: str, folder_of: Any, tmp_path: Path) -> None:
    folder = folder_of(family)
    facts = check_model_folder(folder)
    assert facts.model_type == family
    assert facts.shape.parameters == pytest.approx(facts.parameters, rel=0.25)
    untouched = base(folder, quantization)
    plain, plain_answers = logits(untouched), answers(untouched)
    model = adapters.add_adapter(untouched, **ADAPTER, seed=3)
    places = {name.split(".lora_")[0].replace(".base_layer", "").rpartition(".")[2] for name, _ in learned_by(model)}
    assert places == FAMILIES[family][1] | ({"experts"} if family in MIXTURES else set())
    step, reason = train_one_step(model)
    assert step.name == ("fused" if family in FUSED and quantization != "int8" else "padded"), reason
    tuned, tuned_answers = logits(model), answers(model)
    assert far(tuned, plain) > 1e-2
    with model.disable_adapter():
        assert far(logits(model), plain) < EXACT
        assert answers(model) == plain_answers
    adapters.save_adapter(model, tmp_path / "adapter")
    again = adapters.attach_adapter(base(folder, quantization), tmp_path / "adapter")
    assert far(logits(again), tuned) < EXACT
    assert answers(again) == tuned_answers
    if quantization == "none":
        elsewhere = plain_peft(folder, tmp_path / "adapter")
        assert far(logits(elsewhere), tuned) < EXACT
        assert answers(elsewhere) == tuned_answers


def learned_by(model: Any) -> list[tuple[str, Any]]:
    return [(name, item) for name, item in model.named_parameters() if item.requires_grad]


def test_every_family_is_tried() -> None:
    assert set(FAMILIES) == MODEL_TYPES


@pytest.mark.parametrize("family", sorted(FUSED))
@pytest.mark.parametrize("quantization", ["none", "nf4"])
def test_the_fused_step_gives_the_padded_ones_gradient(family: str, quantization: str, folder_of: Any) -> None:
    model = adapted(folder_of(family), quantization)
    with torch.no_grad():
        for name, item in learned_by(model):
            item.normal_(std=0.1) if "lora_B" in name else None
    rows = rows_of(6, 12, longest=16)
    AcceleratorState._reset_state()
    padded = PaddedStep(model, Accelerator(cpu=True), batch=3, pad_id=0)
    theirs = gradients(model, sum(padded.loss_sum(batch) for batch in padded.batches(rows)))
    fused, reason = step_of(model)
    assert fused.name == "fused", reason
    assert far(gradients(model, sum(fused.loss_sum(pack) for pack in fused.batches(rows))), theirs) < 1e-5


@pytest.mark.parametrize("family", sorted(MIXTURES))
def test_experts_learn_their_share_of_the_rank(family: str, folder_of: Any) -> None:
    """Two experts read a token, so each has half the rank; with dropout or DoRA, or attention alone, they have none."""
    folder = folder_of(family)
    model = adapted(folder, "none")
    sizes = {item.shape[0] for name, item in learned_by(model) if "experts" in name and "lora_A" in name}
    assert sizes == {4 * (ADAPTER["r"] // 2)}  # experts times rank
    assert teaches_experts(model)
    bare = base(folder, "nf4")
    assert inspect(bare).notes == (UNPACKED_EXPERTS, TAUGHT_EXPERTS)
    assert inspect(bare, plain=False).notes == (UNPACKED_EXPERTS, UNTAUGHT_EXPERTS)
    assert inspect(bare, "attention").notes == (UNPACKED_EXPERTS,)
    for changes in ({"lora_dropout": 0.1}, {"use_dora": True}, {"target_modules": "attention"}):
        model = adapted(folder, "none", **changes)
        assert not teaches_experts(model)
        assert not any(".experts" in name for name, _ in learned_by(model))


@pytest.mark.filterwarnings("ignore:The following .*_pattern keys:RuntimeWarning")
def test_experts_start_plain_where_the_other_layers_start_from_their_directions(folder_of: Any) -> None:
    folder = folder_of("qwen3_moe")
    model = adapted(folder, "none", init_lora_weights="pissa")
    ranks = {("experts" in name, item.shape[0]) for name, item in learned_by(model) if "lora_A" in name}
    assert ranks == {(False, 2 * ADAPTER["r"]), (True, 4 * (ADAPTER["r"] // 2))}
    assert far(logits(model), logits(base(folder, "none"))) < 1e-5
    train_one_step(model)
    assert far(logits(model), logits(base(folder, "none"))) > 1e-2


def test_nothing_is_said_of_models_without_experts(folder_of: Any) -> None:
    assert inspect(base(folder_of("llama"), "nf4")).notes == ()


def test_a_mixture_answers_on_both_sides(folder_of: Any, workspace: Workspace) -> None:
    """Adapters on experts cannot be mixed in one batch, so the sides answer one after the other."""
    folder = folder_of("qwen3_moe")
    run_id = make_run(workspace, base=ModelCatalog(workspace).register_local(str(folder)).id, strength=0.3)
    engine = engine_of(workspace)
    engine.open(run_id)
    found = list(engine.stream(ASKED[0], sides=("base", "tuned"), max_new_tokens=8))[-1]
    engine.close()
    assert found["base"].text.strip() == answer_all(load.load_base(folder, "none"), tokenizer(), ASKED[:1], max_new_tokens=8)[0]
    assert found["tuned"].text != found["base"].text
    assert found["tuned"].done and found["tuned"].tokens


def test_a_run_says_what_becomes_of_experts(folder_of: Any, workspace: Workspace) -> None:
    config = tiny_run(workspace).replace(quantization="nf4", num_train_epochs=1, evaluations=1)
    runs = RunStore(workspace)
    run_id = runs.create(config.replace(base_model=ModelCatalog(workspace).register_local(str(folder_of("olmoe"))).id))
    assert train_run(runs.folder(run_id)).state == "finished"
    said = [item["text"] for item in runs.lines(run_id, "events") if item["kind"] == "model"]
    assert said == [UNPACKED_EXPERTS, TAUGHT_EXPERTS]


@pytest.mark.parametrize("broken", ["missing", "mismatched"])
def test_weights_that_do_not_fit_the_config_are_refused(folder_of: Any, tmp_path: Path, broken: str) -> None:
    """They would be filled with random numbers. A head that is not tied and not there is such a case."""
    from safetensors.torch import load_file, save_file

    folder = Path(shutil.copytree(folder_of("llama"), tmp_path / "model"))
    weights = load_file(folder / "model.safetensors")
    weights["lm_head.weight"] = weights["lm_head.weight"][:50].contiguous()
    if broken == "missing":
        del weights["lm_head.weight"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    check_model_folder(folder)
    with pytest.raises(StudioError, match="lm_head"):
        base(folder, "none")


@pytest.mark.parametrize("quantization", ["nf4", "int8"])
def test_a_model_that_would_silently_stay_unpacked_is_refused(folder_of: Any, quantization: str) -> None:
    with pytest.raises(StudioError, match="cannot be held in fewer digits"):
        base(folder_of("falcon"), quantization)


def test_layers_without_positions_are_not_left_to_the_trial(folder_of: Any) -> None:
    """The trial's bounds in 16 bit are too wide to notice them."""
    step, reason = step_of(adapted(folder_of("smollm3"), "none"))
    assert step.name == "padded" and "not told positions" in reason
