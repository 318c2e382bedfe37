"""Plain text: paragraphs gathered into passages, so that some can be kept aside and each fits a usual example length."""

from __future__ import annotations

from studio.data.passages import paragraphs
from studio.data.readers.documents import as_reading
from studio.data.readers.reading import Reading


def read_prose(text: str, name: str, *, encoding: str = "") -> Reading:
    """One row a passage; its number is the line it begins at. Raises StudioError when there is no text."""
    blocks = paragraphs(text.replace("\r\n", "\n").replace("\r", "\n").replace("\x00", ""))
    return as_reading("text", blocks, name, encoding=encoding)
