"""The chat template a model folder brings, found in one way for the check, for training and for the chat."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from studio.models.folder.settings import AGAIN, read_settings, refused

MAX_TEMPLATE = 2**20  # bytes; the longest that were seen have some tens of thousands


def own_template(folder: Path) -> str:
    """The text of the folder's own chat template; "" where it has none.

    Looked for in chat_template.jinja, tokenizer_config.json and chat_template.json, in this order. Of several by name only
    the one called default counts: others, and those in additional_chat_templates, are for tools and documents.

    Raises:
        StudioError: A file cannot be read.
    """
    folder = Path(folder)
    path = folder / "chat_template.jinja"
    if path.is_file():
        if path.stat().st_size > MAX_TEMPLATE:
            raise refused("Its chat template is too large.", AGAIN)
        try:
            return path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise refused("chat_template.jinja cannot be read.", AGAIN) from error
    for name in ("tokenizer_config.json", "chat_template.json"):
        if (folder / name).is_file() and (found := _default(read_settings(folder / name).get("chat_template"))):
            return found
    return ""


def _default(value: Any) -> str:
    """The template among the forms tokenizer_config.json may give it in: a text, or named ones in a list or an object."""
    if isinstance(value, list):
        value = {item.get("name"): item.get("template") for item in value if isinstance(item, dict)}
    if isinstance(value, dict):
        value = value.get("default")
    return value if isinstance(value, str) else ""
