"""The other side of `client.py`: what a process that talks to the Hub does around its errand."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import sys
import threading
from collections.abc import Callable
from typing import Any

CAUSES = {
    "GatedRepoError": "gated",
    "RepositoryNotFoundError": "missing",
    "DisabledRepoError": "missing",
    "RevisionNotFoundError": "missing",
    "HFValidationError": "missing",
    "OfflineModeIsEnabled": "switched",
    "ProxyError": "proxy",
    "ConnectError": "offline",
    "ConnectTimeout": "offline",
    "ConnectionError": "offline",
    "NetworkError": "offline",
    "ReadError": "offline",
    "RemoteProtocolError": "offline",
    "ReadTimeout": "silent",
    "MemoryError": "big",
    "JSONDecodeError": "damaged",
    "UnicodeDecodeError": "damaged",
}
"""Class of an error -> what it means. Class names, so that nothing is imported to look at one."""

FULL = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))  # Windows has no quota error
STATUS = {401: "token", 403: "gated", 404: "missing", 407: "proxy", 429: "rate"}


Job = Callable[[dict[str, Any]], None]


class Refused(Exception):
    """The errand cannot be done; the message is its kind, which the parent words. `more` goes into the line beside it."""

    def __init__(self, kind: str, **more: Any) -> None:
        super().__init__(kind)
        self.more = more


def say(**values: Any) -> None:
    """Print one line of JSON."""
    sys.stdout.write(json.dumps(values) + "\n")
    sys.stdout.flush()


def kind_of(error: BaseException | None, causes: dict[str, str] | None = None) -> str:
    """What an error means, from it and what caused it; the first one that says anything counts.

    Args:
        causes: Further classes, besides CAUSES.
    """
    known = {**CAUSES, **(causes or {})}
    while error is not None:
        if isinstance(error, Refused):
            return str(error)
        if isinstance(error, OSError) and error.errno in FULL:
            return "space"
        status = getattr(getattr(error, "response", None), "status_code", 0)
        if status == 429:
            return "rate"
        for kind in type(error).__mro__:
            if kind.__name__ in known:
                return known[kind.__name__]
        if status in STATUS or status >= 500:
            return STATUS.get(status, "server")
        error = error.__cause__ or error.__context__
    return "ended"


def serve(jobs: dict[str, Job], kind: Callable[[BaseException, str], str], *, memory: int, seconds: int) -> None:
    """Do what the line of input says, and print what went wrong. The process ends as soon as its parent does.

    Args:
        kind: What an error means, given it and the job's name.
        memory: The most bytes of data this process may hold.
        seconds: The most it may compute; waiting for the network does not count.
    """
    request = json.loads(sys.stdin.readline())
    threading.Thread(target=_end_with_parent, daemon=True).start()
    os.chdir(request["home"])
    _limit(memory, seconds)
    try:
        jobs[request["job"]](request)
    except Exception as error:  # noqa: BLE001 - libraries and strangers' files raise all kinds; the parent words it
        say(error=kind(error, request["job"]), **getattr(error, "more", {}))


def _limit(memory: int, seconds: int) -> None:
    """Bound this process. Where the system has no such limits (Windows), the parent's alone remain."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource  # noqa: PLC0415 - not on Windows

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
        resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))


def _end_with_parent() -> None:
    """Wait until the input closes."""
    while os.read(0, 1024):
        pass
    os._exit(1)
