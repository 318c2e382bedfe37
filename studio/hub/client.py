"""Starts a process that talks to the Hugging Face Hub, listens to it, and words what went wrong.

The Hub's own library takes long to import, and a process can be ended at any moment. The token goes to the process through its
input: it is in no argument, no environment and no file.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import re
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from studio.errors import Stopped, StudioError

ROOT = Path(__file__).parents[2]
NAME = re.compile(r"[A-Za-z0-9._-]{1,96}(?:/[A-Za-z0-9._-]{1,96})?")
MAX_WORD = 200  # characters of a name inside a repository, and of a token
POLL = 0.1  # seconds between two looks at `stop`
SILENCE = 120.0  # seconds without a word of a process, which speaks several times a second; the Hub's client retries for 30

Stop = Callable[[], bool]
Line = dict[str, Any]


def is_name(text: str) -> bool:
    """Whether the Hub could give this name to a repository: "owner/name" or "name"."""
    parts = text.split("/")
    return bool(NAME.fullmatch(text)) and ".." not in text and "--" not in text and not any(part in (".", "") for part in parts)


def checked_token(token: str, what: str) -> str:
    """The token without blanks around it. Raises StudioError, which does not repeat it, when no token looks so."""
    token = token.strip()
    if len(token) > MAX_WORD or not (token.isascii() and token.isprintable()) or " " in token:
        raise StudioError(what, "The token holds signs that no token has.", "Copy it from the Hub again.")
    return token


def reason(kind: str, name: str, thing: str) -> tuple[str, str]:
    """Why an errand failed and what to do, for the kinds that do not depend on what was asked for.

    Args:
        kind: What the process said.
        thing: What `name` is: a data set or a model.
    """
    again = "Try again later."
    reasons = {
        "owner": (f"“{name}” is only half a name.", "Write it as on its page: owner/name."),
        "token": ("The Hub does not accept the token.", "Copy it from the Hub again, or leave it empty."),
        "offline": ("The Hub could not be reached.", "Connect to the internet and try again."),
        "switched": ("HF_HUB_OFFLINE keeps this computer from asking the Hub.", "Unset it, start the app again and try again."),
        "proxy": (
            "The proxy between this computer and the Hub refused or did not answer.",
            "Check HTTPS_PROXY and the proxy's password, or ask whoever runs the network.",
        ),
        "certificate": (
            "The Hub's certificate could not be checked, as if somebody stood in between.",
            "Check this computer's clock, or ask whoever runs the network.",
        ),
        "rate": ("The Hub was asked too often from here.", "Wait a few minutes, then try again."),
        "server": ("The Hub has a fault of its own.", again),
        "silent": ("The Hub stopped answering.", again),
        "missing": (f"The Hub has no {thing} “{name}” that you may see.", "Look whether the name is written as on its page."),
    }
    return reasons.get(kind, ("The fetching ended without a result.", again))


def answers(
    module: str, request: dict[str, Any], *, token: str, home: Path | None, stop: Stop, failure: Callable[[Line], StudioError]
) -> Iterator[Line]:
    """What a module, run as a process, prints about a request, line by line. The process is dead when this ends.

    Args:
        module: Its name; it calls `child.serve`.
        home: Where its folder for the library's own files is made, which is deleted afterwards; None takes the system's.
        failure: Makes the error out of a line {"error": kind, ...}.
    Raises:
        StudioError: What `failure` made.
        Stopped: `stop` said so.
    """
    with (
        tempfile.TemporaryDirectory(prefix=".staging-hub-", dir=home, ignore_cleanup_errors=True) as folder,
        _process(module, folder) as process,
    ):
        _send(process, {**request, "token": token, "home": folder})
        for text in _spoken(process, stop, failure):
            line = _parsed(text)
            if "error" in line:
                raise failure(line)
            yield line


@contextlib.contextmanager
def _process(module: str, home: str) -> Iterator[subprocess.Popen[str]]:
    """The module's process; it is dead at the end of the block."""
    environment = {name: value for name, value in os.environ.items() if "TOKEN" not in name}
    environment |= {
        "HF_HOME": home,
        "HF_HUB_DISABLE_IMPLICIT_TOKEN": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "HF_HUB_DISABLE_XET": "1",  # its downloads begin anew after a cut
        "HF_UPDATE_DOWNLOAD_COUNTS": "0",
        "USE_TORCH": "0",  # importing it takes seconds
        "USE_PARQUET_EXPORT": "0",  # of another server, which HF_ENDPOINT does not move
    }
    for name in ("HF_HUB_CACHE", "HF_DATASETS_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_ASSETS_CACHE", "HF_XET_CACHE", "HF_DEBUG"):
        environment.pop(name, None)  # the caches would lead out of `home`
    process = subprocess.Popen(
        [sys.executable, "-m", module],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        encoding="utf-8",
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            if stream:
                with contextlib.suppress(OSError):
                    stream.close()


def _send(process: subprocess.Popen[str], request: dict[str, Any]) -> None:
    """Give the process its request. Its input stays open: the process ends when that closes, as it does when the app dies."""
    assert process.stdin
    with contextlib.suppress(BrokenPipeError):
        process.stdin.write(json.dumps(request) + "\n")
        process.stdin.flush()


def _spoken(process: subprocess.Popen[str], stop: Stop, failure: Callable[[Line], StudioError]) -> Iterator[str]:
    """The lines a process prints. Raises Stopped when `stop` says so, StudioError after a long silence."""
    heard: queue.Queue[str | None] = queue.Queue()

    def listen() -> None:
        with contextlib.suppress(ValueError, OSError):  # closed while it was read
            for line in process.stdout or ():
                heard.put(line)
        heard.put(None)

    threading.Thread(target=listen, name="studio-hub-listen", daemon=True).start()
    silent = 0.0
    while True:
        if stop():
            raise Stopped
        try:
            line = heard.get(timeout=POLL)
        except queue.Empty:
            silent += POLL
            if silent > SILENCE:
                raise failure({"error": "silent"}) from None
            continue
        if line is None:
            return
        silent = 0.0
        yield line


def _parsed(text: str) -> Line:
    """A line of the process; what a library printed in between counts as nothing."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
