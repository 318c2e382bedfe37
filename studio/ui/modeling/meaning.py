"""What the large choices mean: for each a drawing, a number and one sentence that move with the value.

Pure functions from values to HTML: no script, colours by the page's own tokens, every drawing named for screen readers.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from markupsafe import Markup

from studio.config import RunConfig, all_settings
from studio.models.catalog import ModelEntry
from studio.models.footprint import adapter_parameters, base_bytes, held_bytes
from studio.ui import pieces
from studio.ui import words_model as words
from studio.workspace import gib

SAVED_BYTES = 4  # a number of the adapter in its file: it is saved in 32 bit
SQUARE = 64  # pixels of the drawn matrix
THINNEST = 1.5  # pixels: a strip thinner than that cannot be seen
LOUDEST = 4.0  # the factor at the end of the drawn scale; alpha at most four times the rank
# Small ranks suffice (LoRA paper, arXiv:2106.09685, section 7.2); Unsloth's LoRA hyperparameters guide names 4 to 128;
# rsLoRA is for larger ones (arXiv:2312.03732). The bounds are our own rule.
SMALL_RANK, USUAL_RANK, LARGE_RANK = 4, 32, 64
MANY_ROWS = 500  # our own rule: fewer are little for a large adapter
USUAL_ALPHA = (1.0, 2.0)  # alpha by rank: Unsloth's LoRA hyperparameters guide, “LoRA Rank * 1 or 2”
USUAL_RATES = (1e-4, 1e-3)  # the QLoRA paper's is 2e-4, ours 5e-4; from half of the one to twice the other, our own rule
OFTEN = 20  # rounds; our own rule, 8 taught 80 rows in our own trial
MOST_DOTS = 20
CURVE = (160, 48)  # pixels of the curve


def meaning(config: RunConfig, entry: ModelEntry, rows: int = 0, number_bytes: int = 2) -> Markup:
    """The whole card's content.

    Args:
        config: Settings without a fault.
        rows: Rows that are learned from; 0 while there are none.
        number_bytes: Bytes of a number this computer computes in, for the size without memory saving.
    """
    parts = [
        rank(config, entry, rows),
        alpha(config),
        quantization(config, entry, number_bytes),
        learning_rate(config, rows),
        epochs(config, rows),
    ]
    return pieces.head(words.MEANING_TITLE, words.MEANING_NOTE) + Markup('<div class="meaning">{}</div>').format(
        pieces.join(parts)
    )


def block(name: str, value: str, drawing: Markup, sentence: str) -> Markup:
    """One setting: its label, its value in numbers, the drawing, the sentence."""
    label = all_settings()[name].label
    return Markup('<section class="mean"><h3>{}</h3><p class="figure">{}</p>{}<p class="small">{}</p></section>').format(
        label, value, drawing, sentence
    )


def svg(label: str, width: float, height: float, body: Markup) -> Markup:
    """A drawing of its own size, named for those who do not see it."""
    return Markup('<svg width="{0}" height="{1}" viewBox="0 0 {0} {1}" role="img" aria-label="{2}">{3}</svg>').format(
        round(width, 1), round(height, 1), label, body
    )


def box(x: float, y: float, width: float, height: float, colour: str) -> Markup:
    """A filled rectangle in one of the page's colours."""
    return Markup('<rect x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}" rx="1" fill="var(--{})"/>').format(
        x, y, width, height, colour
    )


# ---- adapter size


