"""Models that others published: what is known of each before anything is fetched, each figure with its source.

assets/models.json holds them, one object each. A fact whose source was not read is left out there. What a model's own files
say once they are fetched counts instead; `differences` says where the two part.
"""

from __future__ import annotations

import functools
import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from studio.models.folder import ModelFacts, ModelShape
from studio.workspace import slug

LIST = Path(__file__).parents[2] / "assets" / "models.json"
SAME = 0.03  # shapes count neither biases nor routers, so parameters this near (as a share) are the same
COUNTED = {
    "layers": "layers",
    "hidden_size": "numbers for a token between layers",
    "vocab_size": "tokens in its vocabulary",
    "intermediate_size": "numbers inside an MLP",
    "heads": "attention heads",
    "kv_heads": "key and value heads",
    "head_dim": "numbers in a head",
    "experts": "experts",
    "experts_used": "experts for a token",
}


@dataclass(frozen=True)
class Published:
    """One published model. `parameters` counts weights, `context` tokens.

    `licence` is its name, `allows` a sentence on what it permits, `gated` whether its publisher wants to be asked first.
    `settings` are recommended settings by name. `sources` names where each field was read. Whatever has a default here may be
    left out of the file: empty, or None for `gated`, means that nobody was found who says.
    """

    repo: str
    title: str
    family: str
    model_type: str
    parameters: int
    shape: ModelShape
    context: int
    sources: dict[str, str]
    licence: str = ""
    allows: str = ""
    gated: bool | None = None
    languages: tuple[str, ...] = ()
    strengths: str = ""
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """Its id in the workspace."""
        return hub_id(self.repo)

    @property
    def download_bytes(self) -> int:
        """About what there is to fetch: two bytes a weight, as in bfloat16. The Hub says it exactly at the download."""
        return 2 * self.parameters


def hub_id(repo: str) -> str:
    """The id of a model of the Hub, the same for a name in whatever case: "smollm3-3b-3b44bd"."""
    return f"{slug(repo.rpartition('/')[2])}-{hashlib.sha256(repo.lower().encode()).hexdigest()[:6]}"


@functools.cache
def published() -> tuple[Published, ...]:
    """All of them, in the order of the file."""
    values = json.loads(LIST.read_text(encoding="utf-8"))["models"]
    return tuple(
        Published(**{**item, "shape": ModelShape(**item["shape"]), "languages": tuple(item.get("languages", ()))})
        for item in values
    )


def find(repo: str) -> Published | None:
    """The one with this name on the Hub, in whatever case; None when it is not on the list."""
    return next((item for item in published() if item.repo.lower() == repo.lower()), None)


def search(
    query: str, *, family: str = "", licence: str = "", gated: bool | None = None, most_parameters: int | None = None
) -> list[Published]:
    """Those with every word of `query` in title, name, family, languages or strengths, in whatever case and order.

    Args:
        query: Words; none finds all.
        family: Only this family; empty for any.
        licence: Only this licence; empty for any.
        gated: Only those known to be gated (True) or known not to be (False).
        most_parameters: Only those with at most so many weights.
    """
    words = query.lower().split()
    return [
        item
        for item in published()
        if all(word in _text(item) for word in words)
        and family.lower() in ("", item.family.lower())
        and licence.lower() in ("", item.licence.lower())
        and gated in (None, item.gated)
        and (most_parameters is None or item.parameters <= most_parameters)
    ]


def _text(item: Published) -> str:
    return " ".join((item.title, item.repo, item.family, *item.languages, item.strengths)).lower()


def differences(item: Published, facts: ModelFacts) -> list[str]:
    """A sentence, for the log, for each figure of the list that the model's own files contradict."""
    found = []
    if item.model_type != facts.model_type:
        found.append(f"The catalogue says its kind is {item.model_type}, the model says {facts.model_type}.")
    for name, what in COUNTED.items():
        listed, counted = getattr(item.shape, name), getattr(facts.shape, name)
        if listed != counted:
            found.append(f"The catalogue says {listed} {what}, the model has {counted}.")
    for name, what in (("tied", "head and embedding are one"), ("gated", "its MLP has three matrices")):
        if getattr(item.shape, name) != getattr(facts.shape, name):
            found.append(f"The catalogue and the model disagree whether {what}.")
    if abs(facts.parameters - item.parameters) > SAME * item.parameters:
        found.append(f"The catalogue says {item.parameters} parameters, the model has {facts.parameters}.")
    if item.context != facts.context:
        found.append(f"The catalogue says {item.context} tokens of context, the model says {facts.context}.")
    return found
