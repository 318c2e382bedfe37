"""Every kind of file, well made, oddly made, damaged and hostile. Nothing but a StudioError may come out of a bad one."""

from __future__ import annotations

import codecs
import json
import time
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from studio.data.convert import convert
from studio.data.detect import detect
from studio.data.read import SUFFIXES, read, read_pasted
from studio.data.readers import delimited, guarded, reading, records
from studio.data.readers.reading import Reading
from studio.errors import StudioError
from tests.data.shared import SHARED, needs_shared

TABLE = "question,answer\nWhen?,Now.\nWhere?,Grüße – hier.\n"
PAIRS = [{"question": "When?", "answer": "Now."}, {"question": "Where?", "answer": "Grüße – hier."}]
LINES = "".join(json.dumps(pair) + "\n" for pair in PAIRS)
SECONDS = 10


def write(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def workbook(path: Path, **sheets: list[list[Any]]) -> Path:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    book.save(path)
    return path


# --- encodings -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "encoding"),
    [
        (TABLE.encode(), "utf-8"),
        (TABLE.encode("utf-8-sig"), "utf-8-sig"),
        (TABLE.encode("utf-16"), "utf-16"),
        (codecs.BOM_UTF16_BE + TABLE.encode("utf-16-be"), "utf-16"),
        (TABLE.encode("utf-32"), "utf-32"),
        (codecs.BOM_UTF32_BE + TABLE.encode("utf-32-be"), "utf-32"),
        (TABLE.encode("utf-16-le"), "utf-16-le"),
        (TABLE.encode("utf-16-be"), "utf-16-be"),
        (TABLE.encode("cp1252"), "cp1252"),
    ],
)
def test_encodings_are_found(tmp_path: Path, data: bytes, encoding: str) -> None:
    found = read(write(tmp_path, "a.csv", data))
    assert (found.rows, found.columns, found.encoding) == (PAIRS, ("question", "answer"), encoding)
    assert bool(found.notes) == (encoding == "cp1252")


