"""Finding the fused form of a model by inspection, and running its layers over a pack."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from bitsandbytes.nn import Linear4bit
from torch.utils.checkpoint import checkpoint

from studio.models.half import HalfLinear
from studio.training.fused import functions, kernels
from studio.training.fused.attention import Attention
from studio.training.fused.group import ADAPTER, Group
from studio.training.fused.heads import Heads
from studio.training.noise import add_noise
from studio.training.packs import Pack

LAYER_PARTS = {"self_attn", "mlp", "input_layernorm", "post_attention_layernorm", "resid_attn_dropout", "resid_mlp_dropout"}
ATTENTION_PARTS = {"q_proj", "k_proj", "v_proj", "qkv_proj", "o_proj", "q_norm", "k_norm"}
MLP_PARTS = {"gate_proj", "up_proj", "gate_up_proj", "down_proj", "act_fn", "activation_fn"}


class NotFusable(Exception):
    """The model has something the fused step does not know. The text says what, for the run's log."""


@dataclass(frozen=True)
class Layer:
    """One decoder layer: norm, q/k/v, attention, output, norm, gated MLP. Norms are (weight, eps)."""

    attention_norm: tuple[torch.Tensor, float]
    query_key_value: Group
    heads: Heads
    output: Group
    mlp_norm: tuple[torch.Tensor, float]
    gate_up: Group
    down: Group
    activation: str


