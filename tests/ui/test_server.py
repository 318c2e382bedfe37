"""Who is let in: hosts, origins, bodies, passwords, ports."""

from __future__ import annotations

import asyncio
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from studio.errors import StudioError
from studio.ui import server
from studio.ui.server import Doors, Password
from studio.workspace import Workspace

LOCAL = server.hosts_for("127.0.0.1", share=False)


def ask(doors: Doors, method: str = "GET", path: str = "/", **headers: str) -> tuple[int, dict[str, str], bool]:
    """(status, headers, whether the app behind was reached)."""
    sent: list[Any] = []
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "http.request", "body": b""}

    scope = {"type": "http", "method": method, "path": path, "headers": raw}
    with ThreadPoolExecutor(1) as pool:  # Playwright keeps an event loop running in the main thread once it was used
        pool.submit(asyncio.run, doors(scope, receive, send)).result()
    found = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], found, "x-behind" in found


async def behind(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"x-behind", b"1")]})
    await send({"type": "http.response.body", "body": b""})


@pytest.fixture
def doors() -> Doors:
    return Doors(behind, LOCAL, any_address=False)


@pytest.mark.parametrize("host", ["127.0.0.1:7860", "localhost:7860", "localhost", "[::1]:7860", "LOCALHOST:1"])
def test_own_names_are_let_in(doors: Doors, host: str) -> None:
    assert ask(doors, host=host)[2]


@pytest.mark.parametrize(
    "host",
    ["", "evil.example", "evil.example:7860", "127.0.0.1.evil.example", "10.0.0.7:7860", "localhost.evil.example", "[::1", "a@b"],
)
def test_other_names_are_not(doors: Doors, host: str) -> None:
    status, _, reached = ask(doors, host=host)
    assert (status, reached) == (400, False)


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://localhost:9999"},
        {"origin": "http://127.0.0.1:7860"},  # another name of the same computer is another page
        {"sec_fetch_site": "cross-site"},
        {"origin": "http://localhost:7860", "sec_fetch_site": "same-site"},
        {"origin": ""},
    ],
)
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_posts_of_other_pages_are_refused(doors: Doors, method: str, headers: dict[str, str]) -> None:
    status, _, reached = ask(doors, method, host="localhost:7860", **headers)
    assert (status, reached) == (403, False)


@pytest.mark.parametrize(
    "headers", [{}, {"origin": "http://localhost:7860"}, {"origin": "http://localhost:7860", "sec_fetch_site": "same-origin"}]
)
def test_own_posts_pass(doors: Doors, headers: dict[str, str]) -> None:
    assert ask(doors, "POST", host="localhost:7860", **headers)[2]


def test_large_bodies_are_refused_except_uploads(doors: Doors) -> None:
    large = str(server.MAX_BODY + 1)
    assert ask(doors, "POST", "/gradio_api/queue/join", host="localhost", content_length=large)[0] == 413
    assert ask(doors, "POST", "/gradio_api/queue/join", host="localhost", content_length="x")[0] == 413
    assert ask(doors, "POST", "/gradio_api/upload", host="localhost", content_length=large)[2]


def test_every_answer_carries_the_headers(doors: Doors) -> None:
    for host in ("localhost", "evil.example"):
        headers = ask(doors, host=host)[1]
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert headers["x-frame-options"] == "DENY"
        assert headers["x-content-type-options"] == "nosniff"


def test_an_open_host_takes_addresses_but_not_foreign_names() -> None:
    open_doors = Doors(behind, server.hosts_for("0.0.0.0", share=False), any_address=True)
    assert ask(open_doors, host="192.168.1.20:7860")[2]
    assert ask(open_doors, host=f"{socket.gethostname()}:7860")[2]
    assert not ask(open_doors, host="evil.example:7860")[2]


def test_a_share_link_is_known_only_when_shared() -> None:
    shared = Doors(behind, server.hosts_for("127.0.0.1", share=True), any_address=False)
    assert ask(shared, host="abc.gradio.live")[2]
    assert not ask(shared, host="gradio.live.evil.example")[2]
    assert not ask(Doors(behind, LOCAL, any_address=False), host="abc.gradio.live")[2]


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_the_right_password_opens() -> None:
    door = Password("pässword")
    assert door("studio", "pässword")
    assert not door("studio", "pässwor")
    assert not door("admin", "pässword")
    assert not door("", "")


def test_ten_thousand_guesses_reach_the_password_a_handful_of_times() -> None:
    clock = Clock()
    door = Password("correct", clock)
    compared = 0
    for guess in range(10_000):
        before = door._wrong
        assert not door("studio", f"guess {guess}")
        compared += door._wrong > before
        clock.now += 0.1  # a thousand seconds in all
    assert compared < 15


def test_while_closed_even_the_right_password_waits_and_afterwards_it_opens() -> None:
    clock = Clock()
    door = Password("correct", clock)
    for _ in range(Password.FREE_GUESSES):
        door("studio", "wrong")
    assert not door("studio", "correct")
    clock.now += 31
    assert door("studio", "correct")
    assert door("studio", "correct")


def test_a_password_is_needed_where_others_could_reach_the_page(tmp_path: Path) -> None:
    for host, share in (("0.0.0.0", False), ("192.168.1.2", False), ("127.0.0.1", True)):
        with pytest.raises(StudioError) as caught:
            server.read_password(None, host, share)
        assert "--password-file" in caught.value.fix
    assert server.read_password(None, "127.0.0.1", False) is None
    assert server.read_password(None, "localhost", False) is None


def test_the_password_file_must_hold_something(tmp_path: Path) -> None:
    empty, good = tmp_path / "empty", tmp_path / "good"
    empty.write_text(" \n")
    good.write_text("hunter2 \n")
    for path in (empty, tmp_path / "missing", tmp_path):
        with pytest.raises(StudioError):
            server.read_password(path, "127.0.0.1", False)
    assert server.read_password(good, "0.0.0.0", False)("studio", "hunter2")


def test_ports() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen(1)
        port = taken.getsockname()[1]
        assert not server.port_is_free("127.0.0.1", port)
        with pytest.raises(StudioError) as caught:
            server.free_port("127.0.0.1", port)
        assert str(port) in caught.value.why
    assert server.free_port("127.0.0.1", port) == port
    assert server.FIRST_PORT <= server.free_port("127.0.0.1", None) <= server.LAST_PORT
    for impossible in (70_000, -1):
        with pytest.raises(StudioError):
            server.free_port("127.0.0.1", impossible)


def test_launch_settings(tmp_path: Path) -> None:
    options = server.launch_options(Workspace(tmp_path), host="127.0.0.1", port=7999)
    expected = {
        "share": False,
        "show_error": False,
        "run_history": False,
        "allowed_paths": [],
        "footer_links": [],
        "ssr_mode": False,
    }
    assert {name: options[name] for name in expected} == expected
    assert options["strict_cors"] is True
    assert options["max_file_size"] == "2gb"
    assert str(tmp_path / "runs") in options["blocked_paths"]
    assert options["app_kwargs"]["docs_url"] is None
    assert options["app_kwargs"]["openapi_url"] is None
    assert "http" not in options["head"].replace("http://www.w3.org/2000/svg", "")
