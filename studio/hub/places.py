"""Where the person's own Hub is and what they have of it on this computer, as huggingface_hub finds it. Only ever read."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from urllib.parse import urlsplit

from studio.errors import StudioError

MAX_LOGIN = 4096  # bytes of the login file


def check_endpoint(what: str) -> None:
    """Raise StudioError, with what was not done, when `HF_ENDPOINT` is set to something that is no address of a Hub."""
    address = os.environ.get("HF_ENDPOINT", "")
    with contextlib.suppress(ValueError):
        parts = urlsplit(address)
        if not address or (parts.scheme in ("http", "https") and parts.hostname and parts.port != 0 and parts.username is None):
            return
    why = "HF_ENDPOINT, which says where the Hub is, is not an address."
    raise StudioError(what, why, "Set it to an address such as https://huggingface.co, or unset it.")


def cache() -> Path:
    """The folder in which huggingface_hub keeps what it downloads (huggingface_hub 2.4, constants.py)."""
    named = os.environ.get("HF_HUB_CACHE") or os.environ.get("HUGGINGFACE_HUB_CACHE")
    return _expanded(named) if named else _home() / "hub"


def login_token() -> str:
    """The token of `hf auth login`; empty without one. The file is read here, since the library's own function may renew it."""
    named = os.environ.get("HF_TOKEN_PATH")
    try:
        with open(_expanded(named) if named else _home() / "token", encoding="utf-8") as handle:
            return handle.read(MAX_LOGIN).strip()
    except (OSError, UnicodeDecodeError):
        return ""


def _home() -> Path:
    if named := os.environ.get("HF_HOME"):
        return _expanded(named)
    return _expanded(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "huggingface"


def _expanded(path: str) -> Path:
    return Path(os.path.expandvars(path)).expanduser()
