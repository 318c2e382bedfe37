"""How much of an adapter was used, beside numpy's own decomposition of the whole matrices."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from studio.errors import StudioError
from studio.models.spectrum import Spectrum, spectrum

PATH = "base_model.model.model.layers.{}.{}"


def write(folder: Path, pairs: dict[str, tuple[Any, Any]], rank: int, **config: Any) -> Path:
    """An adapter folder as peft writes it; pairs are (A, B) by the matrix's path."""
    folder.mkdir(exist_ok=True)
    plain = {"peft_type": "LORA", "r": rank, "lora_alpha": 2 * rank, "base_model_name_or_path": "starter"}
    (folder / "adapter_config.json").write_text(json.dumps({**plain, **config}))
    tensors = {}
    for path, (down, up) in pairs.items():
        tensors[f"{path}.lora_A.weight"] = np.ascontiguousarray(down, np.float32)
        tensors[f"{path}.lora_B.weight"] = np.ascontiguousarray(up, np.float32)
    save_file(tensors, folder / "adapter_model.safetensors")
    return folder


def known(values: Any, out: int, into: int, seed: int = 0) -> tuple[Any, Any]:
    """(A, B) whose product has exactly these singular values."""
    rng = np.random.default_rng(seed)
    left, right = (np.linalg.qr(rng.normal(size=(size, len(values))))[0] for size in (out, into))
    mix = rng.normal(size=(len(values), len(values)))
    return mix @ (np.diag(values) @ right.T), left @ np.linalg.inv(mix)


def one(folder: Path, values: Any, **config: Any) -> Spectrum:
    """The spectrum of an adapter with one matrix of known singular values."""
    return spectrum(write(folder, {PATH.format(0, "self_attn.q_proj"): known(values, 40, 30)}, len(values), **config))


