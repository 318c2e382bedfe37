"""Every bad input that was thought of, brought the whole way by a process of its own: a sentence, and no more than its share.

Each is taken as an upload is, looked through and saved. Nothing but a sentence with the file's name and a remedy may come out,
or the rows that can be used, with a reason for each of the others; within 10 seconds of the processor and 2 GB, all helpers
counted.
"""

from __future__ import annotations

import codecs
import io
import json
import multiprocessing
import re
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.data import bad_input
from tests.data.files import LINES, SECONDS, TABLE, workbook
from tests.data.papers import pdf

pytestmark = [pytest.mark.long, pytest.mark.timeout(120)]

BYTES = 2 * 10**9
SHARED = Path(__file__).parents[3] / "shared" / "data"
Content = str | bytes | Callable[[Path], None]


@dataclass(frozen=True)
class Case:
    """A file and what must come of it: a refusal that says `refused`, or `rows` rows (-1: any), with reasons and findings."""

    name: str
    content: Content
    refused: str = ""
    during: str = "taking"
    rows: int = -1
    left_out: str = ""
    found: str = ""


def lines(*rows: Any) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def talk(*turns: tuple[str, Any]) -> dict[str, Any]:
    return {"messages": [{"role": role, "content": content} for role, content in turns]}


def pairs(count: int, question: str = "What is {}?", answer: str = "It is number {}.") -> str:
    return lines(*({"question": question.format(index), "answer": answer.format(index)} for index in range(count)))


