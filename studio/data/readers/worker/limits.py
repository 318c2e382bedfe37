"""Limits of a process on itself; uses nothing else, since scripts that parse one file start with it."""

from __future__ import annotations

import contextlib


def limit(memory: int, seconds: int) -> None:
    """Bound this process. Where the system has no such limits (Windows), the parent's time and output limits remain."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource  # noqa: PLC0415

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
        resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))
