"""The person's token for the Hub, in memory only."""

from __future__ import annotations

import os
from typing import NoReturn

from studio.errors import StudioError
from studio.hub.client import checked_token
from studio.hub.places import login_token

WHAT = "The token was not taken."


class HubToken:
    """One a process, made by the app and handed to whoever asks the Hub. Never printed, pickled or written."""

    def __init__(self) -> None:
        self._typed = ""

    def take(self, text: str) -> None:
        """Keep what was typed until the app ends; an empty text forgets it. Raises StudioError when it is no token."""
        self._typed = checked_token(text, WHAT)

    def value(self) -> str:
        """What was typed, else `HF_TOKEN`, else the login of huggingface_hub (unless told not to use it); empty without any."""
        found = self._typed or os.environ.get("HF_TOKEN", "")
        if not found and os.environ.get("HF_HUB_DISABLE_IMPLICIT_TOKEN", "").upper() not in ("1", "TRUE", "YES", "ON"):
            found = login_token()
        try:
            return checked_token(found, WHAT)
        except StudioError:
            return ""

    @property
    def typed(self) -> bool:
        """Whether it was typed here."""
        return bool(self._typed)

    def __repr__(self) -> str:
        return "HubToken()"

    def __reduce__(self) -> NoReturn:
        raise TypeError("A token is not written anywhere.")
