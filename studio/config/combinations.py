"""Which settings do not go together, in one place: each with the sentence a person reads and where it is from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Refusal:
    """Refused where every setting in `when` has one of the values beside it.

    `device`: "" refuses everywhere, "cpu" only there. `source` says what was measured or read.
    """

    when: Mapping[str, tuple[Any, ...]]
    sentence: str
    source: str
    device: str = ""

    def holds(self, values: Mapping[str, Any], device: str) -> bool:
        """Whether these settings are refused for what `device` is; "" asks about settings alone."""
        return self.device == device and all(values.get(name) in refused for name, refused in self.when.items())


REFUSALS = (
    Refusal(
        {"init_lora_weights": ("pissa",), "quantization": ("nf4", "int8")},
        "PiSSA takes the model's own weights apart, so memory saving must be off for it.",
        "arXiv:2404.02948, section 3; peft 0.21 raises TypeError on quantized weights.",
    ),
    Refusal(
        {"init_lora_weights": ("loftq",), "quantization": ("none", "int8")},
        "LoftQ brings back what 4 bit rounds away, so memory saving must be “Quarter, 4 bit” for it.",
        "arXiv:2310.08659, section 3; peft 0.21 knows it for 4-bit layers.",
    ),
    Refusal(
        {"init_lora_weights": ("loftq",), "use_dora": (True,)},
        "LoftQ and DoRA do not go together: DoRA measures the layers before LoftQ mends them. Turn one off.",
        "peft 0.21: the magnitude is taken when the adapter is made, LoftQ replaces the weights afterwards.",
    ),
    Refusal(
        {"use_dora": (True,), "quantization": ("int8",)},
        "DoRA in 8 bit needs a graphics card, and none was found. Choose 4 bit, or turn DoRA off.",
        "Tried: with peft 0.21.2 and bitsandbytes 0.50.2 the second step on a CPU raises AttributeError.",
        device="cpu",
    ),
    Refusal(
        {"init_lora_weights": ("loftq",)},
        "LoftQ needs a graphics card, and none was found. Choose another start for the adapter.",
        "peft 0.21 asserts CUDA.",
        device="cpu",
    ),
    Refusal(
        {"optim": ("paged_adamw_8bit",)},
        "The paged optimizer needs a graphics card, and none was found. “AdamW, 8 bit” works without one.",
        "bitsandbytes 0.50 warns on a CPU and pages nothing.",
        device="cpu",
    ),
    Refusal(
        {"compute_dtype": ("float16",)},
        "16 bit (float16) needs a graphics card, and none was found. Choose “Measured” or another number format.",
        "Small gradients vanish in it without loss scaling (arXiv:1710.03740), and CPUs are not fast in it.",
        device="cpu",
    ),
)


def refusals(values: Mapping[str, Any], *, device: str = "") -> list[str]:
    """The sentence of every combination among these settings that is refused.

    Args:
        values: Settings by name, of all sections together.
        device: "" looks at settings alone; "cpu" or "cuda" at what this device rules out besides.
    """
    return [item.sentence for item in REFUSALS if item.holds(values, device)]
