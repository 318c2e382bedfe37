"""Models of the Hugging Face Hub: searched, looked at, fetched, kept and removed.

The network is asked by `worker.py` in a process of its own; everything else here runs in the app and imports nothing large.
"""

from __future__ import annotations

from studio.models.hub.client import About, Found, checked_repo, look, search
from studio.models.hub.download import bring, fetch
from studio.models.hub.notes import FILES, is_here, remember, remove, source_of

__all__ = [
    "FILES",
    "About",
    "Found",
    "bring",
    "checked_repo",
    "fetch",
    "is_here",
    "look",
    "remember",
    "remove",
    "search",
    "source_of",
]
