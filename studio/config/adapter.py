"""The settings of the small part that learns."""

from __future__ import annotations

from dataclasses import dataclass

from studio.fields import setting


@dataclass(frozen=True)
class AdapterConfig:
    """The small part that learns."""

    r: int = setting(
        16,
        "Adapter size (rank)",
        "The adapter is the small part that learns. Larger holds more and needs more memory.",
        minimum=1,
        maximum=256,
        source="LoRA paper, arXiv:2106.09685, section 7.2: small ranks suffice; 16 held 20 facts in our own trial.",
        advanced=False,
    )
    lora_alpha: int = setting(
        32,
        "Adapter strength (alpha)",
        "How loudly the adapter speaks. Twice the rank is usual.",
        minimum=1,
        maximum=1024,
        source="Twice the rank: common practice since the LoRA paper's own code.",
    )
    lora_dropout: float = setting(
        0.0,
        "Dropout",
        "Share of adapter inputs left out at random while learning. Can help with very few rows.",
        minimum=0.0,
        maximum=0.9,
        source="0: the QLoRA paper found it useful only at 13B and below (0.1) and it slows every step.",
    )
    target_modules: str = setting(
        "all-linear",
        "Where it learns (target modules)",
        "All layers learn facts better. Attention only is smaller.",
        choices=(("all-linear", "All layers"), ("attention", "Attention only")),
        source="QLoRA paper, figure 2: adapters on all linear layers are needed to match full fine-tuning.",
    )
    use_rslora: bool = setting(
        False,
        "Steadier at large sizes (rsLoRA)",
        "Scales by the square root of the rank. Worth trying from rank 64.",
        source="arXiv:2312.03732.",
    )
    use_dora: bool = setting(
        False,
        "Finer, slower learning (DoRA)",
        "Learns size and direction apart. Slower, sometimes better at small ranks.",
        source="arXiv:2402.09353.",
    )
    init_lora_weights: str = setting(
        "default",
        "What it starts from (initialisation)",
        "PiSSA starts from the model's strongest directions, LoftQ from what 4 bit rounds away. It learns faster at times.",
        choices=(("default", "Nothing yet"), ("pissa", "PiSSA"), ("loftq", "LoftQ")),
        source="Starting from no change: LoRA paper, section 4.1. PiSSA: arXiv:2404.02948. LoftQ: arXiv:2310.08659.",
    )
    new_tokens: str = setting(
        "",
        "New words (tokens)",
        "One a line. Each becomes one piece of text with a meaning of its own. Slower, and it needs many examples of each.",
        maximum=2000,
        source="Empty: every word can be written with the pieces a model has.",
    )
