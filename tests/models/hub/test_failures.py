"""Each way the Hub or the way to it fails has its own sentence: what happened, why, and what to do."""

from __future__ import annotations

import errno
import os
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from studio.errors import NoSpace, StudioError
from studio.hub.child import Refused, kind_of
from studio.models import hub as models
from studio.models.hub.client import look, search
from studio.models.hub.words import FETCH, duration, failure
from studio.models.published import hub_id
from studio.models.token import HubToken
from studio.workspace import Workspace
from tests.hub import FakeHub
from tests.models.hub.conftest import REPO

Files = dict[str, bytes]
TOKEN = "hf_canary"
KINDS = (
    "gated",
    "consent",
    "private",
    "revision",
    "cut",
    "damaged",
    "unsafe",
    "big",
    "space",
    "rate",
    "missing",
    "owner",
    "token",
)
KINDS += ("offline", "switched", "proxy", "certificate", "server", "silent", "ended")


def test_every_kind_has_a_sentence_of_its_own_that_is_short() -> None:
    made = [failure(FETCH, {"error": kind}, REPO, token=True) for kind in KINDS]
    assert len({error.why for error in made}) == len(KINDS)
    assert failure(FETCH, {"error": "missing"}, REPO, token=False).why not in {error.why for error in made}
    for error in made:
        assert error.what and error.why and error.fix
        for part in (*error.why.split(". "), *error.fix.split(". ")):
            assert len(part.split()) <= 20, part
    waits = failure(FETCH, {"error": "rate", "wait": 120}, REPO, token=False)
    assert waits.fix == "Try again in 2 minutes."
    assert [duration(item) for item in (0, 59.6, 89, 90, 3600, 10_000)] == [
        "1 second",
        "60 seconds",
        "89 seconds",
        "2 minutes",
        "60 minutes",
        "3 hours",
    ]


def test_what_errors_mean() -> None:
    assert kind_of(OSError(errno.ENOSPC, "no")) == "space"
    assert kind_of(ConnectionError()) == "offline" and kind_of(MemoryError()) == "big"
    outer = ValueError()
    outer.__cause__ = Refused("cut")
    assert kind_of(outer) == "cut" and kind_of(ValueError()) == "ended"


# ---- the Hub's answers. Each asks once in a process of its own, about a second; most are among the long ones


def test_a_rate_limit_is_told_at_once_with_how_long_to_wait(hub: FakeHub) -> None:
    hub.add("models", REPO, {}, fails=429, headers={"Retry_After": "240"})
    with pytest.raises(StudioError, match="asked too often from here. Try again in 4 minutes"):
        look(REPO)
    assert len(hub.asked) == 1


def test_no_network_is_said(monkeypatch: pytest.MonkeyPatch, hub: FakeHub) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{free.getsockname()[1]}")
    with pytest.raises(StudioError, match="could not be reached"):
        search("x")


@pytest.mark.long
def test_a_name_that_leads_nowhere_and_offline_on_purpose(monkeypatch: pytest.MonkeyPatch, hub: FakeHub) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(StudioError, match="HF_HUB_OFFLINE"):
        look(REPO)
    monkeypatch.delenv("HF_HUB_OFFLINE")
    monkeypatch.setenv("HF_ENDPOINT", "http://no-such-host.invalid")
    with pytest.raises(StudioError, match="could not be reached"):
        look(REPO)


@pytest.mark.long
@pytest.mark.parametrize(
    ("about", "token", "sentence"),
    [
        ({"fails": 500}, "", "a fault of its own"),
        ({"fails": 503}, "", "a fault of its own"),
        ({"fails": 404}, "", "missing or private"),
        ({"fails": 403}, TOKEN, "token may not read"),
        ({"private": True, "token": TOKEN}, "", "missing or private"),
        ({"private": True, "token": TOKEN}, "hf_other", "that this token may see"),
    ],
)
def test_what_the_hub_answers_has_its_sentence(hub: FakeHub, tiny_files: Files, about: dict, token: str, sentence: str) -> None:
    hub.add("models", REPO, tiny_files, **about)
    with pytest.raises(StudioError, match=sentence) as caught:
        look(REPO, token=token)
    assert caught.value.fix and "hf_" not in str(caught.value)


@pytest.mark.long
def test_a_missing_one_a_refused_token_and_a_version_that_is_gone(hub: FakeHub, tiny_files: Files) -> None:
    with pytest.raises(StudioError, match=f"shows no model “{REPO}”"):
        look(REPO)
    hub.add("models", REPO, tiny_files)
    hub.refused.add(TOKEN)
    with pytest.raises(StudioError, match="does not accept the token"):
        look(REPO, token=TOKEN)
    with pytest.raises(StudioError, match="not on the Hub any more"):
        look(REPO, revision="f" * 40)


