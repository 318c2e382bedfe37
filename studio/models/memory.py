"""What a run will take, before it starts: memory, time, disk and steps. A first estimate, with its formulas and their error.

Memory. Base: projections at the quantization's bits, embedding and head at the compute format. Adapter: 16 bytes a weight
in fp32 (weight, gradient and AdamW's two moments, arXiv:1711.05101). Work space: what the backward pass needs of each token
and layer, the logits of learned tokens, and the libraries themselves.

Checked against the starter here (r=16 on all layers, fp32, half of the tokens learned; peak of a process that does nothing
else; rows share 24 tokens, so 8 x 64 is a pack of 344):

    quantization  rows x tokens   measured   estimated
    none          4 x 32          1224 MB    1256 MB   (+3 %)
    none          8 x 64          1558 MB    1556 MB   ( 0 %)
    none          8 x 256         3208 MB    3153 MB   (-2 %)
    nf4           4 x 32           963 MB     969 MB   (+1 %)
    nf4           8 x 64          1221 MB    1268 MB   (+4 %)
    nf4           8 x 256         2777 MB    2866 MB   (+3 %)

Four numbers (marked "measured here") were fitted to those six, so expect more error elsewhere: 30 % for other models is
possible. The padded step (8 bit, dropout, DoRA) was measured less, GPUs not at all.
"""

from __future__ import annotations

from dataclasses import dataclass

from studio.config import AdapterConfig, RunConfig
from studio.models import hardware as machine
from studio.models.catalog import ModelEntry
from studio.models.folder import ModelShape
from studio.models.hardware import Hardware

NF4_BITS = 4.127  # 4, plus an 8-bit constant per 64 weights and a 32-bit one per 256 of those: arXiv:2305.14314, section 3
INT8_BITS = 8.1  # 8, plus one 32-bit scale a row
ADAPTER_BYTES = 16
RUNTIME_BYTES = 410 * 10**6  # the process with torch, transformers, peft and bitsandbytes loaded, measured here
STEP_BYTES = 170 * 10**6  # buffers of a step whatever its size, measured here
LEARNED_SHARE = 0.5  # of the tokens: the answers; the rest is only read
LOGIT_COPIES = 4  # logits, the learned ones, their log-softmax and its gradient, in fp32
# On the CPU, freed blocks leave holes between what is kept, which the process does not give back: measured here.
FRAGMENTS = 1.5
UNPACKING_BYTES = 85 * 10**6  # buffers for 4-bit weights in use, measured here
PADDED_GROWTH = {"none": 1.0, "nf4": 1.9, "int8": 1.9}  # the same holes in the padded step, which unpacks every layer anew
WELL, TIGHT = 0.7, 0.95  # shares of the free memory

# Share of the matrix-product rate that a whole step reaches. The fused step of the bakery sample in nf4 reached 0.59 on two
# threads here, its own rate measured in the same process; "none" is assumed to be like it. The padded step takes 8 bit, and
# was several times slower on another CPU (11 s for 60 tokens), so its range is wider.
EFFICIENCY = {"none": 0.6, "nf4": 0.58, "int8": 0.5}
SLOW_INT8 = 4.0  # what the upper end of the time is multiplied by with int8 on a CPU
# Floating-point operations a second, while nothing is measured. A core with AVX2 reached 30e9 here, older ones do a third.
ASSUMED_RATE = {"core": 20e9, "gpu": 10e12}
START_SECONDS = 25.0  # importing and loading
SAMPLES_SHARE = 1.1  # sample answers take up to a tenth
CHECKPOINTS_KEPT = 3
STARTER_WEIGHTS = 275 * 10**6  # bytes of the converted starter on the disk


@dataclass(frozen=True)
class Estimate:
    """What a run takes: bytes, optimizer steps, seconds. `fits`: "well", "tight" or "no", in the memory that is free now.

    `rough`: nothing was measured on this computer yet, so the time is a guess within `seconds_low` and `seconds_high`.
    """

    model_bytes: int
    adapter_bytes: int
    work_bytes: int
    total_bytes: int
    disk_bytes: int
    download_bytes: int
    steps: int
    seconds: float
    seconds_low: float
    seconds_high: float
    fits: str
    rough: bool


@dataclass(frozen=True)
class RowSizes:
    """How many rows there are, and how many tokens they have: on average, at most, and shared by all at their start."""

    rows: int
    validation_rows: int
    mean_tokens: float
    longest_tokens: int
    shared_tokens: int = 0


