"""Drafts whose rows lie on the disk: the same as those in memory, found again after a restart, ended without a trace."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from studio.data import read as reading_files
from studio.data.spill import Spilled, Telling
from studio.data.table import page_of
from studio.datasets import DatasetStore
from studio.drafts import Drafts, Opened
from studio.drafts import store as drafts_store
from studio.errors import NoSpace, Stopped, StudioError
from studio.workspace import Workspace

ROWS = [{"question": f"What is {n % 190}?", "answer": f"It is {n % 190}.", "kind": f"k{n % 3}"} for n in range(200)]
LINES = "".join(json.dumps(row) + "\n" for row in ROWS) + '{"question": "Nothing?"}\n{"question": cut\n'


@pytest.fixture
def drafts(tmp_path: Path) -> Drafts:
    return over(tmp_path / "w")


def over(folder: Path) -> Drafts:
    workspace = Workspace(folder)
    return Drafts(workspace, DatasetStore(workspace))


def upload(drafts: Drafts, text: str = LINES, name: str = "many.jsonl") -> Path:
    path = drafts.workspace.root / "uploads" / "abc" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading_files, "LARGE", 0)


def what(opened: Opened) -> tuple:
    """All that a draft says of its rows."""
    page = page_of(opened.rows, "it is 7", sort="-answer", count=500)
    return (
        list(opened.rows),
        list(opened.rows.ids),
        opened.splits,
        opened.key,
        list(opened.left_out),
        opened.mapping,
        page,
        [opened.rows[at] for at in range(0, len(opened.rows), 17)],
        opened.rows[5:9],
    )


def worked_on(drafts: Drafts) -> list[tuple]:
    """A draft, and what becomes of it by edits, other columns and another share."""
    opened = drafts.take_upload(upload(drafts))
    draft_id = opened.draft.id
    seen = [what(opened)]
    example = opened.rows[3]
    seen.append(what(drafts.remove_rows(draft_id, [2, 5, 180])))
    seen.append(
        what(
            drafts.change_row(
                draft_id, 3, type(example)(messages=(*example.messages[:1], {"role": "assistant", "content": "New."}))
            )
        )
    )
    seen.append(what(drafts.add_row(draft_id, example)))
    seen.append(what(drafts.undo(draft_id)))
    seen.append(what(drafts.share_out(draft_id, validation=0.3, seed=7)))
    seen.append(what(drafts.choose_format(draft_id, "labels")))
    seen.append(what(drafts.choose_format(draft_id, "pairs")))
    saved = drafts.save(draft_id)
    folder = drafts.datasets.folder(saved.id)
    seen.append(
        (
            saved.counts,
            saved.sha256,
            saved.left_out,
            (folder / "left_out.jsonl").read_text(),
            (folder / "edits.jsonl").read_text().count("\n"),
        )
    )
    assert not list((drafts.workspace.root / "cache").iterdir())
    return seen


def test_all_that_can_be_done_gives_what_it_gives_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = worked_on(over(tmp_path / "plain"))
    monkeypatch.setattr(reading_files, "LARGE", 0)
    assert worked_on(over(tmp_path / "large")) == plain


def test_a_restart_finds_the_rows_without_reading_the_file_again(
    drafts: Drafts, large: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = drafts.take_upload(upload(drafts))
    assert isinstance(opened.rows.base, Spilled)
    monkeypatch.setattr("studio.drafts.rows.read", None)
    monkeypatch.setattr("studio.data.convert.each", None)
    again = Drafts(drafts.workspace, drafts.datasets)
    assert what(again.open(again.newest())) == what(opened)


def test_rows_that_were_not_written_to_their_end_are_made_anew(drafts: Drafts, large: None) -> None:
    opened = drafts.take_upload(upload(drafts))
    for name in ("about.json", "whole.json"):
        next(drafts.folder(opened.draft.id).rglob(name)).unlink()
    assert what(Drafts(drafts.workspace, drafts.datasets).open(opened.draft.id)) == what(opened)


def test_only_the_last_way_to_read_a_file_stays_on_the_disk(drafts: Drafts, large: None) -> None:
    draft_id = drafts.take_upload(upload(drafts, "question,answer\n" + "a?,b\n" * 50, "a.csv")).draft.id
    for header in (False, True, None):
        drafts.read_again(draft_id, header=header)
        kept = [path.name.split("-")[0] for path in drafts.folder(draft_id).iterdir() if path.is_dir()]
        assert sorted(kept) == ["examples", "rows", "source"]


@pytest.mark.parametrize("when", ["read", "convert", "share"])
def test_ended_in_the_middle_it_leaves_nothing(drafts: Drafts, large: None, when: str) -> None:
    class Impatient(Telling):
        def tell(self, work: str, done: int, whole: int, rows: int = 0) -> None:
            if work == when:
                self.stop()
            super().tell(work, done, whole, rows)

    with pytest.raises(Stopped):
        drafts.take_upload(upload(drafts), Impatient())
    for room in ("cache", "uploads"):
        assert not list((drafts.workspace.root / room).iterdir())
    assert len(drafts.take_upload(upload(drafts)).rows) == 200


@pytest.mark.parametrize("when", ["convert", "share"])
def test_a_full_disk_is_a_sentence_and_leaves_nothing(drafts: Drafts, large: None, when: str) -> None:
    class Full(Telling):
        def tell(self, work: str, done: int, whole: int, rows: int = 0) -> None:
            if work == when:
                raise OSError(28, "No space left on device")

    with pytest.raises(StudioError, match="No space left on device"):
        drafts.take_upload(upload(drafts), Full())
    assert not list((drafts.workspace.root / "cache").iterdir())


def test_room_on_the_disk_is_asked_for_before(drafts: Drafts, large: None, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def none_left(needed: int, purpose: str) -> None:
        asked.append(needed)
        raise NoSpace("There is not enough room on the disk.")

    monkeypatch.setattr(drafts_store, "LARGE", 0)
    monkeypatch.setattr(drafts.workspace, "require_space", none_left)
    with pytest.raises(NoSpace):
        drafts.take_upload(upload(drafts))
    assert asked[0] >= 4 * len(LINES)


def test_two_at_once_do_not_mix(drafts: Drafts, large: None) -> None:
    found: dict[str, Opened] = {}

    def take(letter: str) -> None:
        text = LINES.replace("It is", f"{letter} is") * 20
        found[letter] = drafts.take_upload(upload(drafts, text, f"{letter}.jsonl"))

    threads = [threading.Thread(target=take, args=(letter,)) for letter in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    for letter in "ab":
        rows = drafts.open(found[letter].draft.id).rows
        assert len(rows) == 4000
        assert all(row.messages[1]["content"].startswith(letter) for row in rows)


CHILD = """
import sys, time
from pathlib import Path
from studio.data import read
from studio.data.spill import Telling
from studio.datasets import DatasetStore
from studio.drafts import Drafts
from studio.workspace import Workspace

class Slow(Telling):
    def tell(self, work, done, whole, rows=0):
        print(work, flush=True)
        time.sleep(60 if work == sys.argv[3] else 0)

read.LARGE = 0
workspace = Workspace(sys.argv[1])
Drafts(workspace, DatasetStore(workspace)).take_upload(sys.argv[2], Slow())
"""


@pytest.mark.long
@pytest.mark.parametrize("when", ["read", "share"])
def test_killed_in_the_middle_the_next_start_tidies(tmp_path: Path, when: str) -> None:
    path = upload(over(tmp_path / "w"))
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(tmp_path / "w"), str(path), when], stdout=subprocess.PIPE, text=True
    )
    for line in child.stdout:
        if line.strip() == when:
            break
    assert list((tmp_path / "w" / "cache").iterdir())
    os.kill(child.pid, signal.SIGKILL)
    child.wait(10)
    drafts = over(tmp_path / "w")
    assert drafts.newest() is None
    assert not list((tmp_path / "w" / "cache").iterdir())
