"""The settings of the practising itself."""

from __future__ import annotations

from dataclasses import dataclass

from studio.fields import setting

MAX_EPOCHS = 1000


@dataclass(frozen=True)
class TrainingConfig:
    """How it practises."""

    goal: str = setting(
        "questions",
        "What should it get better at?",
        "Chooses the prompts asked again while it learns, and a round more or less through many rows.",
        choices=(("questions", "Questions"), ("voice", "Voice"), ("sorting", "Sorting"), ("format", "Format")),
        advanced=False,
    )
    depth: str = setting(
        "balanced",
        "How thorough?",
        "More rounds through your examples. More time.",
        choices=(("quick", "Quick"), ("balanced", "Balanced"), ("thorough", "Thorough")),
        source="At least 50, 80 or 160 optimizer steps; 80 steps of 8 rows taught 80 rows in our own trial.",
        advanced=False,
    )
    num_train_epochs: int = setting(
        0,
        "Rounds through the data (epochs)",
        "0 fits the rounds to how many rows there are.",
        minimum=0,
        maximum=MAX_EPOCHS,
        source="Fitted so that the steps of the chosen depth are reached.",
    )
    learning_rate: float = setting(
        5e-4,
        "Learning rate",
        "How far each step goes. Too high forgets, too low learns nothing.",
        above=0.0,
        maximum=0.1,
        source="Our own trial on a 135M model; the QLoRA paper uses 2e-4 at 7B.",
    )
    lr_scheduler_type: str = setting(
        "cosine",
        "How the rate falls (schedule)",
        "Smaller steps towards the end settle what was learned.",
        choices=(("cosine", "Cosine"), ("linear", "Straight line"), ("constant", "Not at all")),
        source="SGDR, arXiv:1608.03983.",
    )
    warmup_ratio: float = setting(
        0.05,
        "Gentle start (warmup)",
        "Share of the steps over which the rate rises from zero.",
        minimum=0.0,
        maximum=0.5,
        source="0.03 in the QLoRA paper; at least a few steps in short runs.",
    )
    per_device_train_batch_size: int = setting(
        8,
        "Rows at once (batch)",
        "More at once is steadier and needs more memory.",
        minimum=1,
        maximum=512,
        source="Our own trial; small batches suit few rows.",
    )
    gradient_accumulation_steps: int = setting(
        1,
        "Batches per step (accumulation)",
        "Same effect as more rows at once, without the memory.",
        minimum=1,
        maximum=512,
        source="1: one batch a step.",
    )
    weight_decay: float = setting(
        0.0,
        "Weight decay",
        "Pulls the adapter towards doing nothing.",
        minimum=0.0,
        maximum=1.0,
        source="0 in the QLoRA paper.",
    )
    max_grad_norm: float = setting(
        1.0,
        "Largest step (gradient clipping)",
        "Cuts off sudden jumps.",
        above=0.0,
        maximum=100.0,
        source="arXiv:1211.5063; 1.0 is common practice.",
    )
    optim: str = setting(
        "adamw",
        "Optimizer",
        "Remembers how each number moved. The 8-bit kinds take less memory; the paged one may borrow main memory.",
        choices=(("adamw", "AdamW"), ("adamw_8bit", "AdamW, 8 bit"), ("paged_adamw_8bit", "AdamW, 8 bit, paged")),
        source="AdamW: arXiv:1711.05101. 8 bit: arXiv:2110.02861. Paged: QLoRA paper, arXiv:2305.14314, section 3.",
    )
    gradient_checkpointing: bool = setting(
        False,
        "Compute again instead of remembering (checkpointing)",
        "Takes much less memory and about a third more time. The result is the same.",
        source="arXiv:1604.06174.",
    )
    neftune_noise_alpha: float = setting(
        0.0,
        "Noise while learning (NEFTune)",
        "A little noise on the words read can make answers fuller. 0 is none; 5 is usual.",
        minimum=0.0,
        maximum=50.0,
        source="0: off. NEFTune, arXiv:2310.05914, tried 5, 10 and 15.",
    )
    evaluations: int = setting(
        10,
        "Checks during the run",
        "How often the rows kept aside are looked at. The best check is kept.",
        minimum=1,
        maximum=100,
        source="About ten keeps the cost near a tenth of the run.",
    )
    early_stopping_patience: int = setting(
        3,
        "Checks to wait for a better one (early stopping)",
        "It ends when that many checks in a row were no better than the best. 0 always trains to the end.",
        minimum=0,
        maximum=100,
        source="L. Prechelt, Early Stopping - But When? (1998): its third class of rules, with 3 strips.",
    )
    seed: int = setting(
        42,
        "Seed",
        "The same seed gives the same run again.",
        minimum=0,
        maximum=2**31 - 1,
        source="Any number; 42 by custom.",
    )
