"""Children that start in a moment and may be killed: forked from a process that has imported everything and computed nothing.

A process that has computed with torch cannot be forked: the child would wait for arithmetic threads that it does not have.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import traceback


class Preloaded:
    """Forks the process it is made in, and forks that again for every child."""

    def __init__(self) -> None:
        self.ours, theirs = socket.socketpair()
        if os.fork() == 0:
            self.ours.close()
            _serve(theirs)
        theirs.close()
        self.answers = self.ours.makefile()

    def train(self, *arguments: str) -> int:
        """What `python -m studio.training` does with these arguments, on one thread. Returns the process id."""
        self.ours.sendall(f"{json.dumps(arguments)}\n".encode())
        return int(self.answers.readline())

    @staticmethod
    def kill(pid: int) -> None:
        """End a child as a power cut would, and wait until it is gone."""
        handle = os.pidfd_open(pid)
        try:
            signal.pidfd_send_signal(handle, signal.SIGKILL)
            with contextlib.suppress(ProcessLookupError):
                while True:
                    signal.pidfd_send_signal(handle, 0)
        finally:
            os.close(handle)


def _serve(channel: socket.socket) -> None:
    """Fork a child for every line, until the tests end."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # who is killed is gone at once
    try:
        for line in channel.makefile():
            pid = os.fork()
            if pid == 0:
                _child(json.loads(line))
            channel.sendall(f"{pid}\n".encode())
    finally:
        os._exit(0)


def _child(arguments: list[str]) -> None:
    code = 1
    try:
        import torch

        from studio.training.__main__ import main

        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        torch.set_num_threads(1)
        code = main(arguments)
    except BaseException:  # noqa: BLE001 - the child must end here, whatever happened
        traceback.print_exc()
    finally:
        os._exit(code)