@dataclass(frozen=True)
class Decoder:
    """A causal language model whose layers run over packs.

    With `recompute` each layer keeps its input alone and is computed again for the gradient (arXiv:1604.06174); with `flash`
    attention is one call for the whole pack (see studio/training/fused/flash.py).
    """

    embedding: torch.nn.Module
    rotary: torch.nn.Module
    layers: tuple[Layer, ...]
    norm: tuple[torch.Tensor, float]
    head: torch.nn.Linear
    lean: bool
    recompute: bool = False
    flash: bool = False

    @property
    def dtype(self) -> torch.dtype:
        """The compute format."""
        return self.norm[0].dtype

    @property
    def head_weight(self) -> torch.Tensor:
        """The head's weight [vocabulary, size] in the format it is stored in."""
        return self.head.stored_weight if isinstance(self.head, HalfLinear) else self.head.weight

    @property
    def groups(self) -> list[Group]:
        """All groups, in order."""
        return [group for item in self.layers for group in (item.query_key_value, item.output, item.gate_up, item.down)]

    def loss_sum(self, pack: Pack, *, noise: float = 0.0) -> torch.Tensor:
        """Summed negative log-likelihood of the pack's learned tokens, in nats: a float32 scalar with a gradient.

        Args:
            noise: The alpha of `add_noise`; above 0 the pack must share no opening.
        """
        for group in self.groups:
            group.refresh()
        hidden = self.embedding(pack.input_ids)
        if noise:
            hidden = add_noise(hidden, pack.lengths, noise)
        cos, sin = (item[0, :, None] for item in self.rotary(hidden[None], position_ids=pack.positions[None]))
        run = partial(checkpoint, self._layer, use_reentrant=False, preserve_rng_state=False) if self.recompute else self._layer
        for layer in self.layers:
            hidden = run(layer, hidden, pack, cos, sin)
        hidden = functions.Norm.apply(hidden.index_select(0, pack.keep), *self.norm)
        return functions.HeadLoss.apply(hidden, self.head_weight, self.head.bias, pack.targets)

    def _layer(self, layer: Layer, hidden: torch.Tensor, pack: Pack, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
        group = layer.query_key_value
        qkv = functions.NormLinear.apply(hidden, group, *layer.attention_norm, *group.parameters)
        attended = Attention.apply(qkv, layer.heads, pack, cos, sin, self.flash)
        hidden = hidden + functions.Linear.apply(attended, layer.output, *layer.output.parameters)
        learned = (*layer.gate_up.parameters, *layer.down.parameters)
        return hidden + functions.GatedMLP.apply(
            hidden, layer.gate_up, layer.down, *layer.mlp_norm, layer.activation, self.lean, *learned
        )


def read_decoder(model: Any, longest: int, *, lean: bool = False) -> Decoder:
    """The fused form of a PeftModel, which stays as it is. Raises NotFusable.

    Args:
        longest: Tokens of the longest row; sliding windows at least as long make no difference.
    """
    causal = model.get_base_model()
    config, body, head = causal.config, causal.model, causal.get_output_embeddings()
    window = getattr(config, "sliding_window", None)
    kinds = getattr(config, "layer_types", None) or (["sliding_attention"] if window else ["full_attention"])
    _need(set(kinds) <= {"full_attention", "sliding_attention"}, f"attention of kind {', '.join(sorted(set(kinds)))}")
    _need("sliding_attention" not in kinds or (window and window >= longest), f"a sliding window of {window} tokens")
    _need(not getattr(config, "final_logit_softcapping", None), "capped logits")
    _need(type(head) in (torch.nn.Linear, HalfLinear), "an adapter on its output layer")
    for name in ("embed_tokens", "rotary_emb", "layers", "norm"):
        _need(hasattr(body, name), f"no part named {name}")
    for layer in body.layers:
        _check_layer(layer)
    activation = getattr(config, "hidden_activation", None) or config.hidden_act
    _need(activation in kernels.GATES, f"the activation {activation}")
    heads = (config.num_attention_heads, config.num_key_value_heads)
    dtype = body.norm.weight.dtype
    _need(dtype in (torch.float32, torch.bfloat16), f"the number format {dtype}")
    known = {
        id(item) for module in model.modules() if hasattr(module, "lora_A") for item in module.parameters() if item.requires_grad
    }
    learned = [item for item in model.parameters() if item.requires_grad]
    _need(all(id(item) in known for item in learned), "learned weights besides LoRA")
    layers = tuple(_read_layer(layer, heads, activation, dtype) for layer in body.layers)
    return Decoder(body.embed_tokens, body.rotary_emb, layers, _norm(body.norm), head, lean)


def _need(holds: bool, what: str) -> None:
    if not holds:
        raise NotFusable(f"it has {what}")


def _check_layer(layer: torch.nn.Module) -> None:
    """Raise NotFusable unless the layer has exactly the parts of the plain decoder layer."""
    for module, parts in ((layer, LAYER_PARTS), (layer.self_attn, ATTENTION_PARTS), (layer.mlp, MLP_PARTS)):
        names = {name for name, _ in module.named_children()}
        _need(names <= parts, f"an unknown part: {', '.join(sorted(names - parts))}")
    attention, mlp = layer.self_attn, layer.mlp
    names = {name for name, _ in attention.named_children()} | {name for name, _ in mlp.named_children()}
    _need({"q_proj", "k_proj", "v_proj"} <= names or "qkv_proj" in names, "no q, k and v layers")
    _need({"gate_proj", "up_proj"} <= names or "gate_up_proj" in names, "no gated MLP")
    _need({"o_proj", "down_proj"} <= names, "no output layers")
    # SmolLM3: on short trial rows it differs too little to be noticed in 16 bit
    _need(bool(getattr(attention, "use_rope", True)), "layers that are not told positions")
    _need(("q_norm" in names) == ("k_norm" in names), "a norm on q or k alone")
    for module in layer.modules():
        _need(not isinstance(module, torch.nn.Dropout) or module.p == 0, "dropout")
    for name in names - {"act_fn", "activation_fn", "q_norm", "k_norm"}:
        _check_linear(getattr(attention, name, None) or getattr(mlp, name))


def _check_linear(module: torch.nn.Module) -> None:
    base = getattr(module, "base_layer", module)
    _need(type(base) in (torch.nn.Linear, HalfLinear, Linear4bit), f"a layer of kind {type(base).__name__}")
    if base is not module:
        _need(list(getattr(module, "lora_A", {})) == [ADAPTER], "an adapter of another kind")
        _need(not module.use_dora.get(ADAPTER, False), "DoRA")
        _need(not module.merged and not module.lora_bias.get(ADAPTER, False), "a merged or biased adapter")


def _read_layer(layer: torch.nn.Module, heads: tuple[int, int], activation: str, dtype: torch.dtype) -> Layer:
    attention, mlp = layer.self_attn, layer.mlp
    query_key_value = (
        [attention.qkv_proj] if hasattr(attention, "qkv_proj") else [attention.q_proj, attention.k_proj, attention.v_proj]
    )
    gate_up = [mlp.gate_up_proj] if hasattr(mlp, "gate_up_proj") else [mlp.gate_proj, mlp.up_proj]
    normed = hasattr(attention, "q_norm")
    return Layer(
        attention_norm=_norm(layer.input_layernorm),
        query_key_value=Group(query_key_value, dtype),
        heads=Heads(
            *heads,
            attention.head_dim,
            attention.scaling,
            _norm(attention.q_norm) if normed else None,
            _norm(attention.k_norm) if normed else None,
        ),
        output=Group([attention.o_proj], dtype),
        mlp_norm=_norm(layer.post_attention_layernorm),
        gate_up=Group(gate_up, dtype),
        down=Group([mlp.down_proj], dtype),
        activation=activation,
    )


def _norm(module: torch.nn.Module) -> tuple[torch.Tensor, float]:
    """(weight, eps) of an RMSNorm. Gemma stores the weight less one."""
    eps = getattr(module, "variance_epsilon", None) or module.eps
    weight = module.weight.detach()
    return (1.0 + weight.float()).to(weight.dtype) if type(module).__name__.startswith("Gemma") else weight, eps
