"""Which examples a run learns from, and how they are put before the model."""

from __future__ import annotations

from dataclasses import dataclass

from studio.fields import setting


@dataclass(frozen=True)
class DataConfig:
    """Which examples, and how they are put before the model."""

    dataset_id: str = ""
    dataset_sha256: str = ""
    system_prompt: str = setting(
        "",
        "What it is told first (system prompt)",
        "Put before every example and every chat. Empty: the model's own opening words, where it has some.",
        maximum=2000,
        source="Left to the model's chat template.",
    )
    max_length: int = setting(
        512,
        "Longest example (tokens)",
        "Longer conversations lose their oldest turns. Longer means more memory.",
        unit="tokens",
        minimum=32,
        maximum=32768,
        source="Covers short questions and answers; the QLoRA paper (arXiv:2305.14314) trains at 512.",
    )
