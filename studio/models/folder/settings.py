"""The small JSON files of a model folder: read within bounds, and refused where they would make a loader run code."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from studio.errors import StudioError

MAX_JSON = 4 * 2**20  # bytes of a settings file
MAX_DEPTH = 20
UNSAFE_KEY = re.compile(r"auto_map|trust_remote_code|custom_pipelines|(^|_)kernels?($|_)", re.IGNORECASE)
AGAIN = "Download the model again."
# a class of transformers by its plain name; what it builds is looked at once more when it is loaded
CLASS_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,79}")


def refused(why: str, fix: str) -> StudioError:
    """The error for a folder this app does not load."""
    return StudioError("This model cannot be used.", why, fix)


def read_settings(path: Path) -> dict[str, Any]:
    """A small JSON object of a model folder. Raises StudioError when it is too large, too deep or not an object."""
    try:
        if path.stat().st_size > MAX_JSON:
            raise refused(f"{path.name} is too large for a settings file.", AGAIN)
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, ValueError, RecursionError) as error:
        raise refused(f"{path.name} cannot be read.", AGAIN) from error
    if not isinstance(values, dict):
        raise refused(f"{path.name} does not hold settings.", AGAIN)
    return values


def check_settings(path: Path) -> None:
    """Refuse settings that would make a loader fetch or run code."""
    for depth, key, value in _walk(read_settings(path)):
        if depth > MAX_DEPTH:
            raise refused(f"{path.name} is nested too deep.", AGAIN)
        if UNSAFE_KEY.search(key) and value not in (None, False, {}, []):
            raise refused(f"{path.name} asks to run code of its own ({key[:40]}).", "Pick a model that needs none.")
        # transformers fetches a kernel when an implementation is named like a place on the Hub
        if key.endswith("_implementation") and any("/" in item for item in _texts(value)):
            raise refused(f"{path.name} asks to run code of its own ({key[:40]}).", "Pick a model that needs none.")


def check_tokenizer_settings(values: dict[str, Any]) -> None:
    """Refuse a tokenizer_config.json that names another tokenizer file than the one that is looked at, or no class at all."""
    if values.get("fast_tokenizer_files"):
        raise refused("tokenizer_config.json names other tokenizer files.", "Pick a model whose tokenizer is tokenizer.json.")
    name = values.get("tokenizer_class")
    if name is not None and not (isinstance(name, str) and CLASS_NAME.fullmatch(name)):
        raise refused("tokenizer_config.json names no usable tokenizer_class.", AGAIN)


def _walk(values: Any) -> Iterator[tuple[int, str, Any]]:
    """(depth, key, value) of everything in nested JSON, without recursion."""
    waiting = [(1, "", values)]
    while waiting:
        depth, key, value = waiting.pop()
        yield depth, key, value
        if depth > MAX_DEPTH:
            continue
        if isinstance(value, dict):
            waiting += [(depth + 1, str(name), item) for name, item in value.items()]
        elif isinstance(value, list):
            waiting += [(depth + 1, key, item) for item in value]


def _texts(value: Any) -> list[str]:
    found = [item for _, _, item in _walk(value)]
    return [item for item in found if isinstance(item, str)]
