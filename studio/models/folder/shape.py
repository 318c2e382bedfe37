"""The numbers of a model's config.json, under whatever names its family gives them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from studio.models.folder.settings import AGAIN, refused

# Decoder families whose code is in transformers itself; a tiny model of each is trained, saved and loaded again in the tests.
MODEL_TYPES = frozenset(
    {"llama", "mistral", "ministral", "qwen2", "qwen3", "smollm3", "phi", "phi3", "gemma", "gemma2", "gemma3_text", "gpt2"}
    | {"gpt_neox", "olmo", "olmo2", "olmo3", "granite", "stablelm", "starcoder2", "falcon", "helium", "cohere", "cohere2"}
    | {"qwen2_moe", "qwen3_moe", "olmoe", "mixtral", "granitemoe"}
)
TIED_BY_DEFAULT = frozenset({"gpt2", "gemma", "gemma2", "gemma3_text", "falcon", "cohere", "cohere2", "starcoder2", "smollm3"})
PLAIN_MLP = frozenset({"gpt2", "gpt_neox", "phi", "falcon", "starcoder2"})  # two matrices instead of three
SIZES = {
    "hidden_size": 65_536,
    "layers": 1_000,
    "vocab_size": 4_000_000,
    "intermediate_size": 1_000_000,
    "heads": 4_096,
    "experts": 4_096,
}


@dataclass(frozen=True)
class ModelShape:
    """The numbers memory and time follow from. `gated`: the MLP has three matrices; `tied`: head and embedding are one.

    A mixture of experts holds `experts` MLPs a layer and sends each token through `experts_used` of them; others have one.
    `intermediate_size` is that of one MLP.
    """

    hidden_size: int
    layers: int
    vocab_size: int
    intermediate_size: int
    heads: int
    kv_heads: int
    head_dim: int
    tied: bool
    gated: bool = True
    experts: int = 1
    experts_used: int = 1

    @property
    def attention_parameters(self) -> int:
        """Weights of the q, k, v and o projections of one layer."""
        return self.hidden_size * self.head_dim * (2 * self.heads + 2 * self.kv_heads)

    @property
    def mlp_parameters(self) -> int:
        """Weights of the MLP's projections of one layer, those of all its experts."""
        return self.experts * self.hidden_size * self.intermediate_size * (3 if self.gated else 2)

    @property
    def linear_parameters(self) -> int:
        """Weights of all layers' projections: what quantization makes smaller and adapters attach to."""
        return self.layers * (self.attention_parameters + self.mlp_parameters)

    @property
    def parameters(self) -> int:
        """All weights, about: projections, embedding, head unless tied, and norms."""
        embedding = self.vocab_size * self.hidden_size
        return self.linear_parameters + embedding * (1 if self.tied else 2) + (2 * self.layers + 1) * self.hidden_size


def shape_of(config: dict[str, Any]) -> ModelShape:
    """The shape that a config.json describes, under any family's names. Raises StudioError on senseless numbers."""
    kind = config.get("model_type")
    hidden = whole(config, "hidden_size", "n_embd")
    heads = whole(config, "num_attention_heads", "n_head")
    kv_default = 1 if kind == "falcon" and config.get("multi_query", True) else heads
    experts = whole(config, "num_experts", "num_local_experts", "n_routed_experts", default=1)
    inner = ("moe_intermediate_size",) if experts > 1 else ()
    shape = ModelShape(
        hidden_size=hidden,
        layers=whole(config, "num_hidden_layers", "n_layer"),
        vocab_size=whole(config, "vocab_size"),
        intermediate_size=whole(config, *inner, "intermediate_size", "n_inner", "ffn_hidden_size", default=4 * hidden),
        heads=heads,
        kv_heads=whole(config, "num_key_value_heads", "num_kv_heads", default=kv_default),
        head_dim=whole(config, "head_dim", default=max(1, hidden // heads)),
        tied=bool(config.get("tie_word_embeddings", kind in TIED_BY_DEFAULT)),
        gated=kind not in PLAIN_MLP,
        experts=experts,
        experts_used=min(experts, whole(config, "num_experts_per_tok", default=1)),
    )
    for name, most in SIZES.items():
        if getattr(shape, name) > most:
            raise refused(f"config.json says {name} is {getattr(shape, name)}, more than any real model.", "Pick another folder.")
    return shape


def whole(config: dict[str, Any], *names: str, default: int | None = None) -> int:
    """The first of these numbers that config.json gives. Raises StudioError when it is no sensible one, or none has a default."""
    for name in names:
        value = config.get(name)
        if value is not None:
            if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 2**40:
                raise refused(f"{name} in config.json is not a sensible number.", AGAIN)
            return value
    if default is None:
        raise refused(f"{names[0]} is missing from config.json.", AGAIN)
    return default
