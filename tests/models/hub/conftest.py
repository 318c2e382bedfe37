"""A Hub on this machine that serves the tiny model, and a home without anybody's login or cache."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hub import FakeHub

PROXIES = ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "all_proxy")
OWN = ("HF_TOKEN", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_TOKEN_PATH", "HF_HUB_DISABLE_IMPLICIT_TOKEN", "HF_HUB_OFFLINE")
REPO = "Own/Tiny.Model"
CARD = {"license": "apache-2.0"}


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[FakeHub]:
    """A Hub that HF_ENDPOINT names."""
    with FakeHub().serving() as running:
        monkeypatch.setenv("HF_ENDPOINT", running.url)
        monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
        for name in (*PROXIES, *OWN):
            monkeypatch.delenv(name, raising=False)
        yield running


@pytest.fixture(scope="session")
def tiny_files(tiny_model: Path) -> dict[str, bytes]:
    """The tiny model's files, and some that a repository has besides."""
    files = {path.name: path.read_bytes() for path in tiny_model.iterdir() if path.is_file()}
    return {**files, "README.md": b"# Tiny", "pytorch_model.bin": b"\x80\x02", "onnx/model.onnx": b"x" * 10**5, "a.gguf": b"GGUF"}
