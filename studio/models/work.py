"""What there is to compute in a run, and how long this computer takes for it: operations, passes over memory, and calls.

A weight costs a token 2 operations forward and 2 backward (its input's gradient only: the base is not trained), an adapter's
weight 6, as J. Kaplan et al. count them (arXiv:2001.08361, section 2.1). The rest is counted in the code of the two steps
(studio/training/fused, studio/training/step.py): passes over memory by elementwise work, and calls of operations.
"""

from __future__ import annotations

from dataclasses import dataclass

from studio.models.calibration import Speed
from studio.models.folder import ModelShape
from studio.models.row_sizes import LEARNED_SHARE

# Numbers read and written for a token in a layer, forward and backward, by width: of the model, of the MLP, of all queries.
# Counted in the fused functions; the model's own code with PEFT makes about twice as many passes, and casts.
TOUCHED = {"fused": (68, 23, 63), "padded": (136, 60, 120)}
FORWARD_SHARE = 0.3  # of those passes; a checked row has only them, and checkpointing does them twice
CALLS = {"fused": 260, "padded": 700}  # operations of a layer, forward and backward, for each pack or batch
BATCHED_PRODUCTS = {"fused": 7, "padded": 6}  # of a row's queries with its keys or values: two forward, the rest backward
HEAD_PASSES = 8  # over the logits: softmax, logarithm, gradient
UPDATE_PASSES = 14  # over the adapter: its norm, AdamW's update, and the copies in the compute format, 4 bytes each
SAMPLE_PROMPTS, SAMPLE_TOKENS = 3, 48  # as in studio/training/callbacks.py, which cannot be imported from here; a test compares
SAMPLE_SHARE = 0.1  # of the training time, for all but the first and the last answers
# Operations of a layer for one more token of an answer, the adapter's small products and the modules around them counted as so
# many. Fitted here: three answers of 48 tokens by the starter with its adapter took 11.2 s.
DECODE_CALLS = 600
EIGHT_BIT_CALLS = 2  # times as many in 8 bit; fitted to five runs here, which are promised 0.85 to 1.27 of their time
DORA_PASSES = 7  # over the weights it sits on: B·A made and turned, scaled, added, and the sum's size found (peft 0.21)
STEP_OVERHEAD = 1.25  # what a step takes beyond its parts; fitted here: 4.1 s where they add up to 3.3 s
IMPORT_SECONDS = 9.0  # importing the libraries, measured here; nothing where they are loaded already
SETUP_SECONDS = 5.0  # tokenizer, adapter, and reading the layers; measured here: 8.7 s in all, 3.6 of them by the other parts
TRIAL_TOKENS = 110  # through both steps before the first one, to see that they agree


@dataclass(frozen=True)
class Batch:
    """What goes through the model in one optimizer step, or in one look at the rows kept aside.

    `tokens` are computed ones, `learned` those that the loss is over, `parts` how many packs or batches they fall into, and
    `seen` how many tokens each one looks back on.
    """

    tokens: float
    learned: float
    parts: float
    seen: float


@dataclass(frozen=True)
class Task:
    """What the time of a batch depends on besides the batch: `form` is "fused" or "padded".

    `number_bytes` are those of the compute format, `held_bytes` those of a weight that is not packed.
    """

    shape: ModelShape
    quantization: str
    adapter_weights: int
    number_bytes: int
    held_bytes: int
    form: str
    checkpointing: bool = False
    dora_weights: int = 0  # weights that DoRA sizes anew at each pass, 0 without it

    @property
    def used_weights(self) -> float:
        """Weights of the projections that a token goes through: a mixture of experts uses some of them."""
        shape = self.shape
        mlp = shape.mlp_parameters * shape.experts_used / shape.experts
        return shape.layers * (shape.attention_parameters + mlp)


def step_seconds(task: Task, batch: Batch, speed: Speed) -> float:
    """One optimizer step: forward, backward, update."""
    forward = forward_seconds(task, batch, speed)
    backward = _layers(task, batch, speed, passes=1, touched=1 - FORWARD_SHARE, products=BATCHED_PRODUCTS[task.form] - 2)
    backward += 4 * task.adapter_weights * batch.tokens / speed.narrow + _head(task, batch, speed) / 2
    again = _layers(task, batch, speed, passes=1, touched=FORWARD_SHARE, products=2) if task.checkpointing else 0.0
    update = UPDATE_PASSES * 4 * task.adapter_weights / speed.streamed
    return STEP_OVERHEAD * (forward + backward + again + update)


