"""How the worker's process talks HTTP: huggingface_hub's own client with a shorter patience, and a token that stays at home."""

from __future__ import annotations

import urllib.request
from typing import Any
from urllib.parse import urlsplit

import httpx2
from huggingface_hub import constants, is_offline_mode, set_client_factory

from studio.hub.child import Refused

LONGEST_WAIT = 86_400  # seconds of a Retry-After that is believed
NO_PORT = {"http": 80, "https": 443}


class Client(httpx2.Client):
    """Says at once what the library would try again for half a minute, without a word: no answer, 407, 429 and 5xx."""

    def send(self, request: httpx2.Request, **options: Any) -> httpx2.Response:
        """Raises Refused with the kind of what went wrong. Other answers are the library's to judge."""
        try:
            response = super().send(request, **options)
        except httpx2.TransportError as error:
            raise Refused(_unreached(request, error)) from error
        kind = {407: "proxy", 429: "rate"}.get(response.status_code, "server" if response.status_code >= 500 else "")
        if kind:
            wait = response.headers.get("Retry-After", "")
            response.close()
            raise Refused(kind, wait=min(int(wait), LONGEST_WAIT) if wait.isdecimal() else 0)
        return response


def install() -> None:
    """Make huggingface_hub use this client from here on."""
    set_client_factory(lambda: Client(event_hooks={"request": [_before]}, follow_redirects=True, timeout=httpx2.Timeout(20.0)))


def _before(request: httpx2.Request) -> None:
    """Before every request, those of redirects and further pages too: the token goes to the Hub alone, and encrypted stays so."""
    if is_offline_mode():
        raise Refused("switched")
    home, asked = urlsplit(constants.ENDPOINT), urlsplit(str(request.url))
    if home.scheme == "https" and asked.scheme != "https":
        raise Refused("unsafe")
    if _origin(asked) != _origin(home):
        request.headers.pop("Authorization", None)


def _origin(address: Any) -> tuple[str, str | None, int | None]:
    return address.scheme, address.hostname, address.port or NO_PORT.get(address.scheme)


def _unreached(request: httpx2.Request, error: httpx2.TransportError) -> str:
    """Why no answer came: the proxy, the certificate, a silent Hub, or no network."""
    if isinstance(error, httpx2.ProxyError):
        return "proxy"
    if isinstance(error, (httpx2.ReadTimeout, httpx2.WriteTimeout)):
        return "silent"
    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        return "certificate"
    proxied = request.url.scheme in urllib.request.getproxies() and not urllib.request.proxy_bypass(request.url.host)
    return "proxy" if proxied and isinstance(error, (httpx2.ConnectError, httpx2.ConnectTimeout)) else "offline"
