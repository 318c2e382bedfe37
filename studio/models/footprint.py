"""What a run holds in memory at its fullest: while it loads, while it learns, while it answers. Bytes, part by part.

Sources: NF4 with double quantization, arXiv:2305.14314, section 3. LLM.int8, arXiv:2208.07339. AdamW's two moments,
arXiv:1711.05101; in 8 bit, arXiv:2110.02861, section 2. What a layer keeps for its gradient is read off studio/training/fused
and, for the padded step, off the models' own code in transformers with PEFT; checkpointing, arXiv:1604.06174. Numbers marked
"measured here" were fitted to `python -m tests.benchmarks.estimates`, whose table stands in the README.
"""

from __future__ import annotations

from dataclasses import dataclass

from studio.config import AdapterConfig, RunConfig
from studio.models.folder import ModelShape
from studio.models.row_sizes import RowSizes
from studio.models.words import words_of

NF4_BITS = 4.127  # 4, plus an 8-bit constant per 64 weights and a 32-bit one per 256 of those
INT8_BITS = 8.1  # 8, plus one 32-bit scale a row
PLAIN_SCALE_BITS = 0.5  # the fused step keeps NF4's constants in 32 bit besides
WEIGHT_AND_GRADIENT = 8  # bytes of an adapter's weight, both in fp32
MOMENTS = {"adamw": 8.0, "adamw_8bit": 2.0 + 2 * 4 / 256, "paged_adamw_8bit": 2.0 + 2 * 4 / 256}  # one constant per 256
FILE_BYTES = 2  # of a weight in the files of published models, which are in 16 bit
HALVES = ("", "BF16", "F16")  # number formats of files in 16 bit; where nothing is known of one, it is taken for one of those
LOGITS_AT_ONCE = 2**23  # numbers, as in studio/training/fused/functions.py; a test compares
LOGIT_COPIES = {"fused": 2, "padded": 4}  # logits and their softmax; in the padded step also its gradient and the learned ones
LONGEST_PLAIN = 256  # tokens, as in studio/training/fused/attention.py; a test compares
SCORE_COPIES = 4  # scores, their softmax, and the gradients of both
LIBRARIES = 455 * 10**6  # the process with torch, transformers, peft and bitsandbytes imported, measured here
BUFFERS = 150 * 10**6  # what the libraries set aside at the first products and gradients, measured here
# Freed blocks leave holes between what is kept, which a process on a CPU does not give back: share of what a step frees,
# and of the 16-bit weights that 4 and 8 bit are made of. Measured here.
STEP_HOLES, LOADING_HOLES = 0.28, 0.75
# Matrices above glibc's largest mmap threshold (mallopt(3)) are given back at once; then only those that are being made count.
# Measured here with 1.07 billion weights in 4 bit: 3,795 MB at most while loading, 3,830 by this.
MMAP_BYTES, LOADING_COPIES = 32 * 2**20, 6
GPU_CONTEXT = 5 * 10**8  # CUDA's own, with its libraries; not measured, between 0.3 and 0.8 GB is reported


@dataclass(frozen=True)
class Tokens:
    """What goes through the model together: tokens in all, rows among them, tokens of the longest row, learned tokens."""

    together: int
    rows: float
    longest: int
    learned: int


@dataclass(frozen=True)
class Footprint:
    """Bytes of each part, and the peaks of the three phases. `answering` is only reached where there is room for it.

    `mapped`: of `loading`, the files themselves, whose pages the system takes back where something else needs the memory.
    """

    model: int
    adapter: int
    libraries: int
    activations: int
    logits: int
    slack: int
    loading: int
    answering: int
    mapped: int

    @property
    def learning(self) -> int:
        """The peak while it learns."""
        return self.model + self.adapter + self.libraries + self.activations + self.logits + self.slack


def form_of(config: RunConfig, shape: ModelShape) -> str:
    """ "fused" where settings and shape allow that step, else "padded". Whether the layers do shows when they are loaded."""
    adapter = config.adapter
    plain = config.model.quantization != "int8" and not (adapter.use_dora or adapter.lora_dropout or adapter.new_tokens.strip())
    return "fused" if plain and shape.experts == 1 and shape.gated else "padded"


def tokens_at_once(config: RunConfig, sizes: RowSizes, context: int, form: str) -> Tokens:
    """The most that goes through the model together: a pack of the fused step, or a padded batch."""
    training, sizes = config.training, sizes.cut(max(1, min(config.data.max_length, context)))
    longest = max(1, sizes.longest_tokens)
    if form == "padded":
        rows = min(training.per_device_train_batch_size, sizes.rows)
        together = rows * longest
    else:
        rows = min(config.rows_per_step, sizes.rows)
        draws = config.total_steps(sizes.rows)
        together = max(longest, min(sizes.tokens_together(rows, draws), config.token_budget()))
        rows = min(rows, together / max(1.0, sizes.mean_tokens))
    return Tokens(together, rows, longest, max(1, round(together * sizes.learned_share)))


