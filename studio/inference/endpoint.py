"""A model that another program on this computer serves (Ollama, LM Studio, llama.cpp): its OpenAI-compatible address.

Only this computer's own addresses are asked. The name is resolved here and the resolved address is what is connected to, so
that no second look-up can lead elsewhere; http.client follows no redirects and knows no proxies.
"""

from __future__ import annotations

import contextlib
import http.client
import ipaddress
import json
import socket
import threading
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from studio.errors import Stopped, StudioError

HOSTS = ("127.0.0.1", "::1", "localhost")
MAX_REPLY = 4 * 2**20  # bytes
MAX_MODELS = 500
MAX_KEY = 500  # characters
CONNECT_SECONDS = 5.0
LIST_SECONDS = 15.0
ANSWER_SECONDS = 600.0  # a large model on a slow computer loads for minutes before its first word
LOOK = 0.1  # seconds between two looks at `stop`
WHAT = "The other program was not asked."
START = "Start the program that serves the model, and look there for its address."


class LocalEndpoint:
    """One model behind an OpenAI-compatible address on this computer.

    Args:
        address: Such as http://127.0.0.1:11434; "/v1" at its end may be there or not.
        model: One of `models()`; may stay empty until then.
        key: What the program wants as its key, if anything. Kept in memory only.
    Raises:
        StudioError: The address is not one of this computer's own.
    """

    small = False

    def __init__(self, address: str, model: str = "", key: str = "") -> None:
        self.host, self.port = own_address(address)
        if len(key) > MAX_KEY or not (key.isascii() and key.isprintable()):
            raise StudioError(WHAT, "The key holds signs that no key has.", "Copy it again.")
        self.model, self._key = model, key

    @property
    def name(self) -> str:
        """The model's name."""
        return self.model

    def models(self) -> list[str]:
        """The names of the models the program offers. Raises StudioError when it cannot be asked or says something else."""
        reply = self._exchange("GET", "/v1/models", None, LIST_SECONDS, lambda: False)
        listed = reply.get("data")
        names = [item.get("id") for item in listed if isinstance(item, dict)] if isinstance(listed, list) else []
        found = [name for name in names if isinstance(name, str) and 0 < len(name) <= 200 and name.isprintable()]
        if not found:
            raise StudioError("No model was found there.", "The program offers none.", "Load or fetch a model in it first.")
        return sorted(found[:MAX_MODELS])

    def ask(self, messages: list[dict[str, str]], max_new_tokens: int, stop: Callable[[], bool]) -> str:
        """The model's answer at temperature 0; empty when `stop` says so before it is whole. Raises StudioError."""
        body = {
            "model": self.model,
            "messages": messages,
            "max_tokens": max_new_tokens,
            "temperature": 0,
            "stream": False,
        }
        try:
            reply = self._exchange("POST", "/v1/chat/completions", body, ANSWER_SECONDS, stop)
        except Stopped:
            return ""
        try:
            said = reply["choices"][0]["message"]["content"]
        except (KeyError, IndexError, TypeError):
            said = None
        if not isinstance(said, str):
            raise _strange()
        return said

    def _exchange(
        self, method: str, path: str, body: dict[str, Any] | None, seconds: float, stop: Callable[[], bool]
    ) -> dict[str, Any]:
        """One request and its JSON answer, within limits on time and size. Raises Stopped, StudioError."""
        address = resolved(self.host, self.port)
        connection = http.client.HTTPConnection(address, self.port, timeout=CONNECT_SECONDS)
        headers = {"Accept": "application/json", "Content-Type": "application/json"}
        if self._key:
            headers["Authorization"] = f"Bearer {self._key}"
        try:
            connection.connect()
        except OSError as error:
            raise _unreachable(self.host, self.port, error) from error
        connection.sock.settimeout(seconds)
        watch = _Watch(connection.sock, seconds, stop)
        watch.start()
        try:
            connection.request(method, path, json.dumps(body).encode() if body is not None else None, headers)
            response = connection.getresponse()
            data = response.read(MAX_REPLY + 1)
        except (OSError, http.client.HTTPException) as error:
            watch.judge()
            raise _unreachable(self.host, self.port, error) from error
        finally:
            watch.end()
            connection.close()
        watch.judge()
        return _checked(response.status, data)


