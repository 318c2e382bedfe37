"""Fetching whole models: cut, killed, stopped, damaged, from a cache; and what comes out of it."""

from __future__ import annotations

import json
import logging
import os
import random
import shutil
import subprocess
import sys
import threading
import time
from collections import namedtuple
from dataclasses import asdict
from pathlib import Path

import psutil
import pytest

from studio.errors import Busy, NoSpace, NotFound, Stopped, StudioError
from studio.models import fetch as fetching
from studio.models import hub as models
from studio.models.catalog import ModelCatalog
from studio.models.fetch import ensure, fetch_progress
from studio.models.hub.client import asked
from studio.models.hub.download import sentence
from studio.models.hub.files import part_of
from studio.models.hub.words import FETCH
from studio.models.progress import FetchState, Progress
from studio.models.published import hub_id
from studio.workspace import Workspace, sha256_file
from tests.hub import COMMIT, FakeHub
from tests.models.hub.conftest import CARD, REPO

pytestmark = pytest.mark.long

ROOT = Path(__file__).parents[3]
ID = hub_id(REPO)
TOKEN = "hf_canaryTokenThatIsNowhere"
WEIGHTS = "model.safetensors"
Files = dict[str, bytes]


@pytest.fixture(scope="session")
def large_files(tiny_files: Files) -> Files:
    """The tiny model with a further tensor of 4 MB, so that there is something to cut."""
    whole = tiny_files[WEIGHTS]
    length = int.from_bytes(whole[:8], "little")
    header, data = json.loads(whole[8 : 8 + length]), whole[8 + length :]
    more = random.Random(1).randbytes(4 * 2**20)
    header["more"] = {"dtype": "U8", "shape": [len(more)], "data_offsets": [len(data), len(data) + len(more)]}
    head = json.dumps(header).encode()
    head += b" " * (-len(head) % 8)
    return {**tiny_files, WEIGHTS: len(head).to_bytes(8, "little") + head + data + more}


def check_whole(workspace: Workspace, files: Files, repo: str = REPO) -> None:
    """It is ready, every byte of it is right, and nothing else lies about."""
    home = workspace.folder("models", hub_id(repo))
    note = json.loads((home / "model.json").read_text())
    names = {path.name for path in (home / "files").iterdir()}
    assert {path.name for path in home.iterdir()} == {"model.json", "files"}
    assert names == set(note["files"]) and WEIGHTS in names
    for name in names:
        assert (home / "files" / name).read_bytes() == files[name], name
        assert note["files"][name] == {"size": len(files[name]), "sha256": sha256_file(home / "files" / name)}
    assert (note["ready"], note["origin"], note["repo"], note["revision"]) == (True, "hub", repo, COMMIT)
    cache = {path.name for path in (workspace.root / "cache").iterdir()}
    assert cache <= {f"{hub_id(repo)}.lock"}


def children() -> list[psutil.Process]:
    """The workers that run for this process."""
    found = []
    for process in psutil.Process().children():
        if "studio.models.hub.worker" in process.cmdline():
            found.append(process)
    return found


def halfway(told: list[Progress], share: float = 0.4) -> bool:
    return any(item.phase == "download" and item.total > 1 and item.done > share * item.total for item in told)


# ---- the whole way