def footprint(  # noqa: PLR0913 - what is known of the computer, by keyword
    config: RunConfig,
    shape: ModelShape,
    parameters: int,
    tokens: Tokens,
    *,
    form: str,
    number_bytes: int,
    on_gpu: bool,
    process_bytes: int = 0,
    number_format: str = "",
) -> Footprint:
    """The bytes of a run.

    Args:
        parameters: All weights as counted in the files.
        number_bytes: Of the compute format.
        number_format: Of the files, as in `ModelFacts`; "" where nothing is known of it.
        process_bytes: What the process holds before it loads anything; 0 takes `LIBRARIES`.
    """
    quantization = config.model.quantization
    held = held_bytes(config, shape, number_bytes, number_format)
    model = base_bytes(shape, parameters, quantization, held)
    weights = adapter_parameters(shape, config.adapter)
    adapter = round(weights * (WEIGHT_AND_GRADIENT + MOMENTS[config.training.optim] + (number_bytes if form == "fused" else 0)))
    kept = tokens.together * token_bytes(shape, config.adapter, number_bytes, form)
    if config.training.gradient_checkpointing:
        kept = kept / shape.layers + tokens.together * shape.layers * shape.hidden_size * number_bytes
    if quantization == "int8":  # held where recomputing does not reach
        kept += tokens.together * outlier_bytes(shape, number_bytes)
    passing = tokens.together * passing_bytes(shape, number_bytes) + score_bytes(shape, tokens, form)
    unpacking = unpacked_bytes(shape, number_bytes, form) if quantization != "none" or held < number_bytes else 0
    logits = logit_bytes(shape, tokens.learned, form) + word_bytes(shape, config.adapter, number_bytes)
    if form == "fused" and quantization == "nf4":
        model += round(packed_parameters(shape) * PLAIN_SCALE_BITS / 8)
    libraries = (process_bytes or LIBRARIES) + BUFFERS
    files = parameters * FILE_BYTES
    # 4 bit is made beside a rest that is held as computed until all is there
    loading = (
        libraries
        - BUFFERS
        + files
        + (model if quantization == "none" else base_bytes(shape, parameters, quantization, number_bytes))
    )
    if quantization != "none":
        loading += loading_holes(shape, number_bytes)
    answering = libraries + model + adapter + (packed_parameters(shape) * number_bytes if quantization == "nf4" else 0)
    slack = round(STEP_HOLES * kept)
    if on_gpu:  # the caching allocator reuses its blocks, and the process itself lives in main memory
        libraries, slack, loading, answering, files = GPU_CONTEXT, round(0.1 * kept), 0, 0, 0
    return Footprint(model, adapter, libraries, round(kept + passing + unpacking), logits, slack, loading, answering, files)


def loading_holes(shape: ModelShape, number_bytes: int) -> int:
    """Bytes that the 16- or 32-bit form of the weights leaves behind when they are made into 4 or 8 bit."""
    largest = shape.hidden_size * shape.intermediate_size * number_bytes
    return LOADING_COPIES * largest if largest > MMAP_BYTES else round(LOADING_HOLES * packed_parameters(shape) * number_bytes)


def held_bytes(config: RunConfig, shape: ModelShape, number_bytes: int, number_format: str = "") -> int:
    """Bytes of a weight that is not packed: as stored for the fused step (see `studio.models.half`), else as computed."""
    return min(number_bytes, FILE_BYTES) if form_of(config, shape) == "fused" and number_format in HALVES else number_bytes


def packed_parameters(shape: ModelShape) -> int:
    """Weights that 4 or 8 bit applies to: those of linear layers. Experts lie in stacks, which bitsandbytes leaves whole."""
    return shape.linear_parameters if shape.experts == 1 else shape.layers * shape.attention_parameters


def base_bytes(shape: ModelShape, parameters: int, quantization: str, held: int) -> int:
    """Bytes of the base in memory: what is packed at the quantization's bits, everything else at `held` bytes a weight."""
    linear = min(packed_parameters(shape), parameters)
    bits = {"nf4": NF4_BITS, "int8": INT8_BITS}.get(quantization, 8 * held)
    return round(linear * bits / 8) + (parameters - linear) * held


def projections(shape: ModelShape) -> dict[str, list[tuple[int, int]]]:
    """(inputs, outputs) of every projection of a layer, grouped by what they read. Those of one expert only."""
    hidden, inner = shape.hidden_size, shape.intermediate_size
    queries, keys = shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim
    return {
        "query_key_value": [(hidden, queries), (hidden, keys), (hidden, keys)],
        "output": [(queries, hidden)],
        "gate_up": [(hidden, inner)] * (2 if shape.gated else 1),
        "down": [(inner, hidden)],
    }


def adapted(adapter: AdapterConfig) -> tuple[str, ...]:
    """The groups of projections that an adapter sits on."""
    attention = ("query_key_value", "output")
    return attention if adapter.target_modules == "attention" else (*attention, "gate_up", "down")


