"""Data sets of the Hub: the Hub's own client, in its own process, against a Hub on this machine that fails in every way."""

from __future__ import annotations

import io
import json
import os
import shutil
import socket
import time
from collections import namedtuple
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.data.convert import convert
from studio.data.detect import detect
from studio.data.hub import About, Hub, Progress, checked_name
from studio.data.hub_worker import stays_inside
from studio.data.read import read
from studio.errors import NoSpace, NotFound, Stopped, StudioError
from studio.workspace import Workspace
from tests.hub import COMMIT, FakeHub

ROWS = [{"question": f"What is number {index}?", "answer": f"It is {index}."} for index in range(2500)]
LINES = "".join(json.dumps(row) + "\n" for row in ROWS).encode()
TOKEN = "hf_canary_token"
CARD = {"license": "mit"}


def parquet(rows: list[dict]) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), buffer)
    return buffer.getvalue()


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    """A Hub that HF_ENDPOINT names."""
    with FakeHub().serving() as running:
        monkeypatch.setenv("HF_ENDPOINT", running.url)
        monkeypatch.delenv("HF_TOKEN", raising=False)
        for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"):
            monkeypatch.delenv(name, raising=False)
        yield running


@pytest.fixture
def into(tmp_path: Path) -> Path:
    """The folder of a draft's files."""
    (tmp_path / "source").mkdir()
    return tmp_path / "source"


def everything_below(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


# ---- names, and what is refused before anybody is asked


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("owner/name", "owner/name"),
        (" squad ", "squad"),
        ("https://huggingface.co/datasets/own.er/na_me-2", "own.er/na_me-2"),
        ("huggingface.co/datasets/owner/name?row=1#x", "owner/name"),
        ("datasets/owner/name/", "owner/name"),
    ],
)
def test_a_name_or_its_page_is_taken(name: str, found: str) -> None:
    assert checked_name(name) == found


@pytest.mark.parametrize(
    "name",
    [
        "",
        "a/b/c",
        "../x",
        "a/..",
        "/etc/passwd",
        "a b",
        "x" * 97,
        "a\nb",
        "$(id)",
        "https://example.com/a/b",
        "a--b/c",
        None,
        "é",
    ],
)
def test_what_is_no_name_is_refused(workspace: Workspace, name: str) -> None:
    with pytest.raises(StudioError, match="not the name of a data set"):
        Hub(workspace).look(name)


def test_a_token_that_is_none_is_refused(workspace: Workspace) -> None:
    with pytest.raises(StudioError, match="no token has"):
        Hub(workspace, "a\nb")


ABOUT = About("own/jl", COMMIT, "mit", 1000, gated=False, configs=("default",), config="default", splits={"train": 2**30})


def test_a_disk_without_room_is_said_before_anything_is_fetched(
    workspace: Workspace, into: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: namedtuple("Usage", "total used free")(10, 10, 10))
    with pytest.raises(NoSpace):
        Hub(workspace).fetch(ABOUT, "train", into)


def test_a_split_that_is_not_there_and_a_closed_data_set(workspace: Workspace, into: Path) -> None:
    with pytest.raises(NotFound, match="no split of that name"):
        Hub(workspace).fetch(ABOUT, "test", into)
    with pytest.raises(StudioError, match="let in"):
        Hub(workspace).fetch(About("own/g", COMMIT, "", 1, gated=True), "train", into)


# ---- failures of the Hub; the client alone, about a second each, so that some of each kind are among the slow ones


@pytest.mark.parametrize(
    ("status", "sentence"),
    [
        (429, "asked too often"),
        pytest.param(500, "a fault of its own", marks=pytest.mark.long),
        pytest.param(404, "no data set", marks=pytest.mark.long),
        pytest.param(401, "token", marks=pytest.mark.long),
    ],
)
def test_a_failure_of_the_hub_has_its_sentence(hub: FakeHub, workspace: Workspace, status: int, sentence: str) -> None:
    hub.add("datasets", "own/broken", {"train.jsonl": LINES}, fails=status)
    with pytest.raises(StudioError, match=sentence) as caught:
        Hub(workspace).look("own/broken")
    assert caught.value.fix


