"""Models served by another program on this computer, with a real server on a loopback address; and addresses that are refused."""

from __future__ import annotations

import http.server
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from studio.errors import StudioError
from studio.inference import endpoint
from studio.inference.endpoint import LocalEndpoint, own_address, resolved
from studio.inference.propose import propose
from tests.inference.documents import BREAD

Reply = Callable[[http.server.BaseHTTPRequestHandler], None]
NEVER = threading.Event()


class Server(http.server.ThreadingHTTPServer):
    """A model server. `reply` takes the place of its good answers; `seen` has path, headers and body of each request."""

    daemon_threads = True
    reply: Reply | None = None

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.seen: list[tuple[str, dict[str, str], dict]] = []

    @property
    def url(self) -> str:
        return f"http://localhost:{self.server_port}"

    def handle_error(self, *_: object) -> None:
        """Connections are cut on purpose here."""


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.answer({"object": "list", "data": [{"id": "qwen2.5:7b"}, {"id": "llama3.2"}, {"id": 3}, {"id": "a\nb"}]})

    def do_POST(self) -> None:
        text = "Q: Who bakes?\nA: Mara bakes every night."
        self.answer({"choices": [{"index": 0, "message": {"role": "assistant", "content": text}}]})

    def answer(self, value: object) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.seen.append((self.path, dict(self.headers), json.loads(body or b"null")))
        if self.server.reply:
            self.server.reply(self)
        else:
            send(self, json.dumps(value).encode())

    def log_message(self, *_: object) -> None:
        pass


def send(handler: http.server.BaseHTTPRequestHandler, data: bytes, status: int = 200, **headers: str) -> None:
    handler.send_response(status)
    for name, value in {"Content-Length": str(len(data)), **headers}.items():
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(data)


@pytest.fixture
def server() -> Iterator[Server]:
    running = Server()
    threading.Thread(target=running.serve_forever, args=(0.02,), daemon=True).start()
    yield running
    running.shutdown()
    running.server_close()


def ask(source: LocalEndpoint, stop: Callable[[], bool] = lambda: False) -> str:
    return source.ask([{"role": "user", "content": "hello"}], 50, stop)


def test_its_models_are_listed_and_one_is_asked(server: Server) -> None:
    source = LocalEndpoint(f"{server.url}/v1/", key="secret")
    assert source.models() == ["llama3.2", "qwen2.5:7b"]
    source.model = "llama3.2"
    found = propose(source, BREAD, 3, "questions")
    assert [(item.question, item.answer) for item in found.proposals] == [("Who bakes?", "Mara bakes every night.")]
    path, headers, body = server.seen[-1]
    assert (path, headers["Authorization"]) == ("/v1/chat/completions", "Bearer secret")
    assert (body["model"], body["temperature"], body["stream"], body["max_tokens"]) == ("llama3.2", 0, False, 360)


