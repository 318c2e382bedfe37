"""Files that are empty, damaged, hostile or too large: a sentence each, within seconds."""

from __future__ import annotations

import codecs
import json
import time
import zipfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from studio.data.convert import convert
from studio.data.detect import detect
from studio.data.read import SUFFIXES, read
from studio.data.readers import delimited, guarded, reading, records
from studio.errors import StudioError
from tests.data.files import LINES, SECONDS, TABLE, workbook, write

BAD: list[tuple[str, str | bytes, str]] = [
    *((f"empty{suffix}", b"", "empty") for suffix in SUFFIXES),
    ("spaces.csv", " \n\n ", "empty"),
    ("bom.csv", codecs.BOM_UTF8, "empty"),
    ("commas.csv", ",,,\n,,\n", "no rows"),
    ("header.csv", "question,answer\n", "header but no rows"),
    ("header.tsv", "question\tanswer", "header but no rows"),
    ("program.csv", b"MZ\x90\x00\x03" + b"\x00" * 100, "a program"),
    ("program.txt", b"\x7fELF\x02\x01" + b"\x00" * 100, "a program"),
    ("book.csv", b"PK\x03\x04" + b"x" * 100, "ZIP"),
    ("paper.md", b"%PDF-1.7\n" + b"x" * 100, "PDF"),
    ("picture.json", b"\x89PNG\r\n\x1a\n" + b"x" * 100, "picture"),
    ("noise.csv", bytes(range(256)) * 100, "no text has"),
    ("zeros.csv", b"\x00" * 5000, "no text has"),
    ("deep.json", "[" * 100_000, "nested too deeply"),
    ("deep-closed.json", "[" * 100_000 + "]" * 100_000, "nested too deeply"),
    ("deep-object.jsonl", '{"a":' * 100_000, "nested too deeply"),
    ("number.json", "42", "single value"),
    ("huge.json", "1" + "0" * 5000, "single value"),
    ("null.json", "null", "single value"),
    ("none.json", "[]", "no rows"),
    ("nothing.json", "{}", "no object|no rows|not an object"),
    ("numbers.json", "[1, 2, 3]", "not an object"),
    ("broken.json", "{'question': 'single quotes'}", "not JSON from sign 2"),
    ("cut.json", '[{"question": "A?", "ans', "too early|cut"),
    ("prose.json", "This is no JSON.", "not JSON"),
    ("cut.parquet", b"PAR1" + b"\x00" * 50, "damaged"),
    ("text.parquet", TABLE, "not a Parquet"),
    ("text.xlsx", TABLE, "damaged"),
    ("cut.xlsx", b"PK\x03\x04" + b"\x00" * 50, "damaged"),
    ("old.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\x00" * 600, "damaged, protected"),
    ("password.xlsx", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\xff" * 3000, "damaged, protected"),
    ("wide.csv", ",".join(f"c{index}" for index in range(100_000)) + "\n1,2\n", "100,000 columns"),
    ("paper.doc", b"\xd0\xcf\x11\xe0", "not supported"),
    ("no-suffix", TABLE, "not supported"),
    ("pickle.pkl", b"\x80\x04cos\nsystem\n", "not supported"),
    ("text.docx", TABLE, "damaged"),
    ("cut.docx", b"PK\x03\x04" + b"\x00" * 60, "damaged"),
    ("old.docx", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\x00" * 600, "damaged, protected"),
    ("text.pdf", TABLE, "damaged"),
    ("cut.pdf", b"%PDF-1.7\n1 0 obj\n<<", "damaged"),
    ("zeros.pdf", b"\x00" * 5000, "damaged"),
    ("text.zip", TABLE, "damaged"),
    ("cut.zip", b"PK\x03\x04" + b"\x00" * 60, "damaged"),
    ("program.html", b"MZ\x90\x00\x03" + b"\x00" * 100, "a program"),
    ("picture.txt", b"\xff\xd8\xff\xe0" + b"\x00" * 100, "a picture"),
    ("word.md", b"PK\x03\x04" + b"\x00" * 100, "Word document"),
    ("noise.html", bytes(range(256)) * 100, "no text has"),
    ("front.md", "---\ntitle: x\n---\n", "no text"),
    ("script.html", "<script>alert(1)</script><style>p {}</style>", "no text"),
    ("tags.html", "<p></p><div><br></div><!-- x -->", "no text"),
    ("spaces.md", " \n\n\t", "empty"),
]


@pytest.mark.parametrize(("name", "content", "why"), BAD, ids=[item[0] for item in BAD])
def test_bad_files_get_a_sentence(tmp_path: Path, name: str, content: str | bytes, why: str) -> None:
    start = time.perf_counter()
    with pytest.raises(StudioError, match=why) as caught:
        read(write(tmp_path, name, content))
    assert time.perf_counter() - start < SECONDS
    assert name in caught.value.what and caught.value.why and caught.value.fix
    assert "Traceback" not in str(caught.value)


def test_missing_files_and_folders_get_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "folder.csv").mkdir()
    for name in ("gone.csv", "folder.csv"):
        with pytest.raises(StudioError, match=name):
            read(tmp_path / name)


@pytest.mark.long
@pytest.mark.parametrize("suffix", [".csv", ".docx", ".pdf", ".zip", ".html", ".md"])
@pytest.mark.parametrize(
    "stem", ["..", "CON", "$(id)", "<img onerror=x>", "a\u202egpj", "a\x1b[31m\n", "C:\\x", "x" * 200, "-rf", "a'b\"c"]
)
def test_names_are_shown_without_tricks(tmp_path: Path, stem: str, suffix: str) -> None:
    with pytest.raises(StudioError) as caught:
        read(write(tmp_path, stem + suffix, b"\x00\x01\x02" * 50))
    assert not any(sign in str(caught.value) for sign in "\u202e\x1b\n") and len(caught.value.what) < 110


def test_limits_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with open(tmp_path / "huge.csv", "wb") as handle:
        handle.truncate(reading.MAX_FILE + 1)
    with pytest.raises(StudioError, match="200 MB is the most"):
        read(tmp_path / "huge.csv")
    monkeypatch.setattr(delimited, "MAX_VALUES", 20)
    monkeypatch.setattr(records, "MAX_VALUES", 20)
    with pytest.raises(StudioError, match="more than 20 cells"):
        read(write(tmp_path, "cells.csv", "a,b\n" * 11))
    with pytest.raises(StudioError, match="more than 20 values"):
        read(write(tmp_path, "values.json", "[" + "[]," * 11 + "[]]"))


@pytest.mark.parametrize("rows", [9, 10, 11])
@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.json", "a.xlsx", "a.parquet", "a.txt"])
def test_the_limit_of_rows_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, rows: int) -> None:
    for module in (reading, delimited, records, guarded):
        monkeypatch.setattr(module, "MAX_ROWS", 10, raising=False)
    pairs = [{"question": f"Q{index}?", "answer": "x" * 1400} for index in range(rows)]
    if name.endswith(".xlsx"):
        workbook(tmp_path / name, A=[list(pairs[0]), *(list(pair.values()) for pair in pairs)])
    elif name.endswith(".parquet"):
        pq.write_table(pa.Table.from_pylist(pairs), tmp_path / name)
    else:
        lines = {"csv": "\n", "jsonl": "\n", "json": ",", "txt": "\n\n"}
        texts = [f"{pair['question']},{pair['answer']}" if name[2] in "ct" else json.dumps(pair) for pair in pairs]
        head, tail = {"csv": ("question,answer\n", ""), "json": ("[", "]")}.get(name[2:], ("", ""))
        write(tmp_path, name, head + lines[name[2:]].join(texts) + tail)
    if rows <= 10:
        assert len(read(tmp_path / name).rows) == rows
    else:
        with pytest.raises(StudioError, match=r"(more than 10|11) rows"):
            read(tmp_path / name)


