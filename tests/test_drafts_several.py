"""Several uploads become one draft, and the data set made of it can be read anew."""

from __future__ import annotations

from pathlib import Path

import pytest

from studio.datasets import DatasetStore
from studio.drafts import Drafts, Opened
from studio.errors import NotFound, StudioError
from studio.workspace import Workspace


@pytest.fixture
def drafts(tmp_path: Path) -> Drafts:
    workspace = Workspace(tmp_path / "w")
    return Drafts(workspace, DatasetStore(workspace))


def upload(drafts: Drafts, place: str, name: str, rows: int) -> Path:
    path = drafts.workspace.root / "uploads" / place / name
    path.parent.mkdir(exist_ok=True)
    text = "".join(f"Question {n} of {place}?,Answer {n}.\n" for n in range(rows))
    path.write_text(f"question,answer\n{text}" if rows else "")
    return path


def told(opened: Opened) -> list[tuple[str, str]]:
    """What is learned of each row, in order."""
    return [(row.messages[0]["content"], row.messages[1]["content"]) for row in opened.converted.examples]


def test_several_files_become_one_draft_in_their_order(drafts: Drafts) -> None:
    paths = [upload(drafts, "b", "faq.csv", 3), upload(drafts, "a", "faq.csv", 2), upload(drafts, "c", "empty.csv", 0)]
    opened = drafts.take_upload(paths)
    assert [pair[0] for pair in told(opened)] == [f"Question {n} of {place}?" for place, n in ("b0", "b1", "b2", "a0", "a1")]
    assert not any(path.exists() or path.parent.exists() for path in paths)
    assert opened.reading.files == ("faq.csv", "faq (2).csv") and [name for name, _ in opened.reading.unused] == ["empty.csv"]
    assert opened.draft.name == "faq.csv and 2 more"
    assert told(Drafts(drafts.workspace, drafts.datasets).open(opened.draft.id)) == told(opened)


def test_the_data_set_keeps_all_files_and_can_be_read_anew(drafts: Drafts) -> None:
    first = drafts.take_upload([upload(drafts, "b", "faq.csv", 30), upload(drafts, "a", "faq.csv", 20)])
    record = drafts.save(first.draft.id)
    assert (record.name, record.rows) == ("Faq", 50)
    again = drafts.take_dataset(record.id)
    assert told(again) == told(first) and again.splits == first.splits
    second = drafts.save(again.draft.id)
    assert drafts.datasets.rows(second.id) == drafts.datasets.rows(record.id)


def test_one_file_in_a_list_is_one_file(drafts: Drafts) -> None:
    opened = drafts.take_upload([str(upload(drafts, "a", "faq.csv", 2))])
    assert opened.draft.file == "faq.csv" and not opened.reading.files


def test_a_zip_is_a_draft_too(drafts: Drafts) -> None:
    record = drafts.save(drafts.take_upload([upload(drafts, "a", "one.csv", 9), upload(drafts, "b", "two.csv", 9)]).draft.id)
    archive = drafts.workspace.root / "uploads" / "all.zip"
    archive.write_bytes((drafts.datasets.folder(record.id) / "original" / "source.zip").read_bytes())
    opened = drafts.take_upload(archive)
    assert opened.reading.files == ("one.csv", "two.csv") and len(opened.converted.examples) == 18


def test_one_forged_path_refuses_all_and_harms_none(drafts: Drafts, tmp_path: Path) -> None:
    good, secret = upload(drafts, "a", "faq.csv", 2), tmp_path / "secret.csv"
    secret.write_text("question,answer\nA?,B.\n")
    for paths in ([], [good, secret], [good, "../../etc/passwd"]):
        with pytest.raises(NotFound):
            drafts.take_upload(paths)
    assert good.exists() and secret.exists() and drafts.newest() is None


def test_nothing_usable_leaves_nothing_behind(drafts: Drafts) -> None:
    paths = [upload(drafts, "a", "a.csv", 0), upload(drafts, "b", "b.csv", 0)]
    with pytest.raises(StudioError, match=r"a\.csv: It is empty"):
        drafts.take_upload(paths)
    assert not any(path.exists() for path in paths)
    assert list((drafts.workspace.root / "cache").glob("draft-*")) == []