def test_an_encoding_can_be_chosen(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", "question,answer\nЧто?,Да.\n".encode("koi8-r"))
    assert read(path, encoding="koi8-r").rows == [{"question": "Что?", "answer": "Да."}]
    for encoding, why in (("utf-8", "not written that way"), ("klingon", "no such"), ("rot13", "no such"), ("hex", "no such")):
        with pytest.raises(StudioError, match=why):
            read(path, encoding=encoding)


def test_a_few_bad_bytes_do_not_change_the_encoding(tmp_path: Path) -> None:
    text = "question,answer\n" + "Où est-ce, où, où?;Là, à côté.\n".replace(",", " ").replace(";", ",") * 50
    found = read(write(tmp_path, "a.csv", text.encode() + b"Bad \xff byte,Yes.\n"))
    assert found.encoding == "utf-8" and len(found.rows) == 51 and "1 damaged" in found.notes[0]


# --- delimited -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_delimiters_and_line_ends(tmp_path: Path, delimiter: str, end: str) -> None:
    text = end.join(
        [f"question{delimiter}answer", f"When?{delimiter}Now, or later; who knows", f'"A{delimiter} B?"{delimiter}C.', ""]
    )
    if delimiter in ",;":
        text = text.replace("Now, or later; who knows", '"Now, or later; who knows"')
    found = read(write(tmp_path, "a.csv", text))
    assert found.rows == [
        {"question": "When?", "answer": "Now, or later; who knows"},
        {"question": f"A{delimiter} B?", "answer": "C."},
    ]
    assert (found.delimiter, found.header, found.row_numbers) == (delimiter, True, [2, 3])


def test_mixed_line_ends_and_blank_lines(tmp_path: Path) -> None:
    found = read(write(tmp_path, "a.csv", "question,answer\r\nA?,1.\n\nB?,2.\r\n,\nC?,3."))
    assert [row["answer"] for row in found.rows] == ["1.", "2.", "3."]
    assert found.row_numbers == [2, 4, 6]


def test_multi_line_cells_count_as_one_row(tmp_path: Path) -> None:
    found = read(write(tmp_path, "a.csv", 'question,answer\nA?,"one\ntwo ""quoted"""\nB?,2.\n'))
    assert found.rows[0]["answer"] == 'one\ntwo "quoted"' and found.row_numbers == [2, 3]


def test_ragged_rows_are_listed_or_explained(tmp_path: Path) -> None:
    found = read(write(tmp_path, "a.csv", "question,answer\nA?,1.\nB?,2., 3.\nC?\nD?,4.,,\n"))
    assert [row["answer"] for row in found.rows] == ["1.", "", "4."]
    assert [(item.row, "3 cells" in item.reason) for item in found.left_out] == [(3, True)]
    assert any("1 rows have fewer cells" in note for note in found.notes)


def test_an_unclosed_quote_costs_one_row(tmp_path: Path) -> None:
    lines = ["question,answer", "A?,1.", 'B?,"2. never closed', "C?,3.", *(f"D{index}?,4." for index in range(50))]
    found = read(write(tmp_path, "a.csv", "\n".join(lines)))
    assert len(found.rows) == 52 and found.row_numbers[:3] == [2, 4, 5]
    assert [(item.row, item.reason) for item in found.left_out] == [(3, "A quote mark is opened and never closed.")]


def test_quotes_are_plain_text_in_tsv_where_that_fits_better(tmp_path: Path) -> None:
    found = read(write(tmp_path, "a.tsv", 'question\tanswer\n"Hi there\t1.\nB?\t"2." he said\nC?\t3.\n'))
    assert [row["question"] for row in found.rows] == ['"Hi there', "B?", "C?"]
    quoted = read(write(tmp_path, "b.tsv", 'question\tanswer\n"Hi\nthere"\t1.\nB?\t2.\n'))
    assert quoted.rows[0] == {"question": "Hi\nthere", "answer": "1."}


def test_nul_signs_leave_a_row_out(tmp_path: Path) -> None:
    found = read(write(tmp_path, "a.csv", "question,answer\nA?,1.\nB?,2\x00.\nC?,3.\n"))
    assert len(found.rows) == 2 and found.left_out[0].row == 3 and "NUL" in found.left_out[0].reason


def test_duplicate_and_empty_headers_get_names(tmp_path: Path) -> None:
    found = read(write(tmp_path, "a.csv", "question,answer,answer,,answer (2)\nA?,1.,2.,3.,4.\n"))
    assert found.columns == ("question", "answer", "answer (2)", "column 4", "answer (2) (2)")
    assert any("same name (answer" in note for note in found.notes)


@pytest.mark.parametrize(
    ("text", "header"),
    [
        ("When do you open?,At six in the morning.\nWhere are you?,In the town.\nWhy?,Because.\n", False),
        ("1,null\n2,0\n", False),
        ("field1,field2\nhello,goodbye\n", True),
        ("Frage,Antwort\nWann?,Jetzt.\n", True),
        ("spam,ham\nspam,eggs\nham,spam\n", False),
        ("what they ask,what we say\nWhen do you open in the morning?,We open at six o'clock.\n", True),
    ],
)
def test_a_header_is_told_from_an_example(tmp_path: Path, text: str, header: bool) -> None:
    found = read(write(tmp_path, "a.csv", text))
    assert found.header is header
    assert len(found.rows) == text.count("\n") - header
    assert found.row_numbers[0] == 1 + header
    other = read(write(tmp_path, "a.csv", text), header=not header)
    assert other.header is not header and len(other.rows) == text.count("\n") - (not header)


def test_headerless_pairs_find_their_way(tmp_path: Path) -> None:
    text = "".join(f"When do you open on day {index}?,On day {index} we open at six and close at nine.\n" for index in range(9))
    found = read(write(tmp_path, "a.csv", text))
    mapping = detect(found)
    assert (mapping.format, mapping.columns) == ("pairs", {"question": "column 1", "answer": "column 2"})
    assert len(convert(found, mapping).examples) == 9


def test_one_column_and_a_chosen_delimiter(tmp_path: Path) -> None:
    assert read(write(tmp_path, "a.csv", "text\nOne line.\nAnother, with a comma.\n"), delimiter="|").columns == ("text",)
    with pytest.raises(StudioError, match="one character"):
        read(write(tmp_path, "a.csv", TABLE), delimiter=",,")


# --- JSON ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (json.dumps(PAIRS), "json"),
        (json.dumps(PAIRS, indent=2), "json"),
        (json.dumps({"data": PAIRS}), "json"),
        (json.dumps({"version": "1", "rows": PAIRS}), "json"),
        (json.dumps({"whatever": PAIRS}), "json"),
        (json.dumps({"question": ["When?", "Where?"], "answer": ["Now.", "Grüße – hier."]}), "json"),
        (json.dumps({"question": {"0": "When?", "1": "Where?"}, "answer": {"0": "Now.", "1": "Grüße – hier."}}), "json"),
        (LINES, "jsonl"),
        ("\n" + LINES.replace("\n", "\r\n\r\n"), "jsonl"),
        ("\ufeff" + LINES, "jsonl"),
    ],
)
@pytest.mark.parametrize("suffix", [".json", ".jsonl", ".ndjson"])
def test_json_in_every_dress_whatever_the_suffix(tmp_path: Path, text: str, kind: str, suffix: str) -> None:
    found = read(write(tmp_path, f"a{suffix}", text))
    assert (found.rows, found.kind) == (PAIRS, kind)