def estimate(config: RunConfig, model: ModelEntry, sizes: RowSizes, hardware: Hardware) -> Estimate:
    """Estimate a run.

    Time is floating-point operations over rate. A token costs 2 operations a weight forward and 2 backward (its input's
    gradient only: the base's weights are not trained), 6 for an adapter's weight; the head counts for learned tokens. The
    rate is this computer's measured matrix product times `EFFICIENCY`. Before torch is loaded the rate is assumed.
    """
    shape, quantization = model.shape, config.model.quantization
    on_gpu = bool(hardware.accelerator)
    number_bytes, rate, rough = _computer(hardware)
    weights = adapter_parameters(shape, config.adapter)
    model_bytes = base_bytes(shape, model.parameters, quantization, number_bytes)
    adapter_bytes = weights * ADAPTER_BYTES
    tokens = tokens_at_once(config, sizes, model.context)
    if fused(config):
        step_bytes = tokens * fused_token_bytes(shape, number_bytes) * (1.0 if on_gpu else FRAGMENTS)
        step_bytes += UNPACKING_BYTES if quantization == "nf4" else 0
    else:
        step_bytes = tokens * token_bytes(shape, config.adapter, number_bytes) * (1.0 if on_gpu else PADDED_GROWTH[quantization])
    work_bytes = RUNTIME_BYTES + STEP_BYTES + round(step_bytes)
    total = model_bytes + adapter_bytes + work_bytes
    free = hardware.working_memory
    steps = config.total_steps(sizes.rows)
    computed = sizes.mean_tokens
    if fused(config):  # the shared opening is computed once a pack, not once a row
        together = max(1.0, tokens / max(1.0, sizes.mean_tokens))
        computed -= sizes.shared_tokens * (1 - 1 / together)
    trained = config.epochs(sizes.rows) * sizes.rows * computed
    checked = (config.training.evaluations + 1) * sizes.validation_rows * computed
    operations = (trained + checked / 2) * token_operations(shape, weights, sizes.mean_tokens)
    seconds = START_SECONDS + SAMPLES_SHARE * operations / (rate * EFFICIENCY[quantization])
    low, high = (0.3, 3.0) if rough else (0.6, 1.8)
    if quantization == "int8" and not on_gpu:
        high *= SLOW_INT8
    return Estimate(
        model_bytes=model_bytes,
        adapter_bytes=adapter_bytes,
        work_bytes=work_bytes,
        total_bytes=total,
        # the adapter, and checkpoints of weights with their two moments
        disk_bytes=4 * weights * (1 + 3 * CHECKPOINTS_KEPT) + (STARTER_WEIGHTS if model.download_bytes else 0) + 2**20,
        download_bytes=model.download_bytes,
        steps=steps,
        seconds=seconds,
        seconds_low=seconds * low,
        seconds_high=seconds * high,
        fits="well" if total <= WELL * free else "tight" if total <= TIGHT * free else "no",
        rough=rough,
    )


def _computer(hardware: Hardware) -> tuple[int, float, bool]:
    """(bytes of a number, operations a second, whether that is assumed)."""
    if machine.measured():
        return (4 if machine.compute_dtype() == "float32" else 2), machine.gemm_rate(), False
    if hardware.accelerator:
        return 2, ASSUMED_RATE["gpu"], True
    return 4, ASSUMED_RATE["core"] * hardware.cores, True


def fused(config: RunConfig) -> bool:
    """Whether the settings allow the fused step; whether the model does shows when it is loaded."""
    adapter = config.adapter
    return config.model.quantization != "int8" and not adapter.use_dora and not adapter.lora_dropout


def tokens_at_once(config: RunConfig, sizes: RowSizes, context: int) -> int:
    """The most tokens that go through the model together: a pack of the fused step, or a padded batch."""
    training = config.training
    longest = min(max(sizes.longest_tokens, 1), config.data.max_length, context)
    if not fused(config):
        return training.per_device_train_batch_size * longest
    rows = training.per_device_train_batch_size * training.gradient_accumulation_steps
    whole = rows * (longest - min(sizes.shared_tokens, longest)) + sizes.shared_tokens
    return max(longest, min(whole, config.token_budget()))


def base_bytes(shape: ModelShape, parameters: int, quantization: str, number_bytes: int) -> int:
    """Bytes of the base in memory: projections at the quantization's bits, everything else at `number_bytes`."""
    linear = min(shape.linear_parameters, parameters)
    bits = {"nf4": NF4_BITS, "int8": INT8_BITS}.get(quantization, 8 * number_bytes)
    return round(linear * bits / 8) + (parameters - linear) * number_bytes


def adapter_parameters(shape: ModelShape, adapter: AdapterConfig) -> int:
    """Weights of a LoRA adapter: r * (in + out) for every projection it sits on; DoRA adds one size for every output."""
    hidden, inner = shape.hidden_size, shape.intermediate_size
    queries, keys = shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim
    places = [(hidden, queries), (hidden, keys), (hidden, keys), (queries, hidden)]
    if adapter.target_modules == "all-linear":
        places += [(hidden, inner)] * (2 if shape.gated else 1) + [(inner, hidden)]
    each = sum(adapter.r * (into + out) + (out if adapter.use_dora else 0) for into, out in places)
    return shape.layers * each


def fused_token_bytes(shape: ModelShape, number_bytes: int) -> int:
    """Bytes a token takes in the fused step: the outputs of every layer's matrix products, and the stream between them."""
    attention = (2 * shape.heads + 2 * shape.kv_heads) * shape.head_dim
    return shape.layers * number_bytes * (2 * shape.hidden_size + attention + 2 * shape.intermediate_size)


def token_bytes(shape: ModelShape, adapter: AdapterConfig, number_bytes: int) -> float:
    """Bytes a token takes in the padded step: what the backward pass needs of every layer, and the logits where it is learned.

    A layer keeps about 3 values of the MLP's width and 4 of the model's (fitted, see above); dropout keeps a copy of each
    projection's input and its mask besides.
    """
    kept = 3 * shape.intermediate_size + 4 * shape.hidden_size
    if adapter.lora_dropout:
        kept += 2 * (shape.intermediate_size + 6 * shape.hidden_size)
    return shape.layers * kept * number_bytes + LEARNED_SHARE * LOGIT_COPIES * 4 * shape.vocab_size


def token_operations(shape: ModelShape, adapter_weights: int, tokens: float) -> float:
    """Floating-point operations to train on one token of a row of `tokens`: projections, adapter, attention, head."""
    return body_operations(shape, adapter_weights, tokens) + LEARNED_SHARE * head_operations(shape)


def body_operations(shape: ModelShape, adapter_weights: int, tokens: float) -> float:
    """Those of all layers, without the head."""
    attention = 2 * shape.layers * shape.heads * shape.head_dim * tokens / 2  # scores and their use, causal
    return 4 * (shape.linear_parameters + attention) + 6 * adapter_weights


def head_operations(shape: ModelShape) -> float:
    """Those of the head for one learned token."""
    return 4.0 * shape.vocab_size * shape.hidden_size
