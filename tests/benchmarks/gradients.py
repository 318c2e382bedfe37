"""How far a gradient in bfloat16 is from the one in 32 bit, on the real starter: our fused step beside transformers with PEFT.

    python -m tests.benchmarks.gradients WORKSPACE [--rows 4]

All three have the same base numbers (those of bfloat16, or of 4 bit unpacked) and the same adapter, whose second half is random
so that every gradient says something. The peer is the tutorial's step: the model's own forward under bfloat16 autocast. Random
tiny models of every family are compared likewise in tests/training/test_fused.py. WORKSPACE must hold the starter.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import torch

from studio.data.encode import encode_all
from studio.models import adapters, load
from studio.models.hardware import calm_threads
from studio.records import Example
from studio.training.fused.layers import read_decoder
from studio.training.packs import make_pack
from tests.benchmarks.tutorial import conversations
from tests.training.tiny import far, gradients, plain_loss

LONGEST = 512
SAYS = 0.02  # standard deviation of the adapter's second half


def model_of(folder: Path, quantization: str) -> Any:
    """The starter in bfloat16 with an adapter of rank 16 that says something, always the same."""
    base = load.load_base(folder, quantization, compute_dtype="bfloat16")
    like = {"lora_dropout": 0.0, "target_modules": "all-linear", "use_rslora": False, "use_dora": False}
    model = adapters.add_adapter(base, r=16, lora_alpha=32, seed=1, **like)
    torch.manual_seed(2)
    with torch.no_grad():
        for name, item in model.named_parameters():
            if "lora_B" in name:
                item.normal_(std=SAYS)
    return model


def errors(folder: Path, quantization: str, rows: list[Any]) -> tuple[float, float]:
    """Relative errors of the gradient in bfloat16: the tutorial's, ours."""
    exact = model_of(folder, quantization)
    load.unpack(exact)
    exact.float()
    truth = gradients(exact, plain_loss(exact, rows))
    del exact
    rough = model_of(folder, quantization)
    with torch.autocast("cpu", torch.bfloat16):
        loss = plain_loss(rough, rows)
    theirs = far(gradients(rough, loss), truth)
    return theirs, far(gradients(rough, read_decoder(rough, LONGEST).loss_sum(make_pack(rows))), truth)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("workspace", type=Path)
    parser.add_argument("--rows", type=int, default=4)
    chosen = parser.parse_args()
    calm_threads()
    folder = chosen.workspace / "models" / "starter"
    examples = [Example(messages=tuple(turns)) for turns in conversations()[: chosen.rows]]
    rows, _ = encode_all(load.load_tokenizer(folder), examples, max_length=LONGEST)
    print("| held in | error of transformers with PEFT | ours | x |\n|---|---|---|---|")
    for quantization in ("none", "nf4"):
        theirs, mine = errors(folder, quantization, rows)
        print(f"| {quantization} | {theirs:.4f} | {mine:.4f} | {mine / theirs:.2f} |", flush=True)


if __name__ == "__main__":
    main()
