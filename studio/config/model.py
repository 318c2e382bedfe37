"""What a run starts from, and in how many digits it is held."""

from __future__ import annotations

from dataclasses import dataclass

from studio.fields import setting


@dataclass(frozen=True)
class ModelConfig:
    """What to start from, and in how many digits it is held. `start_from`: an earlier run whose adapter goes on learning."""

    base_model: str = "starter"
    start_from: str = ""
    quantization: str = setting(
        "nf4",
        "Memory saving (quantization)",
        "Keeps the model in fewer digits: less memory, a little less exact.",
        choices=(("none", "Off, 16 bit"), ("int8", "Half, 8 bit"), ("nf4", "Quarter, 4 bit")),
        source="NF4 with double quantization: QLoRA paper, arXiv:2305.14314, section 3.",
        advanced=False,
    )
    compute_dtype: str = setting(
        "auto",
        "Number format while computing",
        "The format this computer is fastest in is found by measuring. Another one is for comparing.",
        choices=(("auto", "Measured"), ("float32", "32 bit"), ("bfloat16", "16 bit (bfloat16)"), ("float16", "16 bit (float16)")),
        source="Measured on this computer before the first run; a CPU without bfloat16 arithmetic is several times slower in it.",
    )
    chat_template: str = setting(
        "own",
        "How a conversation is written down (chat template)",
        "Only for a model that brings none. It must be the same in training and chat.",
        choices=(("own", "The model's own"), ("chatml", "ChatML"), ("plain", "Question and answer")),
        source="The model's own is what it was made with. ChatML is the form most open chat models use.",
    )
