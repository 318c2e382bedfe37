"""Models that others published: what is known of each before anything is fetched, each figure with its source."""

from __future__ import annotations

import functools
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from studio.models.folder import ModelShape
from studio.workspace import slug

LIST = Path(__file__).parents[2] / "assets" / "models.json"


@dataclass(frozen=True)
class Published:
    """One published model. `parameters` counts weights, `context` tokens, `download_bytes` the files to fetch.

    `licence` is its name, `allows` a sentence on what it permits. `settings` are recommended settings by name. `sources` names
    where each of these was read, by field.
    """

    repo: str
    title: str
    family: str
    model_type: str
    parameters: int
    shape: ModelShape
    context: int
    download_bytes: int
    licence: str
    allows: str
    gated: bool
    languages: tuple[str, ...]
    strengths: str
    settings: dict[str, Any]
    sources: dict[str, str]


def hub_id(repo: str) -> str:
    """The id of a model of the Hub, the same for a name in whatever case: "smollm3-3b-3b44bd"."""
    return f"{slug(repo.rpartition('/')[2])}-{hashlib.sha256(repo.lower().encode()).hexdigest()[:6]}"


@functools.cache
def published() -> tuple[Published, ...]:
    """All of them, in the order of the file."""
    values = json.loads(LIST.read_text(encoding="utf-8"))["models"]
    return tuple(
        Published(**{**item, "shape": ModelShape(**item["shape"]), "languages": tuple(item["languages"])}) for item in values
    )


def find(repo: str) -> Published | None:
    """The one with this name on the Hub, in whatever case; None when it is not on the list."""
    return next((item for item in published() if item.repo.lower() == repo.lower()), None)
