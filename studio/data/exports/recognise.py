"""Exported chats, known by what is in them rather than by their names."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from studio.data.exports import chatgpt, discord, mail, telegram, whatsapp
from studio.data.exports.exchanges import PAUSE
from studio.data.readers.reading import Reading

JSON_KINDS = (chatgpt, telegram, discord)


def recognise_json(whole: Any, name: str, *, encoding: str = "", pause: float | None = PAUSE) -> Reading | None:
    """The exchanges of an exported chat in a JSON value; None when it is something else. Raises StudioError."""
    kind = next((kind for kind in JSON_KINDS if kind.fits(whole)), None)
    return replace(kind.read(whole, name, pause), encoding=encoding) if kind else None


def recognise_text(text: str, name: str, *, encoding: str = "", pause: float | None = PAUSE) -> Reading | None:
    """The exchanges of an exported chat in a text; None when it is something else. Raises StudioError."""
    return replace(whatsapp.read(text, name, pause), encoding=encoding) if whatsapp.fits(text) else None


def recognise_bytes(data: bytes, name: str) -> Reading | None:
    """The threads of a mailbox or of one mail, whose parts have encodings of their own; None when it is something else.

    Raises StudioError.
    """
    return mail.read(data, name) if mail.fits(data) else None


def is_chat_export(head: bytes) -> bool:
    """Whether a text that begins so is an exported chat or a mailbox."""
    return mail.fits(head) or whatsapp.fits(head.decode("utf-8", "replace"))
