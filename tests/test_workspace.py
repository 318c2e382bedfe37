"""Paths stay inside, writes are whole, locks are the system's."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from studio.errors import NoSpace, NotFound, StudioError
from studio.workspace import Lock, Workspace, display_name, gib, read_json, slug, write_json

NAMES = [
    "../x",
    "/etc",
    "C:\\x",
    "CON",
    "a" * 300,
    "\u202egnp.exe",
    "$(id)",
    "<img onerror=1>",
    "",
    "..",
    "A",
    "a/b",
    "a.b",
    None,
    3,
]


@pytest.mark.parametrize("name", [name for name in NAMES if name != "CON"])
def test_an_id_that_is_not_ours_is_refused(tmp_path: Path, name: object) -> None:
    with pytest.raises(NotFound):
        Workspace(tmp_path).folder("runs", name)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", [name for name in NAMES if isinstance(name, str)])
def test_any_name_becomes_a_safe_folder_inside(tmp_path: Path, name: str) -> None:
    workspace = Workspace(tmp_path)
    made = workspace.new_folder("runs", name)
    assert made.parent == workspace.root / "runs"
    assert made.name == made.name.lower()
    assert slug(name)
    assert display_name(name)


def test_a_linked_folder_is_not_followed(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "w")
    (tmp_path / "outside").mkdir()
    (workspace.root / "runs" / "link").symlink_to(tmp_path / "outside")
    with pytest.raises(NotFound):
        workspace.folder("runs", "link")


def test_staging_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    with pytest.raises(RuntimeError), workspace.staged("models", "m") as folder:
        (folder / "half").write_text("x")
        raise RuntimeError
    assert not (workspace.root / "models" / "m").exists()
    with workspace.staged("models", "m") as folder:
        (folder / "whole").write_text("x")
        assert not (workspace.root / "models" / "m").exists()
    assert (workspace.root / "models" / "m" / "whole").read_text() == "x"
    (workspace.root / "models" / ".staging-m-1").mkdir()
    workspace.sweep()
    assert [path.name for path in (workspace.root / "models").iterdir()] == ["m"]


def test_json_is_replaced_whole_and_never_holds_nan(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_json(path, {"a": 1})
    with pytest.raises(ValueError):
        write_json(path, {"a": float("nan")})
    assert read_json(path) == {"a": 1}
    assert [item.name for item in tmp_path.iterdir()] == ["a.json"]
    path.write_text('{"a":')
    with pytest.raises(StudioError):
        read_json(path)
    path.write_text("[" * 100_000)
    with pytest.raises(StudioError):
        read_json(path)


def test_space_is_asked_for_before_writing(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    workspace.require_space(1, "for a test")
    with pytest.raises(NoSpace) as caught:
        workspace.require_space(2**60, "for a test")
    assert "GB" in caught.value.why


def test_a_lock_is_seen_by_others_and_dies_with_its_holder(tmp_path: Path) -> None:
    path = tmp_path / "x.lock"
    code = (
        "import sys; from pathlib import Path; from studio.workspace import Lock\n"
        f"lock = Lock(Path({str(path)!r})); print(lock.acquire('the other'), flush=True); sys.stdin.read()"
    )
    root = Path(__file__).parents[1]
    child = subprocess.Popen([sys.executable, "-c", code], cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert child.stdout and child.stdout.readline().strip() == "True"
    mine = Lock(path)
    assert mine.held() and mine.holder() == "the other"
    assert not mine.acquire("me", timeout=0.1)
    child.kill()
    child.wait()
    assert not mine.held() and mine.holder() == ""
    assert mine.acquire("me") and Lock(path).holder() == "me"
    mine.release()
    mine.release()
    assert not Lock(path).held()


def test_those_who_look_at_once_are_not_taken_for_holders(tmp_path: Path) -> None:
    path = tmp_path / "x.lock"
    free = Lock(path)
    assert free.acquire("me")
    free.release()
    seen: list[bool] = []
    lookers = [threading.Thread(target=lambda: seen.extend(Lock(path).held() for _ in range(300))) for _ in range(4)]
    for looker in lookers:
        looker.start()
    for looker in lookers:
        looker.join()
    assert len(seen) == 1200 and not any(seen)


def test_an_unusable_folder_is_said_plainly(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(StudioError) as caught:
        Workspace(tmp_path / "file" / "below")
    assert "--workspace" in caught.value.fix


def test_sizes_are_read_by_people() -> None:
    assert [gib(size) for size in (0, 900, 700_000, 84 * 2**20, 3 * 2**30)] == ["0 kB", "1 kB", "1 MB", "84 MB", "3.0 GB"]


def test_notes_beside_locks_are_json(tmp_path: Path) -> None:
    lock = Lock(tmp_path / "y.lock")
    assert lock.acquire("somebody")
    assert json.loads((tmp_path / "y.lock.json").read_text())["holder"] == "somebody"
    lock.release()
