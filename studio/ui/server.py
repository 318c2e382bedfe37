"""How the page is served: only to whom it is meant for, only what it needs, nothing from elsewhere."""

from __future__ import annotations

import hmac
import ipaddress
import socket
import threading
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from studio.errors import StudioError
from studio.workspace import Workspace

FIRST_PORT, LAST_PORT = 7860, 7959
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
MAX_UPLOAD = "2gb"  # of which only CSV, JSON lines and Parquet may use more than 200 MB, see `data/read.py`
MAX_BODY = 32 * 2**20  # bytes of a call that is not an upload: a pasted table is at most 5 MB
USER = "studio"
CSP = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; worker-src 'self' blob:; "
    "frame-ancestors 'none'; base-uri 'self'; form-action 'self'; object-src 'none'"
)
HEADERS = (
    (b"content-security-policy", CSP.encode()),
    (b"x-frame-options", b"DENY"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
)

Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]


class Doors:
    """ASGI middleware: known hosts only, posts from our own pages only, bounded bodies, strict headers.

    Args:
        hosts: Host names that may be asked for; "*.x" allows what ends with ".x".
        any_address: Whether bare IP addresses are allowed too. They cannot be used for DNS rebinding, names can.
    """

    def __init__(self, app: Any, hosts: frozenset[str], any_address: bool) -> None:
        self.app, self.hosts, self.any_address = app, hosts, any_address

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        if refusal := self.refusal(scope):
            status, text = refusal
            await send(
                {
                    "type": "http.response.start",
                    "status": status,
                    "headers": [(b"content-type", b"text/plain; charset=utf-8"), *HEADERS],
                }
            )
            await send({"type": "http.response.body", "body": text.encode()})
            return

        async def with_headers(message: Any) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", ()), *HEADERS]}
            await send(message)

        await self.app(scope, receive, with_headers)

    def refusal(self, scope: dict[str, Any]) -> tuple[int, str] | None:
        """(status, sentence) of why a request is turned away, or None."""
        headers = {name.lower(): value.decode("latin-1") for name, value in scope["headers"]}
        host = headers.get(b"host", "")
        if not self.known(host):
            return 400, "This address is not one of the studio's."
        if scope["method"] in {"GET", "HEAD", "OPTIONS"}:
            return None
        origin = headers.get(b"origin")
        if origin is not None and urlsplit(origin).netloc.lower() != host.lower():
            return 403, "This came from another page."
        if headers.get(b"sec-fetch-site", "same-origin") not in {"same-origin", "none"}:
            return 403, "This came from another page."
        length = headers.get(b"content-length", "0")
        if not scope["path"].rstrip("/").endswith("/upload") and (not length.isdigit() or int(length) > MAX_BODY):
            return 413, "This is more than the page sends."
        return None

    def known(self, host: str) -> bool:
        """Whether the Host header names this studio."""
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return False
        if name in self.hosts or any(item.startswith("*.") and name.endswith(item[1:]) for item in self.hosts):
            return True
        if not self.any_address:
            return False
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True


class Password:
    """Checks the one user's password in constant time; wrong guesses close the door for longer and longer.

    The lock is for everybody at once: there is one user, and addresses can be forged behind a tunnel.
    """

    FREE_GUESSES = 5
    LONGEST_WAIT = 900.0  # seconds

    def __init__(self, password: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._password, self._clock = password.encode(), clock
        self._wrong, self._closed_until = 0, 0.0
        self._gate = threading.Lock()

    def __call__(self, user: str, password: str) -> bool:
        """Whether the door opens. While it is closed even the right password does not open it."""
        with self._gate:
            if self._clock() < self._closed_until:
                return False
            same_user = hmac.compare_digest(user.encode(), USER.encode())
            same_password = hmac.compare_digest(password.encode(), self._password)
            if same_user and same_password:
                self._wrong = 0
                return True
            self._wrong += 1
            if self._wrong >= self.FREE_GUESSES:
                self._closed_until = self._clock() + min(self.LONGEST_WAIT, 30.0 * 2 ** (self._wrong - self.FREE_GUESSES))
            return False


def read_password(path: Path | None, host: str, share: bool) -> Password | None:
    """The password from its file. Raises StudioError when one is needed and there is none."""
    if path is None:
        if host not in LOOPBACK or share:
            raise StudioError(
                "The studio did not start.",
                "Other people could reach it without a password.",
                "Put a password into a file and name it with --password-file.",
            )
        return None
    try:
        password = path.expanduser().read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise StudioError("The studio did not start.", f"The password file {path} cannot be read.", "Check its name.") from error
    if not password:
        raise StudioError("The studio did not start.", f"The password file {path} is empty.", "Write a password into it.")
    return Password(password)


def hosts_for(host: str, share: bool) -> frozenset[str]:
    """Names under which the page may be asked for."""
    names = set(LOOPBACK)
    if host not in LOOPBACK:
        own = socket.gethostname().lower()
        names |= {host.lower(), own, f"{own}.local", socket.getfqdn().lower()}
    if share:
        names.add("*.gradio.live")
    return frozenset(names)


def free_port(host: str, wanted: int | None) -> int:
    """The wanted port, or the first free one. Raises StudioError when there is none."""
    for port in [wanted] if wanted is not None else range(FIRST_PORT, LAST_PORT + 1):
        if port_is_free(host, port):
            return port
    if wanted is None:
        raise StudioError(
            "The studio did not start.", f"Ports {FIRST_PORT} to {LAST_PORT} are all in use.", "Name another with --port."
        )
    raise StudioError(
        "The studio did not start.",
        f"Port {wanted} is in use, maybe by another window of the studio, or cannot be used.",
        "Close that one, or name another with --port.",
    )


def port_is_free(host: str, port: int) -> bool:
    """Whether a server can listen there."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen(1)
        except (OSError, OverflowError):
            return False
    return True


def launch_options(
    workspace: Workspace, *, host: str, port: int, share: bool = False, password: Password | None = None, inbrowser: bool = False
) -> dict[str, Any]:
    """Arguments of Blocks.launch(): loopback, no guests, no paths, no telemetry, our style."""
    from starlette.middleware import Middleware  # noqa: PLC0415 - a wrong argument is answered before seconds of imports

    from studio.ui import theme  # noqa: PLC0415 - imports gradio

    middleware = [Middleware(Doors, hosts=hosts_for(host, share), any_address=host not in LOOPBACK)]
    rooms = ("datasets", "runs", "models", "cache", "logs")
    return {
        "server_name": host,
        "server_port": port,
        "share": share,
        "inbrowser": inbrowser,
        "auth": password,
        "auth_message": f"The user is {USER}. After several wrong tries the door stays closed for a while.",
        "prevent_thread_lock": True,
        "quiet": True,
        "show_error": False,
        "footer_links": [],
        "run_history": False,
        "allowed_paths": [],
        "blocked_paths": [str(workspace.root / room) for room in rooms],
        "app_kwargs": {"middleware": middleware, "docs_url": None, "redoc_url": None, "openapi_url": None},
        "max_file_size": MAX_UPLOAD,
        "strict_cors": True,
        "ssr_mode": False,
        "pwa": False,
        "mcp_server": False,
        "enable_monitoring": False,
        "max_threads": 40,
        "state_session_capacity": 200,
        "i18n": theme.i18n(),
        "theme": theme.theme(),
        "head": theme.head_html(),
    }