class _Watch(threading.Thread):
    """Cuts a connection when it takes too long or `stop` says so: a blocked read then returns at once."""

    def __init__(self, sock: socket.socket, seconds: float, stop: Callable[[], bool]) -> None:
        super().__init__(name="studio-endpoint-watch", daemon=True)
        self.sock, self.deadline, self.stop = sock, time.monotonic() + seconds, stop
        self._over = threading.Event()
        self._why = ""

    def run(self) -> None:
        while not self._over.wait(LOOK):
            self._why = "stopped" if self.stop() else "late" if time.monotonic() > self.deadline else ""
            if self._why:
                with contextlib.suppress(OSError):  # it may have ended in this moment
                    self.sock.shutdown(socket.SHUT_RDWR)
                return

    def end(self) -> None:
        """The answer is here, or never will be."""
        self._over.set()
        self.join()

    def judge(self) -> None:
        """Raise what the cut means, if there was one."""
        if self._why == "stopped":
            raise Stopped
        if self._why == "late":
            raise StudioError(
                "The other program gave no answer.", "It took too long.", "Choose a smaller model there, or ask for fewer pairs."
            )


def own_address(address: str) -> tuple[str, int]:
    """Host and port of an address of this computer. Raises StudioError for any other, and for one that says more than that."""
    fix = "Write an address of this computer, such as http://127.0.0.1:11434."
    text = address.strip() if isinstance(address, str) else ""
    if len(text) > 200 or not text.isascii() or not text.isprintable():
        raise StudioError(WHAT, "That is not an address.", fix)
    try:
        parts = urlsplit(text if "://" in text else f"http://{text}")
        host, port = parts.hostname or "", parts.port or 80
    except ValueError as error:
        raise StudioError(WHAT, "That is not an address.", fix) from error
    if parts.scheme != "http" or parts.username or parts.password or parts.query or parts.fragment:
        raise StudioError(WHAT, "The address must be http:// with a host and a port, no more.", fix)
    if parts.path.rstrip("/") not in ("", "/v1"):
        raise StudioError(WHAT, "The address has a path that is not /v1.", fix)
    if host not in HOSTS:
        raise StudioError(WHAT, "Only programs on this computer are asked, so that nothing you add leaves it.", fix)
    return host, port


def resolved(host: str, port: int) -> str:
    """An address that `host` stands for. Raises StudioError when it is unknown or any of them is not this computer's own."""
    try:
        found = [str(item[4][0]) for item in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    except OSError as error:
        raise _unreachable(host, port, error) from error
    if not found or not all(ipaddress.ip_address(item).is_loopback for item in found):
        raise StudioError(WHAT, f"“{host}” leads to another computer.", "Write 127.0.0.1 instead.")
    # programs of this kind listen on the older kind of address, whatever the name is resolved to first
    return next((item for item in found if ":" not in item), found[0])


def _checked(status: int, data: bytes) -> dict[str, Any]:
    """The object in an answer. Raises StudioError with what the program's answer means."""
    what = "The other program gave no answer."
    if len(data) > MAX_REPLY:
        raise StudioError(what, "What it sent is far too long.", "Look whether the address is the right one.")
    if 300 <= status < 400:
        raise StudioError(what, "It sends the question on to another address.", "Write the address that answers itself.")
    if status in (401, 403):
        raise StudioError(what, "It wants a key.", "Copy the key from the program's settings.")
    if status == 404:
        raise StudioError(what, "It does not know this model, or is no model server.", "Pick a model from its list.")
    if status != 200:
        raise StudioError(what, f"It failed (HTTP {status}).", "Look in that program for the reason.")
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise _strange() from error
    if not isinstance(value, dict):
        raise _strange()
    return value


def _strange() -> StudioError:
    return StudioError(
        "The other program gave no answer.",
        "It is no model server, or one of another kind.",
        "Look whether the address is right.",
    )


def _unreachable(host: str, port: int, error: Exception) -> StudioError:
    late = isinstance(error, TimeoutError)
    why = f"Nothing answers at {host}, port {port}." if not late else f"{host}, port {port}, took too long."
    return StudioError("The other program could not be reached.", why, START)