def held_rank(adapter: AdapterConfig) -> int:
    """The rank in memory and in the file: PiSSA's is held as a plain adapter of twice its own (see `studio.models.initial`)."""
    return adapter.r * (2 if adapter.init_lora_weights == "pissa" else 1)


def adapter_parameters(shape: ModelShape, adapter: AdapterConfig) -> int:
    """Weights of an adapter: r * (in + out) for every projection it sits on; DoRA adds one size for every output.

    Every expert has an adapter of its own, with its share of the rank (see `studio.models.targets`); none with DoRA or dropout.
    A new word adds its row of the embedding, and one of the head unless that is the same; words the model already has as one
    piece are counted too, since its tokenizer is not read for this.
    """
    each = 0
    for name in adapted(adapter):
        r, copies = held_rank(adapter), 1
        if shape.experts > 1 and name in ("gate_up", "down"):
            r, copies = max(1, adapter.r // shape.experts_used), 0 if adapter.use_dora or adapter.lora_dropout else shape.experts
        each += copies * sum(r * (into + out) + (out if adapter.use_dora else 0) for into, out in projections(shape)[name])
    return shape.layers * each + word_parameters(shape, adapter)


def word_parameters(shape: ModelShape, adapter: AdapterConfig) -> int:
    """Weights of the rows of new words."""
    return len(words_of(adapter.new_tokens)) * shape.hidden_size * (1 if shape.tied else 2)


def word_bytes(shape: ModelShape, adapter: AdapterConfig, number_bytes: int) -> int:
    """Bytes of what peft makes for new words at each step: the whole head with their rows put in, and its gradient."""
    return 2 * shape.vocab_size * shape.hidden_size * number_bytes if words_of(adapter.new_tokens) else 0


def token_bytes(shape: ModelShape, adapter: AdapterConfig, number_bytes: int, form: str) -> int:
    """Bytes a token leaves in all layers for the backward pass.

    Fused: the outputs of every group of projections, the adapters' inner values, and the stream between them. Padded: the inputs
    and outputs of every projection (PEFT casts the adapter's input to fp32), both norms in fp32, queries and keys before and
    after they are turned, and the MLP's gate before and after.
    """
    hidden, inner = shape.hidden_size, shape.intermediate_size * shape.experts_used
    queries, keys = shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim
    ranks = held_rank(adapter) * sum(len(projections(shape)[name]) for name in adapted(adapter))
    if form == "fused":
        values = 2 * hidden + 2 * (queries + keys) + (2 if shape.gated else 1) * inner + ranks
        return shape.layers * values * number_bytes
    values = 6 * hidden + 4 * queries + 4 * keys + (4 if shape.gated else 2) * inner + ranks
    if adapter.use_dora:  # the base's and the adapter's output apart, and what they are scaled to
        values += 3 * sum(out for name in adapted(adapter) for _, out in projections(shape)[name])
    if adapter.lora_dropout:  # each projection's input once more, and the mask
        values += 2 * (5 * hidden + inner)
    return shape.layers * values * number_bytes


def outlier_bytes(shape: ModelShape, number_bytes: int) -> int:
    """Bytes a token leaves besides in 8 bit: of every projection's input the columns with a large number, kept once more.

    Which those are depends on the text and grows with the tokens; the starter had most of them at 256 tokens, so all are counted.
    """
    inputs = sum(into for places in projections(shape).values() for into, _ in places)
    return shape.layers * inputs * number_bytes


def passing_bytes(shape: ModelShape, number_bytes: int) -> int:
    """Bytes a token takes while one layer's MLP is computed backward, besides what is kept: gradients of its wide values."""
    return (5 * shape.intermediate_size * shape.experts_used + 4 * shape.hidden_size) * number_bytes


def score_bytes(shape: ModelShape, tokens: Tokens, form: str) -> int:
    """Bytes of one layer's attention weights: made whole for shorter rows, never for longer ones or by PyTorch's own form."""
    if form == "padded" or tokens.longest > LONGEST_PLAIN:
        return 0
    return round(SCORE_COPIES * 4 * shape.heads * tokens.together * tokens.longest)


def logit_bytes(shape: ModelShape, learned: int, form: str) -> int:
    """Bytes of the logits and what is made of them, in fp32: of a few positions at once in the fused step, else of all."""
    numbers = learned * shape.vocab_size
    if form == "fused":
        numbers = min(numbers, max(16 * shape.vocab_size, LOGITS_AT_ONCE))
    return LOGIT_COPIES[form] * 4 * numbers


def unpacked_bytes(shape: ModelShape, number_bytes: int, form: str) -> int:
    """Bytes of the largest projection unpacked, in the padded step beside a copy of it."""
    return (2 if form == "padded" else 1) * number_bytes * max(a * b for places in projections(shape).values() for a, b in places)