def test_json_lists_of_texts_lists_and_turns(tmp_path: Path) -> None:
    assert read(write(tmp_path, "a.json", '["One.", "Two."]')).rows == [{"text": "One."}, {"text": "Two."}]
    assert read(write(tmp_path, "a.json", '[["a?", "b"], ["c?", "d"]]')).columns == ("column 1", "column 2")
    turns = [{"role": "user", "content": "Hi?"}, {"role": "assistant", "content": "Hi."}]
    assert read(write(tmp_path, "a.json", json.dumps([turns]))).rows == [{"messages": turns}]
    assert read(write(tmp_path, "a.json", json.dumps(PAIRS[0]))).rows == [PAIRS[0]]


def test_broken_lines_are_listed_and_good_ones_kept(tmp_path: Path) -> None:
    text = LINES + '{"question": "cut\n[1, 2]x\n"just text"\n42\n' + '{"a":' * 100_000 + "\n" + LINES
    found = read(write(tmp_path, "a.jsonl", text))
    assert len(found.rows) == 5  # a line of bare text is an example of plain text
    assert found.row_numbers == [1, 2, 5, 8, 9]
    assert [item.row for item in found.left_out] == [3, 4, 6, 7]
    assert "cut" in found.left_out[0].reason and "nested too deeply" in found.left_out[3].reason


def test_a_list_cut_short_keeps_what_is_whole(tmp_path: Path) -> None:
    text = json.dumps(PAIRS * 3, indent=1)
    for end in (len(text) - 1, len(text) - 20, text.rindex("{")):
        found = read(write(tmp_path, "a.json", text[:end]))
        assert found.rows[:5] == (PAIRS * 3)[:5]
        assert len(found.left_out) == 1 and "cut" in found.left_out[0].reason + " cut or damaged"


def test_strange_json_values_do_not_crash(tmp_path: Path) -> None:
    text = '[{"question": "A?", "question": "B?", "answer": "1.", "n": NaN, "m": -Infinity, "big": 1' + "0" * 5000
    text += ', "half": "\\ud800", "e": 1e999}]'
    found = read(write(tmp_path, "a.json", text))
    assert found.rows[0]["question"] == "B?" and found.rows[0]["n"] is None and len(found.rows[0]["big"]) == 5001
    assert any("same name twice" in note for note in found.notes)
    assert len(convert(found, detect(found)).examples) == 1