def test_proxies_are_not_asked(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    assert LocalEndpoint(server.url).models()


@pytest.mark.parametrize(
    "address",
    [
        "http://192.168.1.5:11434",
        "http://example.com",
        "http://127.0.0.1.example.com",
        "http://localhost.example.com:80",
        "http://0.0.0.0:11434",
        "http://[::ffff:10.0.0.1]:80",
        "http://2130706433:80",
        "http://127.1:80",
        "https://localhost",
        "file:///etc/passwd",
        "http://localhost@example.com",
        "http://user:pass@localhost",
        "http://localhost/other",
        "http://localhost:99999",
        "http://localhost:x",
        "http://localhost\r\nX: y",
        "http://[::1",
        "",
        "http://",
        "x" * 300,
    ],
)
def test_other_addresses_are_refused_before_anything_is_sent(address: str) -> None:
    with pytest.raises(StudioError, match="The other program was not asked"):
        LocalEndpoint(address)


@pytest.mark.parametrize(
    ("address", "host", "port"),
    [
        ("localhost:11434", "localhost", 11434),
        (" http://127.0.0.1:1234/v1 ", "127.0.0.1", 1234),
        ("HTTP://LocalHost:8080/", "localhost", 8080),
        ("http://[::1]:8080", "::1", 8080),
        ("http://127.0.0.1", "127.0.0.1", 80),
    ],
)
def test_addresses_of_this_computer_are_taken(address: str, host: str, port: int) -> None:
    assert own_address(address) == (host, port)


def test_a_name_that_leads_elsewhere_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hosts file or a resolver may say anything of "localhost"; what it says is checked."""
    elsewhere = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("10.0.0.1", 80))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: elsewhere)
    with pytest.raises(StudioError, match="leads to another computer"):
        resolved("localhost", 80)


def test_a_redirect_is_not_followed(server: Server) -> None:
    other = Server()
    server.reply = lambda handler: send(handler, b"", 302, Location=f"http://127.0.0.1:{other.server_port}/v1/models")
    with pytest.raises(StudioError, match="sends the question on"):
        LocalEndpoint(server.url).models()
    assert len(server.seen) == 1
    other.server_close()


def endless(handler: http.server.BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.end_headers()
    for _ in range(200):
        handler.wfile.write(b" " * 2**16)


BAD: dict[str, tuple[Reply, str]] = {
    "not JSON": (lambda handler: send(handler, b"<html>hello</html>"), "no model server"),
    "another shape": (lambda handler: send(handler, b'{"choices": [{"message": {"content": null}}]}'), "no model server"),
    "a list": (lambda handler: send(handler, b"[1]"), "no model server"),
    "too deep": (lambda handler: send(handler, b"[" * 100_000), "no model server"),
    "too long": (endless, "far too long"),
    "a key": (lambda handler: send(handler, b"", 401), "wants a key"),
    "no such model": (lambda handler: send(handler, b'{"error": "model not found"}', 404), "does not know this model"),
    "a fault": (lambda handler: send(handler, b"", 500), "HTTP 500"),
    "not HTTP": (lambda handler: handler.wfile.write(b"SSH-2.0-OpenSSH\r\n"), "could not be reached"),
}


@pytest.mark.parametrize("kind", BAD)
def test_each_failure_has_its_sentence(server: Server, kind: str) -> None:
    server.reply, sentence = BAD[kind]
    with pytest.raises(StudioError, match=sentence) as caught:
        ask(LocalEndpoint(server.url, "m"))
    assert caught.value.fix


def test_a_program_without_models_is_said(server: Server) -> None:
    server.reply = lambda handler: send(handler, b'{"object": "list", "data": []}')
    with pytest.raises(StudioError, match="No model was found"):
        LocalEndpoint(server.url).models()


def test_a_program_that_is_not_running_is_said() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(StudioError, match=f"Nothing answers at 127.0.0.1, port {port}") as caught:
        LocalEndpoint(f"127.0.0.1:{port}").models()
    assert "Start the program" in caught.value.fix


def test_stop_ends_a_long_answer_at_once(server: Server) -> None:
    server.reply = lambda _: NEVER.wait(20)
    started = time.monotonic()
    assert ask(LocalEndpoint(server.url, "m"), lambda: time.monotonic() > started + 0.2) == ""
    assert time.monotonic() - started < 5


def test_an_answer_that_drips_for_ever_is_cut(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    def drip(handler: http.server.BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        for _ in range(500):
            handler.wfile.write(b" ")
            time.sleep(0.02)

    server.reply = drip
    monkeypatch.setattr(endpoint, "ANSWER_SECONDS", 0.5)
    started = time.monotonic()
    with pytest.raises(StudioError, match="took too long"):
        ask(LocalEndpoint(server.url, "m"))
    assert time.monotonic() - started < 5


@pytest.mark.parametrize("key", ["a\nb", "ü", "x" * 501])
def test_a_key_that_is_none_is_refused(key: str) -> None:
    with pytest.raises(StudioError, match="no key has"):
        LocalEndpoint("localhost:80", key=key)