@pytest.mark.parametrize("seed", range(8))
def test_it_equals_the_decomposition_of_the_whole_matrix(tmp_path: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    rank, out, into = (int(size) for size in rng.integers(1, 24, 3))
    down, up = rng.normal(size=(rank, into)), rng.normal(size=(out, rank)) * rng.exponential(size=rank)
    found = spectrum(write(tmp_path / "a", {PATH.format(3, "mlp.up_proj"): (down, up)}, rank, lora_alpha=5))
    [module] = found.modules
    whole = 5 / rank * up.astype(np.float32).astype(float) @ down.astype(np.float32).astype(float)
    expected = np.linalg.svd(whole, compute_uv=False)
    expected = np.pad(expected, (0, max(0, rank - len(expected))))[:rank]
    assert np.allclose(module.values, expected, atol=1e-6 * expected[0])
    held = np.cumsum(expected**2)
    assert module.needed == int(np.argmax(held >= 0.95 * held[-1])) + 1
    assert (module.layer, module.kind, module.rank) == (3, "up_proj", rank)


def test_the_strength_is_in_it(tmp_path: Path) -> None:
    values = [4.0, 2.0, 1.0, 0.5]
    for number, (config, factor) in enumerate(
        [
            ({"lora_alpha": 8}, 2.0),
            ({"lora_alpha": 8, "use_rslora": True}, 4.0),
            ({"lora_alpha": 8, "alpha_pattern": {"self_attn.q_proj": 12}}, 3.0),
            ({"lora_alpha": 8, "alpha_pattern": {"f_attn.q_proj": 12}}, 2.0),
        ]
    ):
        [module] = one(tmp_path / str(number), values, **config).modules
        assert module.values == pytest.approx([factor * value for value in values], rel=1e-5)
        assert module.needed == 3, "16 + 4 of 21.25 is 94.1 %"


@pytest.mark.parametrize(
    ("values", "needed", "verdict"),
    [
        ([1.0] * 20, 19, "larger"),
        ([1.0] * 8 + [0.01] * 12, 8, "suits"),
        ([1.0] * 5 + [0.0] * 15, 5, "suits"),
        ([1.0] * 4 + [1e-4] * 16, 4, "smaller"),
        ([1.0, 0.2], 1, "unclear"),
    ],
)
def test_the_reading_follows_from_the_share_in_use(tmp_path: Path, values: list[float], needed: int, verdict: str) -> None:
    found = one(tmp_path / "a", values)
    assert (found.modules[0].needed, found.verdict) == (needed, verdict)


def test_a_new_adapter_has_learned_nothing(tmp_path: Path) -> None:
    down = np.random.default_rng(0).normal(size=(4, 30))
    found = spectrum(write(tmp_path / "a", {PATH.format(0, "self_attn.q_proj"): (down, np.zeros((40, 4)))}, 4))
    assert (found.verdict, found.modules[0].needed, found.share) == ("nothing", 0, 0.0)
    assert set(found.modules[0].values) == {0.0}


def test_kinds_stand_in_the_order_a_layer_computes_them_and_share_the_energy(tmp_path: Path) -> None:
    pairs = {}
    for layer in range(11):
        pairs[PATH.format(layer, "mlp.down_proj")] = known([3.0, 0.1, 0.1, 0.1], 20, 20, layer)
        pairs[PATH.format(layer, "self_attn.q_proj")] = known([1.0, 1.0, 1.0, 1.0], 20, 20, layer)
        pairs[PATH.format(layer, "attn.c_attn")] = known([1.0, 1.0, 0.0, 0.0], 20, 20, layer)
    found = spectrum(write(tmp_path / "a", pairs, 4, use_dora=True))
    assert [(kind.name, kind.modules, kind.needed) for kind in found.kinds()] == [
        ("q_proj", 11, 4),
        ("down_proj", 11, 1),
        ("c_attn", 11, 2),
    ]
    assert sum(kind.energy for kind in found.kinds()) == pytest.approx(1)
    assert found.kinds()[1].energy == pytest.approx(9.03 / 15.03, rel=1e-3)
    assert [module.layer for module in found.modules if module.kind == "q_proj"] == list(range(11)), "by number, not by name"
    assert len(found.notes) == 1 and "DoRA" in found.notes[0]


@pytest.mark.long
def test_sixteen_bit_files_and_other_tensors_are_taken_as_they_are(tmp_path: Path) -> None:
    import torch
    from safetensors.torch import save_file as save_torch

    folder = write(tmp_path / "a", {}, 4)
    down, up = (torch.tensor(part, dtype=torch.bfloat16) for part in known([4.0, 2.0, 1.0, 0.5], 20, 30))
    path = PATH.format(0, "self_attn.v_proj")
    tensors = {f"{path}.lora_A.weight": down, f"{path}.lora_B.weight": up, f"{path}.lora_magnitude_vector": torch.ones(20)}
    tensors |= {"base_model.model.embed.lora_embedding_A": torch.ones(4, 9), f"{path}x.lora_A.weight": torch.ones(4, 9)}
    save_torch(tensors, folder / "adapter_model.safetensors")
    found = spectrum(folder)
    assert found.modules[0].values == pytest.approx([8.0, 4.0, 2.0, 1.0], rel=0.03)
    assert len(found.modules) == 1
    assert "1 of its matrices" in found.notes[0]


@pytest.mark.parametrize("bad", ["nan", "huge", "cut", "none", "config", "alpha", "pickle"])
def test_what_cannot_be_used_is_refused_with_a_reason(tmp_path: Path, bad: str) -> None:
    folder = tmp_path / "a"
    write(folder, {PATH.format(0, "mlp.up_proj"): known([1.0, 2.0], 8, 8)}, 2)
    weights = folder / "adapter_model.safetensors"
    if bad in ("nan", "huge"):
        value = np.nan if bad == "nan" else 3e38
        write(folder, {PATH.format(0, "mlp.up_proj"): (np.full((2, 8), value), np.full((8, 2), value))}, 2, lora_alpha=1e300)
    elif bad == "cut":
        weights.write_bytes(weights.read_bytes()[:-8])
    elif bad == "none":
        write(folder, {}, 2)
    elif bad == "config":
        write(folder, {}, 10**9)
    elif bad == "alpha":
        write(folder, {PATH.format(0, "mlp.up_proj"): known([1.0, 2.0], 8, 8)}, 2, lora_alpha={})
    else:
        weights.rename(folder / "adapter_model.bin")
    with pytest.raises(StudioError) as caught:
        spectrum(folder)
    assert caught.value.why


def test_a_file_too_large_is_not_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("studio.models.spectrum.MAX_BYTES", 10)
    with pytest.raises(StudioError, match="larger"):
        one(tmp_path / "a", [1.0, 1.0])
