"""The memory formula for graphics cards beside published figures. On paper only: nothing here was run on a GPU.

The published tables say little of their settings, so the smallest usual ones are taken: one row of 512 tokens at once, rank 16,
checkpointing, 8-bit paged AdamW, bf16. Sources, read on 23 November 2026:

- QLoRA: arXiv:2305.14314, sections 2 and 3, abstract, table 6
- LLaMA-Factory: github.com/hiyouga/LLaMA-Factory, README.md, "Hardware Requirement" (commit 00409ff; "estimated")
- Unsloth: unsloth.ai/docs/get-started/fine-tuning-for-beginners/unsloth-requirements ("the absolute minimum")
- Hugging Face: github.com/huggingface/blog, llama31.md, "Training Memory Requirements" (commit 0551785; "estimated")
"""

from __future__ import annotations

import pytest

from studio.config import RunConfig
from studio.models.folder import ModelShape
from studio.models.footprint import NF4_BITS, Footprint, base_bytes, footprint, tokens_at_once
from studio.models.row_sizes import RowSizes

GB = 1e9
SHAPES = {  # hidden, layers, vocabulary, MLP, heads, key heads: the families' papers, arXiv:2302.13971 and arXiv:2407.21783
    "LLaMA 7B": (4096, 32, 32000, 11008, 32, 32),
    "LLaMA 13B": (5120, 40, 32000, 13824, 40, 40),
    "LLaMA 33B": (6656, 60, 32000, 17920, 52, 52),
    "LLaMA 65B": (8192, 80, 32000, 22016, 64, 64),
    "Llama 3 8B": (4096, 32, 128256, 14336, 32, 8),
    "Llama 3 70B": (8192, 80, 128256, 28672, 64, 8),
    "Llama 3 405B": (16384, 126, 128256, 53248, 128, 8),
}


def shape_of(name: str) -> ModelShape:
    return ModelShape(*SHAPES[name], head_dim=128, tied=False)


def on_paper(name: str, quantization: str, **changes: object) -> Footprint:
    smallest = {"gradient_checkpointing": True, "optim": "paged_adamw_8bit", "per_device_train_batch_size": 1}
    config = RunConfig().replace(quantization=quantization, **{**smallest, **changes})
    shape = shape_of(name)
    tokens = tokens_at_once(config, RowSizes(1000, 0, 512, 512), 4096, "fused")
    return footprint(config, shape, shape.parameters, tokens, form="fused", number_bytes=2, on_gpu=True)


@pytest.mark.parametrize(
    ("source", "name", "quantization", "published"),
    [
        ("QLoRA", "LLaMA 7B", "nf4", 5),
        ("QLoRA", "LLaMA 13B", "nf4", 10),
        ("QLoRA", "LLaMA 33B", "nf4", 21),
        ("QLoRA", "LLaMA 65B", "nf4", 41),
        ("LLaMA-Factory", "LLaMA 7B", "nf4", 6),
        ("LLaMA-Factory", "LLaMA 13B", "nf4", 12),
        ("LLaMA-Factory", "LLaMA 33B", "nf4", 24),
        ("LLaMA-Factory", "Llama 3 70B", "nf4", 48),
        ("LLaMA-Factory", "LLaMA 7B", "int8", 10),
        ("LLaMA-Factory", "LLaMA 13B", "int8", 20),
        ("LLaMA-Factory", "Llama 3 70B", "int8", 80),
        ("LLaMA-Factory", "LLaMA 7B", "none", 16),
        ("LLaMA-Factory", "LLaMA 13B", "none", 32),
        ("LLaMA-Factory", "LLaMA 33B", "none", 64),
        ("LLaMA-Factory", "Llama 3 70B", "none", 160),
        ("Unsloth", "LLaMA 7B", "nf4", 5),
        ("Unsloth", "Llama 3 70B", "nf4", 41),
        ("Unsloth", "LLaMA 7B", "none", 19),
        ("Unsloth", "Llama 3 8B", "none", 22),
        ("Unsloth", "Llama 3 70B", "none", 164),
        ("Hugging Face", "Llama 3 8B", "none", 16),
        ("Hugging Face", "Llama 3 70B", "nf4", 48),
        ("Hugging Face", "Llama 3 70B", "none", 160),
        ("Hugging Face", "Llama 3 405B", "nf4", 250),
        ("Hugging Face", "Llama 3 405B", "none", 950),
    ],
)
def test_published_totals_are_met_within_a_quarter(source: str, name: str, quantization: str, published: float) -> None:
    assert on_paper(name, quantization).learning / GB == pytest.approx(published, rel=0.25), source


def test_eight_billion_weights_in_four_bit_are_estimated_above_what_tools_publish() -> None:
    """6 GB say Unsloth and Hugging Face. Here the 16-bit head and embedding of 128,256 words alone take 2.1 GB of it."""
    found = on_paper("Llama 3 8B", "nf4").learning / GB
    assert 6 < found < 8.5
    shape = shape_of("Llama 3 8B")
    assert base_bytes(shape, shape.parameters, "nf4", 2) / GB == pytest.approx(5.7, rel=0.02)


def test_the_papers_two_claims_of_what_fits_hold() -> None:
    """65B on a 48 GB card (abstract), 33B on one of 24 GB (section 4, with paged optimizers)."""
    assert on_paper("LLaMA 65B", "nf4").learning < 48 * GB
    assert on_paper("LLaMA 33B", "nf4").learning < 24 * GB


def test_double_quantization_saves_what_the_paper_says() -> None:
    """Section 3: 8/64 + 32/(64 * 256) = 0.127 bits for the constants instead of 0.5; about 3 GB."""
    assert pytest.approx(4 + 8 / 64 + 32 / (64 * 256), abs=1e-3) == NF4_BITS
    shape = shape_of("LLaMA 65B")
    assert (4.5 - NF4_BITS) / 8 * shape.linear_parameters / GB == pytest.approx(3.0, rel=0.02)


def test_checkpointing_leaves_about_a_layers_share() -> None:
    """Section 2: 567 MB of input gradients become 18 MB for one sequence of a model with 32 layers."""
    whole, again = (on_paper("LLaMA 7B", "none", gradient_checkpointing=choice) for choice in (False, True))
    kept = (whole.activations - again.activations) / GB
    assert kept > 1.0 and again.activations < whole.activations / 3