def forward_seconds(task: Task, batch: Batch, speed: Speed) -> float:
    """One look without a gradient."""
    layers = _layers(task, batch, speed, passes=1, touched=FORWARD_SHARE, products=2)
    sizing = batch.parts * dora_seconds(task, speed)
    return layers + sizing + 2 * task.adapter_weights * batch.tokens / speed.narrow + _head(task, batch, speed) / 2


def dora_seconds(task: Task, speed: Speed) -> float:
    """What DoRA adds to each pass however few its tokens: B·A is made for every layer, and the size of every output found."""
    return DORA_PASSES * task.dora_weights * task.number_bytes / speed.streamed


def _layers(task: Task, batch: Batch, speed: Speed, *, passes: int, touched: float, products: int) -> float:
    """All layers once, in one direction."""
    shape, weights = task.shape, task.used_weights
    if task.quantization == "int8" and not speed.on_gpu:
        seconds = passes * 2 * weights * batch.tokens / speed.eight_bit
    else:
        seconds = passes * batch.parts * speed.product_seconds(weights, batch.tokens / batch.parts)
    if task.quantization == "nf4":
        seconds += passes * batch.parts * shape.linear_parameters / speed.unpacked
    else:
        seconds += passes * batch.parts * converting_seconds(task, shape.linear_parameters, speed)
    widths = (shape.hidden_size, shape.intermediate_size * shape.experts_used, shape.heads * shape.head_dim)
    numbers = sum(count * width for count, width in zip(TOUCHED[task.form], widths, strict=True))
    seconds += touched * numbers * shape.layers * batch.tokens * task.number_bytes / speed.streamed
    seconds += products * 2 * shape.layers * shape.heads * shape.head_dim * batch.seen * batch.tokens / speed.attended
    return seconds + touched * CALLS[task.form] * shape.layers * batch.parts * speed.call_seconds


def converting_seconds(task: Task, weights: float, speed: Speed) -> float:
    """To make numbers of the compute format from weights held in 16 bit, once."""
    return weights * (task.held_bytes + task.number_bytes) / speed.streamed if task.held_bytes < task.number_bytes else 0.0


def _head(task: Task, batch: Batch, speed: Speed) -> float:
    """The output layer over the learned tokens, forward and backward."""
    shape = task.shape
    passes = HEAD_PASSES * 4 * shape.vocab_size * batch.learned / speed.streamed
    return 2 * speed.product_seconds(shape.vocab_size * shape.hidden_size, batch.learned) + passes


def answer_seconds(task: Task, speed: Speed, *, unpacked: bool) -> float:
    """The sample answers once: every further token of them reads all weights again.

    Args:
        unpacked: Whether 4-bit weights are unpacked once for all tokens (see studio/models/load.py).
    """
    shape = task.shape
    rest = shape.parameters - shape.linear_parameters
    packs = task.quantization == "nf4" and not unpacked
    each = speed.product_seconds(shape.linear_parameters + rest, SAMPLE_PROMPTS)
    each += DECODE_CALLS * shape.layers * speed.call_seconds * (EIGHT_BIT_CALLS if task.quantization == "int8" else 1)
    each += dora_seconds(task, speed)
    each += converting_seconds(task, rest + (shape.linear_parameters if task.quantization == "none" else 0), speed)
    if task.quantization == "int8" and not speed.on_gpu:
        each += 2 * shape.linear_parameters * SAMPLE_PROMPTS / speed.eight_bit
    unpacking = shape.linear_parameters / speed.unpacked if task.quantization == "nf4" else 0.0
    return SAMPLE_TOKENS * (each + (unpacking if packs else 0.0)) + unpacking


def load_seconds(task: Task, speed: Speed, *, imported: bool) -> float:
    """Until the first check begins: import, read and pack the weights, and try both steps once."""
    shape = task.shape
    packing = shape.linear_parameters / speed.packed if task.quantization == "nf4" else 0.0
    reading = shape.parameters * (2 + task.held_bytes) / speed.streamed
    trial = Batch(TRIAL_TOKENS, TRIAL_TOKENS * LEARNED_SHARE, 2, TRIAL_TOKENS / 4)
    trying = step_seconds(task, trial, speed)
    return (0.0 if imported else IMPORT_SECONDS) + SETUP_SECONDS + packing + reading + trying


def body_operations(shape: ModelShape, adapter_weights: int, tokens: float) -> float:
    """Floating-point operations to train all layers, without the head, on one token of a row of `tokens`."""
    attention = 2 * shape.layers * shape.heads * shape.head_dim * tokens / 2  # scores and their use, causal
    return 4 * (shape.linear_parameters + attention) + 6 * adapter_weights


def head_operations(shape: ModelShape) -> float:
    """Those of the head for one learned token."""
    return 4.0 * shape.vocab_size * shape.hidden_size