def test_squad_is_flattened(tmp_path: Path) -> None:
    paragraph = {"context": "C.", "qas": [{"question": "Q?", "answers": [{"text": "A"}]}, {"question": "R?", "answers": []}]}
    found = read(write(tmp_path, "a.json", json.dumps({"data": [{"title": "T", "paragraphs": [paragraph, 5]}]})))
    assert found.rows == [{"question": "Q?", "context": "C.", "answer": "A"}, {"question": "R?", "context": "C.", "answer": ""}]


# --- Parquet and Excel ---------------------------------------------------------------------------------------------------


def test_parquet_with_nested_and_odd_values(tmp_path: Path) -> None:
    turns = [{"role": "user", "content": "Hi?"}, {"role": "assistant", "content": "Hi."}]
    table = pa.table(
        {
            "messages": [turns, None],
            "label": pa.array(["a", "b"]).dictionary_encode(),
            "raw": [b"bytes", None],
            "when": pa.array([0, 1], pa.timestamp("s")),
            "n": [1, None],
        }
    )
    pq.write_table(table, tmp_path / "a.parquet")
    found = read(tmp_path / "a.parquet")
    assert found.rows[0] == {"messages": turns, "label": "a", "raw": "bytes", "when": "1970-01-01 00:00:00", "n": 1}
    assert (found.kind, found.row_numbers, found.rows[1]["messages"]) == ("parquet", [1, 2], None)


def test_workbook_finds_the_sheet_and_the_header(tmp_path: Path) -> None:
    rows = [["Our questions"], [], ["No", "Question", None, "Answer"], [1, "When?", None, "Now."], [], [2.0, "Age?", None, 6.5]]
    path = workbook(tmp_path / "a.xlsx", Notes=[["Do not publish"], ["at all"]], Real=rows, Empty=[])
    found = read(path)
    assert (found.sheet, found.sheets, found.columns) == ("Real", ("Notes", "Real", "Empty"), ("No", "Question", "Answer"))
    assert found.rows == [{"No": "1", "Question": "When?", "Answer": "Now."}, {"No": "2", "Question": "Age?", "Answer": "6.5"}]
    assert found.row_numbers == [4, 6] and any("above row 3" in note for note in found.notes)
    assert read(path, sheet="Notes").rows == [{"column 1": "Do not publish"}, {"column 1": "at all"}]
    for sheet, why in (("Empty", "is empty"), ("None", "no sheet named")):
        with pytest.raises(StudioError, match=why):
            read(path, sheet=sheet)