def test_a_long_line_is_read_and_left_out_later(tmp_path: Path) -> None:
    start = time.perf_counter()
    found = read(write(tmp_path, "long.jsonl", '{"question": "A?", "answer": "' + "x" * 3_000_000 + '"}\n' + LINES))
    done = convert(found, detect(found))
    assert len(done.examples) == 2 and "longer than" in done.left_out[0].reason
    found = read(write(tmp_path, "long.csv", "question,answer\nA?," + "x" * 3_000_000 + "\nB?,1.\n"))
    assert len(convert(found, detect(found)).examples) == 1
    assert time.perf_counter() - start < SECONDS


@pytest.mark.long
def test_parquet_bombs_are_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guarded, "MAX_UNPACKED", 200 * 2**20)  # the real limit takes longer to reach
    repeated = pa.DictionaryArray.from_arrays(pa.array([0] * 3000, pa.int32()), pa.array(["x" * 1_000_000]))
    bombs = {
        "repeated": (pa.table({"text": repeated}), "unfolds to"),  # 3 GB
        "rows": (pa.table({"text": pa.nulls(2_000_000, pa.string())}), "2,000,000 rows"),
        "list": (pa.table({"text": pa.array([np.zeros(11_000_000, np.int8)])}), "11,000,000 cells"),
        "columns": (pa.table({f"c{index}": [1] for index in range(1500)}), "1,500 columns"),
    }
    for name, (table, why) in bombs.items():
        path = tmp_path / f"{name}.parquet"
        pq.write_table(table, path)
        assert path.stat().st_size < 2_000_000
        start = time.perf_counter()
        with pytest.raises(StudioError, match=why):
            read(path)
        assert time.perf_counter() - start < SECONDS