def rank(config: RunConfig, entry: ModelEntry, rows: int) -> Markup:
    """A matrix of the model and, to the same scale, the two thin ones that learn."""
    r, hidden = config.adapter.r, entry.shape.hidden_size
    numbers = adapter_parameters(entry.shape, config.adapter)
    share = 100 * numbers / max(1, entry.parameters)
    thin = max(THINNEST, min(SQUARE, SQUARE * r / max(1, hidden)))
    sign = Markup('<text x="{:.1f}" y="38" text-anchor="middle">{}</text>')
    left = SQUARE + 24
    body = (
        box(0, 0, SQUARE, SQUARE, "line")
        + sign.format(SQUARE + 12, "+")
        + box(left, 0, thin, SQUARE, "accent")
        + sign.format(left + thin + 10, "·")
        + box(left + thin + 20, (SQUARE - thin) / 2, SQUARE, thin, "accent")
    )
    told = f"A matrix of the model, {hidden} by {hidden}, and two strips {r} thin that learn"
    value = f"{large(numbers)} numbers learn, {share:.2g} % of the model. File: {gib(numbers * SAVED_BYTES)}."
    return block("r", value, svg(told, left + thin + 20 + SQUARE, SQUARE, body), rank_sentence(r, rows))


def rank_sentence(r: int, rows: int) -> str:
    """What the size means for so many rows."""
    if r >= LARGE_RANK and 0 < rows < MANY_ROWS:
        return f"More room than {pieces.count(rows, 'row')} can fill. It may learn them by heart."
    if r >= LARGE_RANK:
        return "Much room, for many and varied rows."
    if r <= SMALL_RANK:
        return "Little room. For a narrow task that is often enough."
    if r > USUAL_RANK:
        return "Larger than usual. It helps only where there is much to learn."
    return "The usual size. The LoRA paper found small sizes enough."


def large(number: int) -> str:
    """A count as people say it: 950, 12,000, 4.9 million, 1.2 billion."""
    for size, name in ((10**9, "billion"), (10**6, "million")):
        if number >= size:
            return f"{number / size:.1f} {name}"
    return f"{number:,}"


# ---- adapter strength


def alpha(config: RunConfig) -> Markup:
    """The factor on what was learned, on a scale with its usual range."""
    adapter = config.adapter
    factor = adapter.lora_alpha / (math.sqrt(adapter.r) if adapter.use_rslora else adapter.r)
    width = CURVE[0]
    low, high = (width * edge / LOUDEST for edge in USUAL_ALPHA)
    at = width * min(LOUDEST, factor) / LOUDEST
    body = box(0, 10, width, 4, "line")
    if not adapter.use_rslora:
        body += box(low, 10, high - low, 4, "accent")
    body += Markup('<circle cx="{:.1f}" cy="12" r="7" fill="var(--surface)" stroke="var(--accent)" stroke-width="4"/>').format(
        max(9.0, min(width - 9.0, at))
    )
    told = f"A scale from 0 to {LOUDEST:g} times, at {factor:.2g} times"
    return block("lora_alpha", f"what it learned counts {factor:.2g} times", svg(told, width, 24, body), alpha_sentence(config))


def alpha_sentence(config: RunConfig) -> str:
    """What the strength means at this size."""
    adapter = config.adapter
    factor = adapter.lora_alpha / adapter.r
    if adapter.use_rslora:
        return "With rsLoRA it falls with the root of the size alone."
    if factor < USUAL_ALPHA[0]:
        low, high = (round(edge * adapter.r) for edge in USUAL_ALPHA)
        return f"Softer than usual. {low} to {high} is usual at this size."
    if factor > USUAL_ALPHA[1]:
        return "Louder than usual. It works like a higher learning rate."
    return "The usual strength: as large as the size, up to twice."


# ---- memory saving


def quantization(config: RunConfig, entry: ModelEntry, number_bytes: int) -> Markup:
    """The memory of the model's weights in each form, as bars; the chosen one in colour."""
    item = all_settings()["quantization"]
    sizes = {}
    for key, _ in item.choices:
        held = held_bytes(config.replace(quantization=key), entry.shape, number_bytes, entry.number_format)
        sizes[key] = base_bytes(entry.shape, entry.parameters, key, held)
    chosen, largest = config.model.quantization, max(sizes.values())
    rows = []
    for key, label in item.choices:
        colour = "c-accent" if key == chosen else "c-slate"
        bar = pieces.bar(f"{label}: {gib(sizes[key])}", [(100 * sizes[key] / largest, colour)], thin=True)
        name = Markup("<b>{}</b>").format(label) if key == chosen else label
        rows.append(Markup("<p><span>{}</span><span>{}</span></p>{}").format(name, gib(sizes[key]), bar))
    sentences = {
        "none": "The model as it is: exact, and the largest.",
        "int8": "Half the digits. On a computer without a graphics card it is slow.",
        "nf4": "A quarter of the digits. The QLoRA paper found its results as good as with 16 bit.",
    }
    value = f"{gib(sizes[chosen])} for the model's numbers"
    return block("quantization", value, Markup('<div class="sizes">{}</div>').format(pieces.join(rows)), sentences[chosen])


