"""Children that start in a moment and may be killed: forked from a process that has imported everything and computed nothing.

A process that has computed with torch cannot be forked: the child would wait for arithmetic threads that it does not have.
"""

from __future__ import annotations

import json
import os
import socket
import traceback
from typing import Any


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
        return self._ask({"train": arguments})

    def wait(self, pid: int) -> int:
        """The child's exit code once it has ended; minus the signal that ended it."""
        return self._ask({"wait": pid})

    def _ask(self, request: dict[str, Any]) -> int:
        self.ours.sendall(f"{json.dumps(request)}\n".encode())
        return int(self.answers.readline())


def _serve(channel: socket.socket) -> None:
    """Do as asked until the tests end."""
    try:
        for line in channel.makefile():
            request = json.loads(line)
            if "wait" in request:
                answer = os.waitstatus_to_exitcode(os.waitpid(request["wait"], 0)[1])
            elif (answer := os.fork()) == 0:
                _child(request["train"])
            channel.sendall(f"{answer}\n".encode())
    finally:
        os._exit(0)


def _child(arguments: list[str]) -> None:
    code = 1
    try:
        import torch

        from studio.training.__main__ import main

        torch.set_num_threads(1)
        code = main(arguments)
    except BaseException:  # noqa: BLE001 - the child must end here, whatever happened
        traceback.print_exc()
    finally:
        os._exit(code)
