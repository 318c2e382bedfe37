"""One holder of the device at a time: training, chat, evaluation and export take the lease and give it back."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator

from studio.errors import Busy
from studio.models.hardware import loaded_torch, trim
from studio.workspace import Lock, Workspace

# Whoever asks `holder()` touches the lock for microseconds; a taker must not mistake that for somebody working.
SHORTEST_WAIT = 0.25


class DeviceLease:
    """The lease on the accelerator (or the CPU's memory and cores) of one workspace; threads and processes respect it.

    It is the operating system's lock on the workspace's device.lock, so a killed holder gives it back.
    A thread that holds it and asks again is told it is busy like any other.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._path = workspace.device_lock

    @contextlib.contextmanager
    def take(self, holder: str, *, timeout: float = 0.0) -> Iterator[None]:
        """Hold the device for the length of the block; afterwards what the block dropped is given back to the system.

        Args:
            holder: Who the waiting are told has it, in words ("Training “Bakery”", "The chat").
            timeout: Seconds to wait for it.
        Raises:
            Busy: Somebody else kept it; `.holder` says who.
        """
        lock = Lock(self._path)
        if not lock.acquire(holder, timeout=max(timeout, SHORTEST_WAIT)):
            by = self.holder()
            raise Busy(
                "The model cannot be used for two things at once.",
                f"{by} has it now." if by else "It is in use.",
                "Wait until that is done, or stop it.",
                holder=by,
            )
        try:
            yield
        finally:
            try:
                give_back_memory()
            finally:
                lock.release()

    def holder(self) -> str:
        """Who holds the device, in words; empty when it is free."""
        return Lock(self._path).holder()


def give_back_memory() -> None:
    """Collect what nobody refers to any more and return it to the device and to the system."""
    gc.collect()
    torch = loaded_torch()
    if torch and torch.cuda.is_available():
        torch.cuda.empty_cache()
    trim()
