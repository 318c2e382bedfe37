"""Tiny random models of every family, with a LoRA adapter that already says something, and random rows."""

from __future__ import annotations

import random
from typing import Any

import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM, GemmaConfig, LlamaConfig, MistralConfig, Phi3Config, Qwen2Config, Qwen3Config

from studio.data.encode import READ_ONLY, Encoded

VOCABULARY = 97
SHAPE = {
    "vocab_size": VOCABULARY,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 2048,
    "pad_token_id": 0,
}
HEAD = {"head_dim": 16}
CONFIGS: dict[str, tuple[Any, dict[str, Any]]] = {
    "llama": (LlamaConfig, {}),
    "mistral": (MistralConfig, {"sliding_window": None}),
    "qwen2": (Qwen2Config, {}),
    "qwen3": (Qwen3Config, HEAD),
    "phi3": (Phi3Config, {"bos_token_id": 1, "eos_token_id": 2}),
    "gemma": (GemmaConfig, HEAD),
}


def base_of(kind: str, dtype: torch.dtype = torch.float32, **changes: Any) -> torch.nn.Module:
    """A random base model; norms and biases are random too, so that leaving them out would show."""
    config, extra = CONFIGS[kind]
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(config(**{**SHAPE, **extra, **changes}), dtype=dtype, attn_implementation="sdpa")
    with torch.no_grad():
        for name, item in model.named_parameters():
            if "norm" in name or name.endswith("bias"):
                item.add_(torch.randn_like(item) * 0.3)
    return model.eval().requires_grad_(False)


def with_adapter(model: torch.nn.Module, **changes: Any) -> Any:
    """The model with LoRA on every linear layer and both halves random."""
    torch.manual_seed(1)
    settings = {"r": 4, "lora_alpha": 8, "target_modules": "all-linear", "task_type": "CAUSAL_LM", **changes}
    tuned = get_peft_model(model, LoraConfig(**settings))
    with torch.no_grad():
        for name, item in tuned.named_parameters():
            if "lora_B" in name:
                item.normal_(std=0.1)
    return tuned


def rows_of(count: int, prefix: int, seed: int = 0, longest: int = 20) -> list[Encoded]:
    """Rows that share `prefix` tokens and differ after them; a random number of tokens at the end is learned."""
    source = random.Random(seed)
    head = [source.randrange(1, VOCABULARY) for _ in range(prefix)]
    made = []
    for index in range(count):
        tail = [(index + 1) % VOCABULARY] + [source.randrange(1, VOCABULARY) for _ in range(source.randrange(4, longest))]
        learned = source.randrange(1, len(tail) - 1)
        labels = [READ_ONLY] * (prefix + len(tail) - learned) + tail[-learned:]
        made.append(Encoded(input_ids=tuple(head + tail), labels=tuple(labels), source_row=index, cut_turns=0))
    return made


def plain_loss(model: Any, rows: list[Encoded]) -> torch.Tensor:
    """One row at a time, all positions, no padding: the definition."""
    total = torch.zeros(())
    for row in rows:
        logits = model(input_ids=torch.tensor([row.input_ids])).logits[0, :-1].float()
        targets = torch.tensor(row.labels[1:])
        total = total + torch.nn.functional.cross_entropy(logits, targets, ignore_index=READ_ONLY, reduction="sum")
    return total


def gradients(model: Any, loss: torch.Tensor) -> torch.Tensor:
    """All gradients of the learned parameters as one vector."""
    model.zero_grad()
    loss.backward()
    return torch.cat([item.grad.flatten().float() for item in model.parameters() if item.requires_grad])


def far(mine: torch.Tensor, theirs: torch.Tensor) -> float:
    """Relative distance of two vectors."""
    return float((mine - theirs).norm() / theirs.norm())