# ---- learning rate


def learning_rate(config: RunConfig, rows: int) -> Markup:
    """The rate over the steps as a curve."""
    training = config.training
    total = config.total_steps(rows) if rows else 100
    warm = round(training.warmup_ratio * total)
    shape = SHAPES[training.lr_scheduler_type]
    width, height = CURVE
    points = []
    for at in range(width // 2 + 1):
        step = total * at / (width // 2)
        rate = step / warm if step < warm else shape((step - warm) / max(1, total - warm))
        points.append(f"{2 + at * 2 * (width - 4) / width:.1f},{height - 4 - rate * (height - 8):.1f}")
    line = Markup('<polyline points="{}" fill="none" stroke="var(--accent)" stroke-width="2" stroke-linejoin="round"/>')
    falls = "stays there" if training.lr_scheduler_type == "constant" else "falls to 0"
    rises = f"rises over the first {warm} of {total} steps to" if warm else "begins at"
    told = (
        f"The rate {rises} {training.learning_rate:g}, then {falls}"
        if rows
        else f"The rate {falls} from {training.learning_rate:g}"
    )
    body = box(0, height - 2, width, 1, "line") + line.format(" ".join(points))
    value = f"at most {training.learning_rate:g}" + (f", over {pieces.count(total, 'step')}" if rows else "")
    return block("learning_rate", value, svg(told, width, height, body), rate_sentence(training.learning_rate))


SHAPES: dict[str, Callable[[float], float]] = {  # of the rate after the warmup, over 0 to 1: those of transformers' get_scheduler
    "cosine": lambda part: 0.5 * (1 + math.cos(math.pi * part)),
    "linear": lambda part: 1 - part,
    "constant": lambda part: 1.0,
}


def rate_sentence(rate: float) -> str:
    """What so large a step means."""
    if rate < USUAL_RATES[0]:
        return "Small steps. It may learn little in so short a run."
    if rate > USUAL_RATES[1]:
        return "Large steps. It may forget what it knew."
    return "Usual for adapters: far enough to learn, not so far that it forgets."


# ---- rounds


def epochs(config: RunConfig, rows: int) -> Markup:
    """How often each row is seen, as dots."""
    if not rows:
        return block("num_train_epochs", "not known yet", Markup(""), "It is fitted to how many rows there are.")
    rounds = config.epochs(rows)
    dots = min(rounds, MOST_DOTS)
    body = pieces.join(Markup('<circle cx="{}" cy="8" r="5" fill="var(--accent)"/>').format(8 + 16 * at) for at in range(dots))
    more = rounds - dots
    if more:
        body += Markup('<text x="{}" y="13">+ {}</text>').format(16 * dots + 6, more)
    drawing = svg(f"Each row is seen {rounds} times", 16 * dots + (48 if more else 0), 16, body)
    value = f"{pieces.count(rounds, 'round')}, {pieces.count(config.total_steps(rows), 'step')}"
    return block("num_train_epochs", value, drawing, epochs_sentence(rounds, rows, config.training.early_stopping_patience))


def epochs_sentence(rounds: int, rows: int, patience: int) -> str:
    """What so many rounds mean for so many rows."""
    if rounds <= OFTEN:
        return f"Each of the {rows:,} rows is seen {'once' if rounds == 1 else f'{rounds} times'}."
    if patience:
        return "Often enough to learn them by heart. It ends early when rows kept aside get worse."
    return "Often enough to learn them by heart, and nothing ends it early."