@pytest.mark.long
@pytest.mark.parametrize(("token", "closed", "sentence"), [("", "gated", "then write your token"), ("hf_x", "consent", "let in")])
def test_a_gated_model_tells_what_it_is_and_how_to_get_in(
    hub: FakeHub, workspace: Workspace, tiny_files: Files, token: str, closed: str, sentence: str
) -> None:
    hub.add("models", REPO, tiny_files, gated=True, token=TOKEN, card={"license": "llama3.2"})
    about = look(REPO, token=token)
    assert (about.gated, about.licence, about.closed) == (True, "llama3.2", closed)
    assert sentence in about.trouble and about.download_bytes > 0
    with pytest.raises(StudioError, match=sentence):
        models.fetch(workspace, REPO, token=token)
    assert look(REPO, token=TOKEN).trouble == ""


@pytest.mark.long
def test_cut_again_and_again_is_said_and_what_is_here_is_kept(hub: FakeHub, workspace: Workspace, tiny_files: Files) -> None:
    repo = hub.add("models", REPO, tiny_files, cut=40_000)  # the first piece of a file comes, and never more of it
    repo.cuts = [70_000] * 100
    with pytest.raises(StudioError, match="broke off again and again"):
        models.fetch(workspace, REPO)
    assert not models.is_here(workspace, hub_id(REPO))
    partial = workspace.folder("models", hub_id(REPO)) / "partial"
    assert (partial / "config.json").read_bytes() == tiny_files["config.json"]
    repo.cut, repo.cuts = None, []
    models.fetch(workspace, REPO)


# ---- proxies


class Proxy(BaseHTTPRequestHandler):
    """A proxy that wants a password it never gets."""

    def do_GET(self) -> None:
        self.send_response(407)
        self.send_header("Proxy-Authenticate", "Basic")
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_CONNECT = do_GET

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def proxy(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Proxy)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.mark.long
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_refuses_is_told_from_no_network(
    hub: FakeHub, proxy: str, monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", f"{scheme}://hub.example")
    monkeypatch.setenv(f"{scheme}_proxy", proxy)
    with pytest.raises(StudioError, match="The proxy between") as caught:
        look(REPO)
    assert "HTTPS_PROXY" in caught.value.fix


@pytest.mark.long
def test_a_proxy_that_is_not_there_is_said(hub: FakeHub, monkeypatch: pytest.MonkeyPatch, proxy: str) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{free.getsockname()[1]}")
    monkeypatch.setenv("HF_ENDPOINT", "http://hub.example")
    with pytest.raises(StudioError, match="The proxy between"):
        look(REPO)


# ---- the token


def test_a_token_is_what_was_typed_else_the_environments_else_the_login(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HF_TOKEN", "HF_TOKEN_PATH", "HF_HUB_DISABLE_IMPLICIT_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    token = HubToken()
    assert token.value() == ""
    (tmp_path / "token").write_text("hf_login\n")
    before = (tmp_path / "token").stat().st_mtime_ns
    assert token.value() == "hf_login" and (tmp_path / "token").stat().st_mtime_ns == before
    monkeypatch.setenv("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1")
    assert token.value() == ""
    monkeypatch.setenv("HF_TOKEN", "hf_environment")
    assert token.value() == "hf_environment" and not token.typed
    token.take("  hf_typed ")
    assert token.value() == "hf_typed" and token.typed
    token.take("")
    assert token.value() == "hf_environment"


@pytest.mark.parametrize("text", ["a\nb", "a b", "é", "x" * 201, "hf_\0"])
def test_what_is_no_token_is_refused_without_repeating_it(text: str) -> None:
    with pytest.raises(StudioError, match="no token has") as caught:
        HubToken().take(text)
    assert text not in str(caught.value)


def test_a_token_is_not_shown_and_not_pickled() -> None:
    import pickle

    token = HubToken()
    token.take(TOKEN)
    assert TOKEN not in f"{token!r} {token}"
    with pytest.raises(TypeError, match="not written anywhere") as caught:
        pickle.dumps(token)
    assert TOKEN not in str(caught.value)
    assert TOKEN not in os.environ.values()


def test_a_disk_that_fills_is_no_space() -> None:
    assert isinstance(failure(FETCH, {"error": "space"}, REPO, token=False), NoSpace)