def test_a_missing_one_and_one_that_brings_code(hub: FakeHub, workspace: Workspace) -> None:
    with pytest.raises(StudioError, match="no data set “own/nothing”"):
        Hub(workspace).look("own/nothing")
    hub.add("datasets", "own/script", {"script.py": b"open('/tmp/x', 'w')", "train.jsonl": LINES})
    with pytest.raises(StudioError, match="code of strangers is never run"):
        Hub(workspace).look("own/script")


@pytest.mark.parametrize("kind", ["address", *(pytest.param(kind, marks=pytest.mark.long) for kind in ("file", "above", "yaml"))])
def test_files_elsewhere_are_not_touched(hub: FakeHub, workspace: Workspace, tmp_path: Path, kind: str) -> None:
    (tmp_path / "secret.txt").write_text("secret")
    named = {"address": f"{hub.url}/elsewhere/x.txt", "file": str(tmp_path / "secret.txt"), "above": "../../secret.txt"}
    card = {"configs": [{"config_name": "a", "data_files": [{"split": "train", "path": ["train.jsonl", named.get(kind, "*")]}]}]}
    files = {"train.jsonl": LINES} | ({".huggingface.yaml": b"configs: []"} if kind == "yaml" else {})
    hub.add("datasets", "own/outside", files, card=card)
    with pytest.raises(StudioError, match="files that are not its own"):
        Hub(workspace).look("own/outside")
    assert not any("elsewhere" in path for _, path, _ in hub.asked)