def test_a_table_away_from_the_corner_keeps_its_row_numbers(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    for cell, value in {"C5": "question", "D5": "answer", "C6": "A?", "D6": "1.", "C8": "B?", "D8": "2."}.items():
        book.active[cell] = value
    book.active.merge_cells("C9:D9")
    book.save(tmp_path / "a.xlsx")
    found = read(tmp_path / "a.xlsx")
    assert found.row_numbers == [6, 8] and found.rows[1] == {"question": "B?", "answer": "2."}


# --- prose and pasting ---------------------------------------------------------------------------------------------------


def test_prose_becomes_passages_with_their_lines(tmp_path: Path) -> None:
    text = (
        "# Title\r\n\r\n"
        + "\r\n\r\n".join(f"Paragraph {index}. " + "word " * 100 for index in range(9))
        + "\n\n"
        + "line of verse\n" * 300
    )
    found = read(write(tmp_path, "a.md", text))
    lines = text.replace("\r\n", "\n").split("\n")
    assert found.rows[0]["text"].startswith("# Title\n\nParagraph 0.") and len(found.rows) > 5
    assert all(len(row["text"]) <= 1502 for row in found.rows)
    for row, number in zip(found.rows, found.row_numbers, strict=True):
        assert row["text"].startswith(lines[number - 1].strip())
    together = "".join(row["text"] for row in found.rows)
    assert "".join(together.split()) == "".join(text.split())


@pytest.mark.parametrize(
    ("text", "kind", "rows"),
    [
        (TABLE, "csv", 2),
        ("When?\tNow.\nWhere?\tHere.\n", "tsv", 2),
        (LINES, "jsonl", 2),
        (json.dumps(PAIRS), "json", 2),
        ("Dear all, this is prose.\n\nIt has commas, too, and more of them.", "text", 1),
        ("[Note] this is prose", "text", 1),
        ("One, two\nThree, four, five", "text", 1),
        ("Just one line", "text", 1),
    ],
)
def test_pasted_text(text: str, kind: str, rows: int) -> None:
    found = read_pasted(text)
    assert (found.kind, len(found.rows)) == (kind, rows)


@pytest.mark.parametrize("text", ["", "  \n", "\ufeff", "\x00", '[{"a": 1,', '{"a"'])
def test_pasted_nonsense_is_refused(text: str) -> None:
    with pytest.raises(StudioError, match="What you pasted could not be read"):
        read_pasted(text)


def test_the_summary_is_json() -> None:
    found = read_pasted(TABLE)
    assert json.loads(json.dumps(found.summary()))["columns"] == ["question", "answer"]


# --- bad input -----------------------------------------------------------------------------------------------------------

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
    ("paper.pdf", b"%PDF-1.7", "not supported"),
    ("no-suffix", TABLE, "not supported"),
    ("pickle.pkl", b"\x80\x04cos\nsystem\n", "not supported"),
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


def test_names_are_shown_without_tricks(tmp_path: Path) -> None:
    with pytest.raises(StudioError) as caught:
        read(write(tmp_path, "a\u202egpj.\x1b[31m\n" + "x" * 100 + ".csv", b""))
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
    pairs = [{"question": f"Q{index}?", "answer": "x" * 1600} for index in range(rows)]
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


def test_parquet_bombs_are_stopped(tmp_path: Path) -> None:
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
def test_workbook_bombs_are_stopped(tmp_path: Path, sheet: bytes, strings: bytes, why: str) -> None:
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


def test_a_worker_that_hangs_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    worker = write(tmp_path, "worker.py", "import time; time.sleep(60)")
    monkeypatch.setattr(guarded, "WORKER", worker)
    monkeypatch.setattr(guarded, "SECONDS", 1)
    start = time.perf_counter()
    with pytest.raises(StudioError, match="memory or time"):
        read(workbook(tmp_path / "a.xlsx", A=[["x"]]))
    assert time.perf_counter() - start < 5


# --- the development data ------------------------------------------------------------------------------------------------

EXPECTED = {  # file: format and examples, or what the refusal says
    "awkward/cdc_faq_semicolon_cp1252.csv": ("pairs", 60),
    "awkward/clinc_intents_utf16.tsv": ("labels", 400),
    "awkward/clinc_intents_utf8_bom.csv": ("labels", 300),
    "awkward/messy_null.csv": "No column holds text",
    "awkward/messy_skip_initials.csv": ("pairs", 2),
    "awkward/messy_utf8bom.csv": "header but no rows",
    "awkward/parquet_PARQUET-1481.parquet": "damaged",
    "awkward/parquet_alltypes_plain.snappy.parquet": "No column holds text",
    "awkward/parquet_nested_lists.snappy.parquet": "No column holds text",
    "awkward/snips_playmusic_latin1.json": "No column holds text",
    "customer_service/abcd_sample.json": "No column holds text",
    "customer_service/cdc_faq.csv": ("pairs", 111),
    "customer_service/cdc_faq_messy.xlsx": ("pairs", 80),
    "customer_service/clinc150_intents_3000.csv": ("labels", 3000),
    "customer_service/tech_support_qa.csv": ("pairs", 600),
    "documents/opensource_guide_en.md": ("text", 19),
    "glue/qnli_dev_1500.tsv": ("labels", 1500),
    "instruction/dolly_12.json": ("instruction", 12),
    "instruction/dpo_preference_120.json": ("sharegpt", 120),
    "instruction/glaive_toolcall_sharegpt_150.json": ("sharegpt", 73),
    "instruction/gpteacher_roleplay_200.json": ("instruction", 200),
    "instruction/identity_alpaca.json": ("instruction", 91),
    "instruction/oasst_en_trees_60.jsonl": "No column holds text",
    "instruction/oasst_openai_messages.jsonl": ("messages", 95),
    "instruction/oasst_openai_messages.parquet": ("messages", 95),
    "instruction/oasst_sharegpt.json": ("sharegpt", 60),
    "instruction/seed_tasks_alpaca.json": ("instruction", 175),
    "multilingual/chat_es.csv": ("pairs", 280),
    "multilingual/chat_hi.tsv": ("pairs", 52),
    "multilingual/chat_ja_prompt_completion.jsonl": ("prompt", 568),
    "multilingual/xquad_ar_177.json": ("instruction", 177),
    "multilingual/xquad_es_274.json": ("instruction", 274),
    "prose/alice_in_wonderland.txt": ("text", 108),
    "prose/candide_fr_latin1.txt": ("text", 167),
    "qa/gsm8k_train_4500.jsonl": ("pairs", 4500),
    "qa/squad_dev_flat_400.csv": ("instruction", 400),
    "qa/squad_v1.1_dev_subset.json": ("instruction", 1190),
    "safety/deepset_prompt_injections_test.parquet": ("labels", 116),
    "safety/xstest_prompts.csv": ("labels", 450),
}


@needs_shared
@pytest.mark.parametrize("name", EXPECTED)
def test_development_data(name: str) -> None:
    expected = EXPECTED[name]
    if isinstance(expected, str):
        with pytest.raises(StudioError, match=expected):
            detect(read(SHARED / name))
        return
    found = read(SHARED / name)
    mapping = detect(found)
    done = convert(found, mapping)
    assert (mapping.format, len(done.examples)) == expected
    assert len(done.examples) + len(done.left_out) == len(found.rows)


@needs_shared
def test_the_letters_of_old_encodings_are_right() -> None:
    assert "Voltaire" in str(read(SHARED / "prose/candide_fr_latin1.txt").rows[:3])
    prose = " ".join(row["text"] for row in read(SHARED / "prose/candide_fr_latin1.txt").rows)
    assert "même" in prose and "à" in prose and "\ufffd" not in prose
    messy = read(SHARED / "customer_service/cdc_faq_messy.xlsx")
    assert (messy.sheet, messy.row_numbers[0]) == ("FAQ export", 5)


@needs_shared
def test_no_file_of_the_development_data_crashes(tmp_path: Path) -> None:
    seen = 0
    for path in sorted(SHARED.rglob("*")):
        if path.suffix.lower() in SUFFIXES and path.relative_to(SHARED).as_posix() not in EXPECTED:
            survive(path)
            seen += 1
    assert seen > 10


@needs_shared
@pytest.mark.parametrize("name", ["csv_spectrum", "json_test_suite_even"])
def test_no_file_of_the_public_suites_crashes(tmp_path: Path, name: str) -> None:
    seen = 0
    with zipfile.ZipFile(SHARED / f"awkward/{name}.zip") as package:
        for item in package.infolist():
            path = write(tmp_path, f"{seen}{Path(item.filename).suffix}", package.read(item))
            seen += path.suffix in SUFFIXES
            found = survive(path) if path.suffix in SUFFIXES else None
            whole = f"json/{Path(item.filename).stem}.json"
            if item.filename.startswith("csvs/") and found:
                expected = json.loads(package.read(whole))
                assert (
                    [list(row.values()) for row in found.rows]
                    == [[value.replace("\r\n", "\n") for value in row.values()] for row in expected]
                    or found.kind == "csv"
                    and any("\r\n" in value for row in found.rows for value in row.values())
                ), item.filename
    assert seen >= 20


def survive(path: Path) -> Reading | None:
    """Read, detect and convert a file; only a StudioError with all its sentences may come out."""
    try:
        found = read(path)
        convert(found, detect(found))
    except StudioError as error:
        assert error.what and error.why and error.fix
        return None
    return found