def test_a_model_is_fetched_and_can_be_used(hub: FakeHub, workspace: Workspace, tiny_files: Files) -> None:
    from studio.models.load import load_base, load_tokenizer

    hub.add("models", REPO, tiny_files, card=CARD)
    catalog = ModelCatalog(workspace)
    about = models.look(REPO)
    assert models.remember(workspace, about) == ID
    entry = catalog.get(ID)
    assert (entry.ready, entry.trouble, entry.download_bytes, entry.origin) == (False, "", about.download_bytes, "hub")
    assert fetch_progress(workspace, ID) is None and models.source_of(workspace, ID) == (REPO, COMMIT)
    told: list[Progress] = []
    folder = ensure(workspace, ID, told.append)
    check_whole(workspace, tiny_files)
    assert not any(name.endswith((".bin", ".gguf", ".onnx")) for name in hub.served)
    assert told[-1].phase == "ready" and all(0 <= item.done <= item.total and item.sentence for item in told)
    assert max(item.done for item in told) == about.download_bytes
    entry = catalog.get(ID)
    assert (entry.ready, entry.licence, entry.download_bytes, entry.title) == (True, "apache-2.0", 0, "Tiny.Model")
    assert catalog.folder(ID) == folder and ID in [item.id for item in catalog.entries()]
    tokenizer, model = load_tokenizer(folder), load_base(folder, "none")
    logits = model(**tokenizer("what is red", return_tensors="pt")).logits
    assert model.name_or_path == REPO
    assert logits.shape[-1] == entry.shape.vocab_size and bool(logits.isfinite().all())
    count = len(hub.asked)
    started = time.perf_counter()
    assert ensure(workspace, ID) == folder and models.remember(workspace, about) == ID
    assert time.perf_counter() - started < 0.1 and len(hub.asked) == count
    assert fetch_progress(workspace, ID).phase == "ready"


@pytest.mark.long
def test_what_is_damaged_here_is_mended_and_a_name_of_old_leads_to_the_new(
    hub: FakeHub, workspace: Workspace, tiny_files: Files
) -> None:
    hub.add("models", REPO, tiny_files)
    hub.moved["api/models/tiny"] = f"api/models/{REPO}"
    folder = models.fetch(workspace, "tiny")
    assert models.source_of(workspace, hub_id("tiny")) == (REPO, COMMIT)
    (folder / WEIGHTS).write_bytes(tiny_files[WEIGHTS][:-1])
    assert not models.is_here(workspace, hub_id("tiny")) and not ModelCatalog(workspace).get(hub_id("tiny")).ready
    before = hub.served["tokenizer.json"]
    ensure(workspace, hub_id("tiny"))
    assert (folder / WEIGHTS).read_bytes() == tiny_files[WEIGHTS] and hub.served["tokenizer.json"] == before


@pytest.mark.slow
def test_the_starter_from_a_hub_that_sends_large_files_elsewhere(
    hub: FakeHub, workspace: Workspace, shared_starter: Workspace
) -> None:
    """269 MB, with a token that only the Hub itself gets."""
    source = shared_starter.folder("models", "starter")
    files = {path.name: path.read_bytes() for path in source.iterdir() if path.name != "studio.json"}
    with FakeHub().serving() as cdn:
        hub.elsewhere = cdn
        hub.add("models", REPO, files, gated=True, token=TOKEN, card=CARD)
        told: list[Progress] = []
        models.fetch(workspace, REPO, token=TOKEN, progress=told.append)
        check_whole(workspace, files)
        assert cdn.served[WEIGHTS] == len(files[WEIGHTS]) and not hub.served[WEIGHTS]
        assert not any(token for _, _, token in cdn.asked) and all(token == TOKEN for _, _, token in hub.asked)
        assert any(item.speed > 0 and "a second" in item.sentence for item in told)


# ---- cut, killed, stopped


@pytest.mark.long
def test_cut_at_twenty_places_it_goes_on_from_each(hub: FakeHub, workspace: Workspace, large_files: Files) -> None:
    size = len(large_files[WEIGHTS])
    cuts = sorted(random.Random(3).sample(range(1, size), 20))
    repo = hub.add("models", REPO, large_files, cuts=list(cuts))
    models.fetch(workspace, REPO)
    check_whole(workspace, large_files)
    assert not repo.cuts
    # each cut costs at most the piece of 64 kB that was on its way
    assert size <= hub.served[WEIGHTS] <= size + 20 * 2**16
    assert size * 20 / 4 > hub.served[WEIGHTS]