def test_no_network_is_said(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{free.getsockname()[1]}")
    with pytest.raises(StudioError, match="could not be reached"):
        Hub(workspace).look("own/jl")


def test_looking_can_be_stopped(hub: FakeHub, workspace: Workspace) -> None:
    hub.add("datasets", "own/jl", {"train.jsonl": LINES})
    started = time.monotonic()
    with pytest.raises(Stopped):
        Hub(workspace).look("own/jl", stop=lambda: True)
    assert time.monotonic() - started < 5
    assert not list((workspace.root / "cache").iterdir())


@given(st.text(max_size=30))
def test_names_in_a_card_stay_inside_or_are_refused(path: str) -> None:
    if stays_inside(path):
        base = Path("/repository")
        assert base in Path(os.path.normpath(base / path)).parents or os.path.normpath(base / path) == str(base)


# ---- the whole way; the library that reads the files takes seconds to import


@pytest.mark.long
def test_it_is_looked_at_fetched_and_read(hub: FakeHub, workspace: Workspace, into: Path) -> None:
    some = LINES[:1000].rsplit(b"\n", 1)[0]
    hub.add("datasets", "own/jl", {"data/train.jsonl": LINES, "data/test.jsonl": some}, card=CARD)
    about = Hub(workspace).look("own/jl")
    assert (about.licence, about.configs, about.config, about.gated, about.revision) == (
        "mit",
        ("default",),
        "default",
        False,
        COMMIT,
    )
    assert set(about.splits) == {"train", "test"}
    assert about.splits["train"] == len(LINES)
    assert not any(path.endswith(".jsonl") for _, path, _ in hub.asked)
    told: list[Progress] = []
    found = Hub(workspace).fetch(about, "train", into, progress=told.append)
    assert (found.rows, found.cut, found.note) == (len(ROWS), False, "")
    assert [item.rows for item in told] == [1000, 2000, 2500]
    reading = read(found.path)
    assert list(reading.rows) == ROWS
    assert len(convert(reading, detect(reading)).examples) == len(ROWS)
    assert [path.name for path in into.iterdir()] == ["own-jl-train.parquet"]
    assert not list((workspace.root / "cache").iterdir())


@pytest.mark.long
def test_a_name_from_before_owners_leads_to_the_one_it_has_now(hub: FakeHub, workspace: Workspace, into: Path) -> None:
    hub.add("datasets", "rajpurkar/squad", {"train.jsonl": LINES})
    hub.moved["api/datasets/squad"] = "api/datasets/rajpurkar/squad"
    about = Hub(workspace).look("squad")
    assert about.name == "rajpurkar/squad"
    assert Hub(workspace).fetch(about, "train", into).path.name == "rajpurkar-squad-train.parquet"
    hub.add("datasets", "old", {"train.jsonl": LINES})
    with pytest.raises(StudioError, match="half a name"):
        Hub(workspace).look("old")


@pytest.mark.long
def test_of_a_large_one_the_first_rows_are_taken(hub: FakeHub, workspace: Workspace, into: Path) -> None:
    splits = [{"config_name": name, "data_files": [{"split": "train", "path": f"{name}/*"}]} for name in ("en", "fr")]
    files = {f"{name}/train-0.parquet": parquet(ROWS) for name in ("en", "fr")}
    hub.add("datasets", "own/pq", files, card={"license": ["cc0-1.0", "mit"], "configs": splits})
    about = Hub(workspace).look("own/pq", "fr")
    assert (about.configs, about.config, about.licence) == (("en", "fr"), "fr", "cc0-1.0, mit")
    found = Hub(workspace).fetch(about, "train", into, most_rows=1500)
    assert (found.rows, found.cut) == (1500, True)
    assert "Its first 1,500 rows were taken." in found.note
    assert pq.read_table(found.path).to_pylist() == ROWS[:1500]
    assert Hub(workspace).fetch(about, "train", into, most_bytes=1).rows == 1000
    assert not any("/en/" in path for _, path, _ in hub.asked if "resolve" in path)
    with pytest.raises(StudioError, match="no configuration of that name"):
        Hub(workspace).look("own/pq", "de")


@pytest.mark.long
def test_a_closed_one_wants_a_token_which_is_written_nowhere(hub: FakeHub, workspace: Workspace, into: Path) -> None:
    hub.add("datasets", "own/closed", {"train.jsonl": LINES}, gated=True, token=TOKEN, card=CARD)
    about = Hub(workspace).look("own/closed")
    assert (about.gated, about.licence, about.splits) == (True, "mit", {})
    assert not any(token for _, _, token in hub.asked)
    about = Hub(workspace, TOKEN).look("own/closed")
    assert set(about.splits) == {"train"}
    assert Hub(workspace, TOKEN).fetch(about, "train", into).rows == len(ROWS)
    assert any(token == TOKEN for _, _, token in hub.asked)
    assert TOKEN.encode() not in everything_below(workspace.root) + everything_below(into)
    assert TOKEN not in os.environ.values()
    with pytest.raises(StudioError, match="let in|no data set"):
        Hub(workspace, "hf_other").fetch(about, "train", into)


@pytest.mark.long
@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        ({"a.png": b"\x89PNG", "b.png": b"\x89PNG"}, "no texts in a form"),
        ({"train.parquet": b"PAR1" + b"\0" * 500 + b"PAR1"}, "cannot be read"),
        ({"train.jsonl": b'{"question": "a", "answer": \n' * 50}, "cannot be read"),
        ({"data.pkl": b"cos\nsystem\n(S'touch /tmp/owned'\ntR."}, "no texts in a form|holds no rows"),
    ],
)
def test_files_that_cannot_be_used_are_said(
    hub: FakeHub, workspace: Workspace, into: Path, files: dict[str, bytes], sentence: str
) -> None:
    hub.add("datasets", "own/bad", files)
    with pytest.raises(StudioError, match=sentence):
        about = Hub(workspace).look("own/bad")
        Hub(workspace).fetch(about, "train", into)
    assert not list(into.iterdir())


@pytest.mark.long
def test_stop_in_the_middle_leaves_nothing_behind(hub: FakeHub, workspace: Workspace, into: Path) -> None:
    hub.add("datasets", "own/jl", {"train.jsonl": LINES * 20}, delay=0.05)
    about = Hub(workspace).look("own/jl")
    told: list[Progress] = []
    with pytest.raises(Stopped):
        Hub(workspace).fetch(about, "train", into, progress=told.append, stop=lambda: bool(told))
    assert told
    assert not list(into.iterdir())
    assert not list((workspace.root / "cache").iterdir())