SHEET = b'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>%s</sheetData></worksheet>'
STRINGS = b'<sst xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><si><t>%s</t></si></sst>'
CORNER = b'<row r="1"><c r="A1"><v>1</v></c></row><row r="1048576"><c r="XFD1048576"><v>1</v></c></row>'


@pytest.mark.parametrize(
    ("sheet", "strings", "why"),
    [
        (CORNER, b"", "more memory"),  # 17 thousand million cells between two
        (b"<row>" + b"<c><v>1</v></c>" * 4_000_000 + b"</row>", b"", "unfolds to"),
        (
            b"".join(b'<row r="%d"><c r="A%d" t="s"><v>0</v></c></row>' % (row, row) for row in range(1, 2000)),
            b"x" * 10_000_000,
            "memory",
        ),
    ],
    ids=["corner", "ratio", "shared"],
)
@pytest.mark.long
def test_workbook_bombs_are_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sheet: bytes, strings: bytes, why: str
) -> None:
    monkeypatch.setattr(guarded, "MEMORY", 400 * 2**20)  # the real limit takes longer to reach
    plain = workbook(tmp_path / "plain.xlsx", A=[["x"]])
    with zipfile.ZipFile(plain) as source, zipfile.ZipFile(tmp_path / "bomb.xlsx", "w", zipfile.ZIP_DEFLATED) as bomb:
        for item in source.infolist():
            if item.filename.endswith("sheet1.xml"):
                bomb.writestr(item.filename, SHEET % sheet)
            elif "sharedStrings" not in item.filename:
                bomb.writestr(item.filename, source.read(item))
        bomb.writestr("xl/sharedStrings.xml", STRINGS % strings)
    start = time.perf_counter()
    with pytest.raises(StudioError, match=why):
        read(tmp_path / "bomb.xlsx")
    assert time.perf_counter() - start < SECONDS


def test_a_zip_is_no_workbook(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.xlsx", "w") as package:
        package.writestr("../../evil.csv", TABLE)
        package.writestr("inner.zip", b"PK\x03\x04")
    with pytest.raises(StudioError, match="ZIP archive, not an Excel workbook"):
        read(tmp_path / "a.xlsx")
    assert not (tmp_path.parent.parent / "evil.csv").exists()


@pytest.mark.long
def test_a_worker_that_hangs_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    worker = write(tmp_path, "worker.py", "import time; time.sleep(60)")
    monkeypatch.setattr(guarded, "WORKER", worker)
    monkeypatch.setattr(guarded, "SECONDS", 1)
    start = time.perf_counter()
    with pytest.raises(StudioError, match="memory or time"):
        read(workbook(tmp_path / "a.xlsx", A=[["x"]]))
    assert time.perf_counter() - start < 5