@pytest.mark.long
@pytest.mark.parametrize("whole", [False, True])
def test_a_killed_worker_leaves_what_the_next_one_goes_on_with(
    hub: FakeHub, workspace: Workspace, large_files: Files, whole: bool
) -> None:
    """Also from a Hub that knows no ranges, which sends all of it again."""
    repo = hub.add("models", REPO, large_files, delay=0.05)
    told: list[Progress] = []

    def kill(now: Progress) -> None:
        told.append(now)
        if halfway(told):
            for child in children():
                child.kill()

    with pytest.raises(StudioError, match="without a result"):
        models.fetch(workspace, REPO, progress=kill)
    assert not models.is_here(workspace, ID) and not ModelCatalog(workspace).get(ID).ready
    before, size = hub.served[WEIGHTS], len(large_files[WEIGHTS])
    assert size // 3 < before < size
    repo.delay, repo.whole = 0.0, whole
    told.clear()
    models.fetch(workspace, REPO, progress=told.append)
    check_whole(workspace, large_files)
    if not whole:
        # what the dead one had been sent and not written: its piece, and what lay in the system's buffers
        assert hub.served[WEIGHTS] < size + 2**20
        assert next(item.done for item in told if item.done > size // 10) > size // 4


CALL = """
import sys
from studio.models.hub import fetch
from studio.workspace import Workspace
fetch(Workspace(sys.argv[1]), sys.argv[2], progress=lambda now: print(now.done, now.total, flush=True))
"""


@pytest.mark.long
def test_a_killed_app_takes_its_worker_along_and_the_next_start_goes_on(
    hub: FakeHub, workspace: Workspace, large_files: Files
) -> None:
    repo = hub.add("models", REPO, large_files, delay=0.05)
    app = subprocess.Popen([sys.executable, "-c", CALL, str(workspace.root), REPO], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    for line in app.stdout:
        done, total = map(int, line.split())
        if total > 1 and done > total // 2:
            break
    worker = psutil.Process(app.pid).children()[0]
    app.kill()
    app.communicate()
    worker.wait(2)
    Workspace(workspace.root).sweep()
    assert not models.is_here(workspace, ID) and fetch_progress(workspace, ID) is None
    repo.delay = 0.0
    models.fetch(workspace, REPO)
    check_whole(workspace, large_files)
    assert hub.served[WEIGHTS] < len(large_files[WEIGHTS]) + 2**20


@pytest.mark.long
def test_stopping_takes_less_than_a_second_and_keeps_what_is_here(hub: FakeHub, workspace: Workspace, large_files: Files) -> None:
    repo = hub.add("models", REPO, large_files, delay=0.2)
    told: list[Progress] = []
    begun: list[float] = []

    def stop() -> bool:
        if not begun and halfway(told, 0.1):
            begun.append(time.monotonic())
        return bool(begun)

    with pytest.raises(Stopped):
        ensure_remembered(workspace, told, stop)
    assert time.monotonic() - begun[0] < 1
    assert not children() and not FetchState(workspace, ID).lock.held()
    assert (workspace.folder("models", ID) / "partial").is_dir()
    repo.delay = 0.0
    ensure(workspace, ID)
    check_whole(workspace, large_files)


def ensure_remembered(workspace: Workspace, told: list[Progress], stop) -> None:
    models.remember(workspace, models.look(REPO))
    ensure(workspace, ID, told.append, stop)


@pytest.mark.long
def test_two_callers_do_it_once_and_both_see_it_progress(hub: FakeHub, workspace: Workspace, large_files: Files) -> None:
    hub.add("models", REPO, large_files, delay=0.02)
    told: dict[int, list[Progress]] = {0: [], 1: []}
    threads = [
        threading.Thread(target=models.fetch, args=(Workspace(workspace.root), REPO), kwargs={"progress": told[number].append})
        for number in told
    ]
    for thread in threads:
        thread.start()
    with pytest.raises(Busy, match="being fetched"):
        while not (workspace.folder("models", ID) / "model.json").exists():
            time.sleep(0.02)
        models.remove(workspace, ID)
    for thread in threads:
        thread.join()
    check_whole(workspace, large_files)
    assert hub.served[WEIGHTS] == len(large_files[WEIGHTS])
    assert all(any(item.phase == "download" and item.total > 1 for item in items) for items in told.values())


# ---- damaged, no room, a cache, a token


@pytest.mark.long
@pytest.mark.parametrize("times", [1, 2])
def test_what_arrives_damaged_is_fetched_once_more_and_never_used(
    hub: FakeHub, workspace: Workspace, tiny_files: Files, times: int
) -> None:
    hub.add("models", REPO, tiny_files, wrong=times)
    if times == 1:
        models.fetch(workspace, REPO)
        check_whole(workspace, tiny_files)
        return
    with pytest.raises(StudioError, match="model.safetensors arrived damaged twice"):
        models.fetch(workspace, REPO)
    assert not models.is_here(workspace, ID)
    assert WEIGHTS not in os.listdir(workspace.folder("models", ID) / "partial")


@pytest.mark.long
def test_a_full_disk_is_said_before_and_while_it_fills(
    hub: FakeHub, workspace: Workspace, large_files: Files, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    hub.add("models", REPO, large_files)
    about = models.look(REPO)
    if Path("/dev/full").exists():  # a device that has no room for anything
        weights = next(item for item in about.files if item.name == WEIGHTS)
        part_of(tmp_path, weights).symlink_to("/dev/full")
        request = {"job": "fetch", "repo": REPO, "revision": COMMIT, "folder": str(tmp_path), "cache": str(tmp_path)}
        with pytest.raises(NoSpace, match="The disk became full"):
            list(asked({**request, "files": [list(asdict(weights).values())]}, FETCH, REPO, "", lambda: False))
    size = len(large_files[WEIGHTS])
    free = 500 * 2**20 + size  # without the notes and the small files
    monkeypatch.setattr(shutil, "disk_usage", lambda _: namedtuple("Usage", "total used free")(free, 0, free))
    hub.served.clear()
    with pytest.raises(NoSpace):
        models.fetch(workspace, REPO)
    assert list(hub.served) == ["config.json"]


@pytest.mark.long
def test_the_cache_of_the_person_is_used_and_left_as_it_is(
    hub: FakeHub, workspace: Workspace, large_files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import snapshot_download

    hub.add("models", REPO, large_files)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "mine"))
    snapshot_download(REPO, cache_dir=tmp_path / "mine", endpoint=hub.url, allow_patterns=["*.safetensors", "tok*"], token=False)
    before = {path: (path.lstat().st_mtime_ns, path.lstat().st_size) for path in (tmp_path / "mine").rglob("*")}
    hub.served.clear()
    models.fetch(workspace, REPO)
    check_whole(workspace, large_files)
    assert WEIGHTS not in hub.served and "tokenizer.json" not in hub.served and "config.json" in hub.served
    assert os.stat(workspace.folder("models", ID) / "files" / WEIGHTS).st_nlink == 2
    after = {path: (path.lstat().st_mtime_ns, path.lstat().st_size) for path in (tmp_path / "mine").rglob("*")}
    assert after == before
    blob = next(path for path in (tmp_path / "mine").rglob(WEIGHTS)).resolve()
    models.remove(workspace, ID)
    damaged = bytearray(blob.read_bytes())
    damaged[-1] ^= 1
    blob.write_bytes(damaged)
    models.fetch(workspace, REPO)
    check_whole(workspace, large_files)
    assert hub.served[WEIGHTS] == len(large_files[WEIGHTS]) and blob.read_bytes() == damaged


@pytest.mark.long
def test_the_token_is_nowhere(
    hub: FakeHub, workspace: Workspace, large_files: Files, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    caplog.set_level(logging.DEBUG)
    with FakeHub().serving() as cdn:
        hub.elsewhere = cdn
        repo = hub.add("models", REPO, large_files, gated=True, token=TOKEN, delay=0.02)
        seen: list[bytes] = []

        def watch(_: Progress) -> None:
            for child in children():
                seen.append(Path(f"/proc/{child.pid}/cmdline").read_bytes())
                seen.append(Path(f"/proc/{child.pid}/environ").read_bytes())

        models.fetch(workspace, REPO, token=TOKEN, progress=watch if Path("/proc").is_dir() else lambda _: None)
        assert seen and not any(TOKEN.encode() in text for text in seen)
        assert not any(token for _, _, token in cdn.asked) and any(token == TOKEN for _, _, token in hub.asked)
        repo.fails = 500
        with pytest.raises(StudioError) as caught:
            models.look(REPO, token=TOKEN)
    error = caught.value
    assert TOKEN not in f"{error!r} {error} {error.__cause__!r} {error.__context__!r} {caplog.text}"
    for path in tmp_path.rglob("*"):
        assert TOKEN not in path.name and (not path.is_file() or TOKEN.encode() not in path.read_bytes())
    assert TOKEN not in os.environ.values()


# ---- checked at the end, removed, told


@pytest.mark.long
def test_a_model_that_turns_out_a_trap_is_not_kept(hub: FakeHub, workspace: Workspace, large_files: Files) -> None:
    settings = json.loads(large_files["tokenizer_config.json"])
    trap = json.dumps({**settings, "auto_map": {"AutoTokenizer": ["evil.T", None]}}).encode()
    hub.add("models", REPO, {**large_files, "tokenizer_config.json": trap})
    with pytest.raises(StudioError, match="run code of its own"):
        models.fetch(workspace, REPO)
    assert WEIGHTS not in hub.served
    template = b"{% for a in range(9**9) %}{% for b in range(9**9) %}x{% endfor %}{% endfor %}"
    hub.add("models", REPO, {**large_files, "chat_template.jinja": template})
    with pytest.raises(StudioError, match="chat template"):
        models.fetch(workspace, REPO)
    assert WEIGHTS not in hub.served
    assert not list((workspace.root / "models").iterdir())


@pytest.mark.long
def test_removing_frees_what_it_says_and_not_what_is_in_use(
    hub: FakeHub, workspace: Workspace, tiny_files: Files, tiny_model
) -> None:
    hub.add("models", REPO, tiny_files)
    models.fetch(workspace, REPO)
    with pytest.raises(Busy, match="Training “Bakery” uses it"):
        models.remove(workspace, ID, in_use=lambda _: "Training “Bakery”")
    assert models.is_here(workspace, ID)
    assert models.remove(workspace, ID) > len(tiny_files[WEIGHTS])
    assert not workspace.folder("models", ID).exists()
    local = ModelCatalog(workspace).register_local(str(tiny_model))
    for model_id in (ID, local.id, "starter", "../x"):
        with pytest.raises(NotFound):
            models.remove(workspace, model_id)


def test_an_id_that_nobody_knows_is_refused(workspace: Workspace) -> None:
    for model_id in ("nobody-000000", "../../etc", ""):
        with pytest.raises(NotFound):
            ensure(workspace, model_id)
    assert not list((workspace.root / "models").iterdir()) and fetching.is_ready(workspace, "nobody-000000") is False


def test_a_damaged_note_is_no_model(workspace: Workspace) -> None:
    home = workspace.folder("models", ID)
    home.mkdir()
    for text in ("{", "[]", '{"origin": "hub"}', '{"origin": "hub", "ready": true, "files": {"../x": {}}}'):
        (home / "model.json").write_text(text)
        assert not models.is_here(workspace, ID) and models.source_of(workspace, ID) == ("", "")


def test_what_a_download_says_is_short() -> None:
    assert sentence(0, 2**30, 0.0) == "Fetching the model: 0 kB of 1.0 GB."
    text = sentence(2**29, 2**30, 4 * 2**20)
    assert text == "Fetching the model: 512 MB of 1.0 GB, 4 MB a second, about 2 minutes left."
    assert len(text.split()) <= 20