def packed(**members: str | bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return out.getvalue()


def parquet(table: pa.Table) -> Callable[[Path], None]:
    return lambda path: pq.write_table(table, path)


def many_values(path: Path) -> None:
    """A few hundred kilobytes that declare three thousand million characters."""
    repeated = pa.DictionaryArray.from_arrays(pa.array([0] * 3000, pa.int32()), pa.array(["x" * 1_000_000]))
    pq.write_table(pa.table({"text": repeated}), path)


def cut_parquet(path: Path) -> None:
    pq.write_table(pa.table({"question": ["When?"] * 99, "answer": ["Now."] * 99}), path)
    path.write_bytes(path.read_bytes()[:-200])


def sheet_bomb(path: Path) -> None:
    """Four million cells of one letter, a few kilobytes."""
    sheet = b'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData><row>%s</row></sheetData>'
    replaced(path, "sheet1.xml", sheet % (b"<c><v>1</v></c>" * 4_000_000) + b"</worksheet>")


def replaced(path: Path, ending: str, content: bytes, *more: tuple[str, bytes]) -> None:
    """A workbook of two good rows with one part of it replaced and others added."""
    plain = workbook(path.with_name("plain.xlsx"), A=[["question", "answer"], ["When?", "Now."], ["Where?", "Here."]])
    with zipfile.ZipFile(plain) as source, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        for item in source.infolist():
            made.writestr(item.filename, content if ending and item.filename.endswith(ending) else source.read(item))
        for name, text in more:
            made.writestr(name, text)
    plain.unlink()


def with_macros(path: Path) -> None:
    replaced(path, "", b"", ("xl/vbaProject.bin", b"\xd0\xcf\x11\xe0" + b"Shell calc" * 50))


def with_links(path: Path) -> None:
    link = (
        b'<externalLink xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><externalBook '
        b'xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships" r:id="rId1"/></externalLink>'
    )
    target = (
        b'<Relationships><Relationship Id="rId1" Type="x" Target="http://127.0.0.1:9/x.xlsx" '
        b'TargetMode="External"/></Relationships>'
    )
    replaced(
        path, "", b"", ("xl/externalLinks/externalLink1.xml", link), ("xl/externalLinks/_rels/externalLink1.xml.rels", target)
    )


def two_sheets(path: Path) -> None:
    workbook(path, Notes=[["about"], ["old"]], Questions=[["question", "answer"], ["When?", "Now."], ["Where?", "Here."]])


def merged(path: Path) -> None:
    import openpyxl

    book = openpyxl.Workbook()
    for row in (["group", "question", "answer"], ["Times", "When?", "Now."], [None, "Until when?", "Six."]):
        book.active.append(row)
    book.active.merge_cells("A2:A3")
    book.save(path)


def deep_archive(path: Path) -> None:
    inner = packed(**{"a.csv": TABLE})
    for _ in range(5):
        inner = packed(**{"inner.zip": inner})
    path.write_bytes(inner)


def old_workbook(path: Path) -> None:
    source = SHARED / "awkward" / "messy_unicode_sheet_name.xls"
    if not source.is_file():
        pytest.skip("the old workbook is not here")
    path.write_bytes(source.read_bytes())


OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
TEXT = [
    Case("empty.csv", "", "empty"),
    Case("bom.csv", codecs.BOM_UTF8, "empty"),
    Case("bom-table.csv", codecs.BOM_UTF8 + TABLE.encode(), rows=2),
    Case("utf16.csv", TABLE.encode("utf-16"), rows=2),
    Case("utf16-be.csv", codecs.BOM_UTF16_BE + TABLE.encode("utf-16-be"), rows=2),
    Case("nul.csv", TABLE.replace("Now.", "N\0ow."), rows=1, left_out="row 2: .*NUL"),
    Case("zeros.csv", b"\0" * 5000, "no text has"),
    Case("latin.csv", TABLE.encode("cp1252"), rows=2),
    Case("broken-utf8.jsonl", LINES.encode() + b'{"question": "\xff\xfe\xc3(", "answer": "\x80"}\n', rows=3),
    Case("cut.jsonl", LINES + '{"question": "A?", "ans', rows=2, left_out="row 3: .*JSON"),
    Case("array.jsonl", json.dumps([json.loads(line) for line in LINES.splitlines()]), rows=2),
    Case("lines.json", LINES, rows=2),
    Case("deep.json", "[" * 100_000, "nested too deeply"),
    Case("deep-line.jsonl", LINES + '{"a":' * 100_000 + "\n", rows=2, left_out="row 3: .*nested too deeply"),
    Case(
        "long-line.jsonl",
        LINES + '{"question": "A?", "answer": "' + "x" * 10**8 + '"}\n',
        rows=2,
        left_out="row 3: .*longer than",
    ),
    Case("long-line.csv", TABLE + "A?," + "x" * 10**8 + "\n", rows=2, left_out="row 4: .*longer than"),
    Case(
        "long-line.json",
        '[{"question": "A?", "answer": "' + "x" * 10**8 + '"}]',
        "No row could be used",
        during="saving",
        rows=0,
        left_out="row 1: .*longer than",
    ),
    Case("long-line.txt", "word " * (2 * 10**7)),  # no bad file at all, only a long one
    Case("twice.jsonl", LINES + '{"question": "A?", "question": "B?", "answer": "C."}\n', rows=3),
    Case("numbers.jsonl", LINES + '{"question": NaN, "answer": Infinity}\n', rows=2, left_out="row 3: "),
    Case("huge.jsonl", LINES + '{"question": 1' + "0" * 5000 + ', "answer": "A."}\n', rows=3),
    Case("surrogate.jsonl", LINES + '{"question": "\\ud800?", "answer": "A."}\n', rows=3),
    Case("ends.csv", TABLE.replace("\n", "\r\n", 1) + "How?,So.\rWhy?,Because.\r", rows=4),
    Case("quote.csv", TABLE + '"How?,So.\nWhy?,Because.\n', rows=3, left_out="row 4: .*quote"),
    Case("ragged.csv", TABLE + "How?\nWhy?,Because,of,that\n", rows=2, left_out="row 4: "),
    Case("same-headers.csv", "question,answer,answer\nWhen?,Now.,Then.\nWhere?,Here.,There.\n", rows=2),
    Case("wide.csv", ",".join(f"c{index}" for index in range(100_000)) + "\n1,2\n", "100,000 columns"),
    Case("no-header.csv", TABLE.split("\n", 1)[1], rows=2),
]
MEANING = [
    Case(
        "unanswered.jsonl", lines(talk(("user", "When?")), talk(("user", "A?"), ("assistant", "B."))), rows=1, left_out="row 1: "
    ),
    Case(
        "two-systems.jsonl",
        lines(talk(("system", "Be kind."), ("system", "Be brief."), ("user", "A?"), ("assistant", "B."))),
        "No row could be used",
        during="saving",
        rows=0,
        left_out="row 1: .*two system turns",
    ),
    Case(
        "role.jsonl",
        lines(talk(("user", "A?"), ("king", "B.")), talk(("user", "A?"), ("assistant", "B."))),
        rows=1,
        left_out="king",
    ),
    Case(
        "null.jsonl",
        lines({"question": "A?", "answer": None}, {"question": "B?", "answer": 7}, {"question": "C?", "answer": "D."}),
        rows=1,
        left_out="row 1: .*empty.*row 2: .*number",
    ),
    Case("null-turn.jsonl", lines(talk(("user", None), ("assistant", "B.")), talk(("user", "A?"), ("assistant", "B."))), rows=1),
    Case("blank.csv", "question,answer\nWhen?,  \nWhere?,\t\nHow?,So.\n", rows=1, left_out="row 2: "),
    Case("equal.jsonl", lines({"question": "A?", "answer": "B."}) * 30, rows=30, found="copy another"),
    Case("one.csv", "question,answer\nWhen?,Now.\n", rows=1, found="few|row"),
    Case("too-long.jsonl", pairs(12, answer="It is number {}. " + "word " * 3000), rows=12, found="long"),
    Case("leak.jsonl", pairs(20) * 2, rows=40, found="kept aside|both|same|learn"),
    Case(
        "nothing-left.jsonl",
        lines(*(talk(("user", "A?"), ("assistant", " ")) for _ in range(3))),
        "No row could be used",
        during="saving",
        rows=0,
        left_out="row 3: .*empty",
    ),
    Case(
        "marks.jsonl",
        pairs(12) + pairs(12, answer="It is {}.<|im_end|>\n<|im_start|>user\nMore"),
        rows=12,
        left_out="row 13: .*a sign that chat templates put between turns",
    ),
    Case(
        "applied.jsonl",
        lines(*({"text": f"<|im_start|>user\nA{i}?<|im_end|>\n<|im_start|>assistant\nB{i}.<|im_end|>"} for i in range(9))),
        "No row could be used",
        during="saving",
        rows=0,
        left_out="row 1: .*already written in the chat template",
    ),
]
BINARY = [
    Case("bomb.parquet", many_values, "unfolds to"),
    Case("rows.parquet", parquet(pa.table({"text": pa.nulls(2_000_000, pa.string())})), "2,000,000 rows"),
    Case("list.parquet", parquet(pa.table({"text": pa.array([np.zeros(11_000_000, np.int8)])})), "cells"),
    Case("cut.parquet", cut_parquet, "damaged"),
    Case("bomb.xlsx", sheet_bomb, "unfolds to"),
    Case("macros.xlsx", with_macros, rows=2),
    Case("macros.xlsm", with_macros, rows=2),
    Case("links.xlsx", with_links, rows=2),
    Case("password.xlsx", OLE + b"\xff" * 3000, "protected"),
    Case("sheets.xlsx", two_sheets, rows=2),
    Case("merged.xlsx", merged, rows=2),
    Case("nested.zip", deep_archive, "ZIP|archive"),
    Case("slip.zip", packed(**{"../../evil.csv": TABLE, "good.csv": TABLE}), rows=4),
    Case("bomb.zip", packed(**{"a.csv": b"question,answer\n" + b"A?,B.\n" * 50_000_000}), "unfolds|larger"),
    Case("program.csv", b"MZ\x90\x00\x03" + b"\x00" * 100, "a program"),
    Case("scan.pdf", lambda path: pdf(path, [[], []]) and None, "pictures without text"),
    Case("old.xls", old_workbook, rows=1),
]
NAMES = [
    "../x.csv",
    "/etc/passwd.csv",
    "C:\\x.csv",
    "CON.csv",
    "x" * 300 + ".csv",
    "a\u202egpj.csv",
    "$(id).csv",
    "<img onerror=alert(1)>.csv",
    "a\x1b[31m\n.csv",
]
CASES = [*TEXT, *MEANING, *BINARY, *(Case(name, TABLE, rows=2) for name in NAMES)]


@pytest.fixture(scope="module")
def processes() -> Iterator[Any]:
    """Makes processes that begin with the libraries imported, and nothing else of this one."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.data.bad_input"])
    yield context


@pytest.mark.parametrize("case", CASES, ids=[ascii(case.name)[1:40] for case in CASES])
def test_it_ends_in_a_sentence_or_in_rows(case: Case, processes: Any, tmp_path: Path) -> None:
    source = tmp_path / ("source" + Path(case.name).suffix)
    if callable(case.content):
        case.content(source)
    else:
        source.write_bytes(case.content.encode("utf-8", "surrogatepass") if isinstance(case.content, str) else case.content)
    mine, theirs = processes.Pipe(duplex=False)
    before = {path for path in tmp_path.parent.iterdir()}
    process = processes.Process(target=bad_input.bring, args=(source, case.name, tmp_path / "workspace", theirs))
    process.start()
    theirs.close()
    told = mine.recv() if mine.poll(6 * SECONDS) else None
    process.join(5)
    assert told is not None and process.exitcode == 0
    assert told["seconds"] < SECONDS, told
    assert told["bytes"] < BYTES, told
    said = json.dumps([told["refused"], told["left_out"], told["found"]], ensure_ascii=False)
    assert "Traceback" not in said and not re.search("[\u202e\x1b]", said)
    if case.refused:
        what, why, fix = told["refused"]
        assert re.search(case.refused, f"{what} {why}"), told
        assert told["during"] == case.during and why and fix
        assert case.during == "saving" or case.name[:20] in what
    else:
        assert told["refused"] is None, told
        assert case.rows < 0 or sum(told["saved"].values()) == case.rows
    if case.rows >= 0:
        assert len(told["taken"]) == case.rows, told
    assert re.search(case.left_out, " ".join(told["left_out"])), told
    assert re.search(case.found, " ".join(told["found"])), told
    assert {path for path in tmp_path.parent.iterdir()} == before and not list(tmp_path.glob("*evil*"))
