"""Several files and ZIP archives: rows of all that match, each with its file, and a reason for each that does not."""

from __future__ import annotations

import io
import json
import stat
import time
import zipfile
from pathlib import Path

import pytest

from studio.data import read as reading_module
from studio.data.convert import convert
from studio.data.detect import detect
from studio.data.read import read, read_many
from studio.data.readers import archive, guarded
from studio.errors import StudioError
from tests.data.files import LINES, PAIRS, SECONDS, TABLE, workbook, write


def packed(path: Path, members: dict[str, str | bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as package:
        for name, content in members.items():
            package.writestr(name, content)
    return path


def test_files_of_different_kinds_become_one_table_in_their_order(tmp_path: Path) -> None:
    paths = [
        write(tmp_path, "b.csv", TABLE),
        write(tmp_path, "a.jsonl", LINES),
        workbook(tmp_path / "c.xlsx", A=[["Answer", "Question", "Topic"], ["C.", "D?", "x"]]),
    ]
    found = read_many(paths)
    assert found.columns == ("question", "answer", "Topic") and found.kind == "several"
    assert found.rows == [pair | {"Topic": ""} for pair in PAIRS * 2] + [{"answer": "C.", "question": "D?", "Topic": "x"}]
    assert [found.file_of(index) for index in range(5)] == ["b.csv", "b.csv", "a.jsonl", "a.jsonl", "c.xlsx"]
    assert found.row_numbers == [2, 3, 1, 2, 2] and found.files == ("b.csv", "a.jsonl", "c.xlsx") and not found.unused
    assert detect(found).columns == {"question": "question", "answer": "answer"}
    assert json.loads(json.dumps(found.summary()))["files"] == ["b.csv", "a.jsonl", "c.xlsx"]


def test_files_that_cannot_be_used_are_named_and_the_others_kept(tmp_path: Path) -> None:
    paths = [
        write(tmp_path, "a.csv", TABLE + "Why?,,\nA,B,C\n"),
        write(tmp_path, "empty.csv", ""),
        write(tmp_path, "song.mp3", b"ID3"),
        write(tmp_path, "prices.csv", "item,price\nbread,2\nroll,1\n"),
        write(tmp_path, "story.txt", "Once upon a time.\n" * 500),
        packed(tmp_path / "more.zip", {"b.csv": TABLE}),
        tmp_path / "gone.csv",
    ]
    found = read_many(paths)
    assert len(found.rows) == 3 and found.files == ("a.csv",) and found.file_of(0) == "a.csv"
    reasons = dict(found.unused)
    assert set(reasons) == {path.name for path in paths[1:]} and all(reason.endswith(".") for reason in reasons.values())
    assert "is empty" in reasons["empty.csv"] and "not supported" in reasons["song.mp3"]
    assert "item, price" in reasons["prices.csv"] and "text, heading" in reasons["story.txt"] and "archive" in reasons["more.zip"]
    assert found.notes[0].startswith("6 files were not used. ")
    left_out = (*found.left_out, *convert(found, detect(found)).left_out)
    assert [(item.row, item.reason.split(":")[0]) for item in left_out] == [(5, "a.csv"), (4, "a.csv")]


def test_documents_are_put_together(tmp_path: Path) -> None:
    found = read_many([write(tmp_path, "a.md", "# A\n\none\n"), write(tmp_path, "b.txt", "two")])
    assert found.rows == [{"text": "one", "heading": "A"}, {"text": "two", "heading": ""}]
    assert found.kind == "text" and found.is_document and detect(found).format == "text"


def test_nothing_usable_is_one_refusal_with_the_reasons(tmp_path: Path) -> None:
    with pytest.raises(StudioError, match=r"2 files could not be read\. a\.csv: It is empty") as caught:
        read_many([write(tmp_path, "a.csv", ""), write(tmp_path, "b.csv", " ")])
    assert caught.value.fix
    for paths in ([], [tmp_path / "a.csv"] * (guarded.MAX_FILES + 1)):
        with pytest.raises(StudioError, match="files could not be read"):
            read_many(paths)


def test_the_limits_hold_for_all_files_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = [write(tmp_path, f"{name}.csv", TABLE) for name in "ab"]
    monkeypatch.setattr(reading_module, "MAX_FILE", 60)
    with pytest.raises(StudioError, match="together"):
        read_many(paths)
    monkeypatch.undo()
    monkeypatch.setattr(reading_module, "MOST_SECONDS", -1)
    with pytest.raises(StudioError, match="took too long"):
        read_many(paths)


def test_a_zip_is_read_like_its_files(tmp_path: Path) -> None:
    document = io.BytesIO()
    packed(document, {"x.csv": TABLE})
    path = packed(
        tmp_path / "a.zip",
        {
            "folder/a.csv": TABLE,
            "folder/b.jsonl": LINES,
            "inner.zip": document.getvalue(),
            "photo.png": b"\x89PNG",
            "__MACOSX/folder/._a.csv": b"\x00\x05",
            "folder/.DS_Store": b"x",
            "empty.csv": b"",
        },
    )
    found = read(path)
    assert found.rows == PAIRS * 2 and found.files == ("folder/a.csv", "folder/b.jsonl")
    assert [name for name, _ in found.unused] == ["inner.zip", "photo.png", "empty.csv"]
    assert "archive inside the archive" in found.unused[0][1]


def test_names_in_a_zip_lead_nowhere(tmp_path: Path) -> None:
    (tmp_path / "inside").mkdir()
    outside = tmp_path / "outside.csv"
    names = [
        "../outside.csv",
        "../../outside.csv",
        str(outside),
        "C:\\outside.csv",
        "..\\outside.csv",
        "CON.csv",
        "a\u202egpj.csv",
    ]
    names += ["x" * 300 + ".csv", "$(id).csv", "<img onerror=x>.csv", "a\nb\x1b[31m.csv", "/dev/stdout.csv"]
    path = packed(tmp_path / "inside" / "a.zip", dict.fromkeys(names, TABLE))
    before = {item for item in tmp_path.rglob("*")}
    found = read(path)
    assert {item for item in tmp_path.rglob("*")} == before
    assert len(found.rows) == 2 * len(names) and len(found.files) == len(names)
    assert not any(sign in "".join(found.files) for sign in "\u202e\x1b\n") and max(map(len, found.files)) <= 80


def test_links_passwords_damage_and_unknown_packing_are_named(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as package:
        package.writestr("good.csv", TABLE)
        link = zipfile.ZipInfo("link.csv")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        package.writestr(link, "/etc/passwd")
        for name in ("locked.csv", "packed.csv", "broken.csv"):
            package.writestr(name, TABLE * 9)
    data = bytearray(path.read_bytes())
    for name, offset, value in (("locked.csv", 8, 1), ("packed.csv", 10, 97)):  # flags and method in the central directory
        place = data.rindex(name.encode()) - 46
        data[place + offset] = value
        data[data.index(name.encode()) - 30 + offset - 2] = value
    place = data.index(b"broken.csv") + 40
    data[place : place + 5] = b"?????"
    found = read(write(tmp_path, "a.zip", bytes(data)))
    assert found.rows == PAIRS
    assert {name: reason.split(".")[0] for name, reason in found.unused} == {
        "link.csv": "It is a link to another place, and no file",
        "locked.csv": "It is protected with a password",
        "packed.csv": "It is packed in a way that cannot be read",
        "broken.csv": "It is damaged",
    }


@pytest.mark.parametrize(
    ("members", "why"),
    [
        ({}, "holds no files"),
        ({"a.png": b"x"}, "a.png: Files of this kind"),
        ({"a.zip": b"PK\x03\x04"}, "archive inside"),
        ({f"{index}.txt": b"x" for index in range(2001)}, "2,001 files, and 2,000 is the most"),
    ],
    ids=["empty", "picture", "nested", "many"],
)
def test_archives_without_anything_usable_are_refused(tmp_path: Path, members: dict[str, bytes], why: str) -> None:
    with pytest.raises(StudioError, match=why) as caught:
        read(packed(tmp_path / "a.zip", members))
    assert "a.zip" in caught.value.what and caught.value.fix


@pytest.mark.long
def test_bombs_are_stopped_by_what_they_declare_and_by_what_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = tmp_path / "bomb.zip"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as package, package.open("a.csv", "w") as member:
        for _ in range(201):
            member.write(b"a,b\n" * 2**18)  # 201 MB
    assert bomb.stat().st_size < 2**20
    start = time.perf_counter()
    with pytest.raises(StudioError, match="unfolds to 201 MB"):
        read(bomb)
    data = bytearray(bomb.read_bytes())
    small = (1000).to_bytes(4, "little")
    central = data.rindex(b"PK\x01\x02")
    data[central + 24 : central + 28] = small  # the real size is hidden
    with pytest.raises(StudioError, match="a.csv: It is damaged"):
        read(write(tmp_path, "lies.zip", bytes(data)))
    assert time.perf_counter() - start < SECONDS
    monkeypatch.setattr(archive, "MAX_FILE", 100)
    with pytest.raises(StudioError, match="unfolds to"):
        read(packed(tmp_path / "sum.zip", {f"{index}.csv": TABLE for index in range(3)}))


def test_overlapping_members_unfold_to_no_more_than_the_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = packed(tmp_path / "a.zip", {f"{index}.csv": TABLE * 2000 for index in range(30)})
    data = bytearray(path.read_bytes())
    first = data.index(b"PK\x01\x02")
    place = first
    while (place := data.find(b"PK\x01\x02", place + 1)) >= 0:
        data[place + 42 : place + 46] = data[first + 42 : first + 46]  # all of them begin where the first does
    monkeypatch.setattr(archive, "MAX_FILE", 30 * len(TABLE.encode()) * 2000 - 1)
    with pytest.raises(StudioError, match="unfolds to"):
        read(write(tmp_path, "a.zip", bytes(data)))


def test_nothing_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive.tempfile, "tempdir", str(tmp_path / "t"))
    (tmp_path / "t").mkdir()
    read(packed(tmp_path / "a.zip", {"a.csv": TABLE}))
    with pytest.raises(StudioError):
        read(packed(tmp_path / "b.zip", {"a.csv": ""}))
    assert not list((tmp_path / "t").iterdir())
