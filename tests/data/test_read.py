"""Every kind of file, well made, oddly made, damaged and hostile. Nothing but a StudioError may come out of a bad one."""

from __future__ import annotations

import codecs
import json
from pathlib import Path

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from studio.data.convert import convert
from studio.data.detect import detect
from studio.data.read import read, read_pasted
from studio.errors import StudioError
from tests.data.files import LINES, PAIRS, TABLE, workbook, write

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
    assert found.rows == [{"question": "Q?", "context": "C.", "answer": "A"}]
    assert [item.row for item in found.left_out] == [2]


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
    found = read(write(tmp_path, "a.txt", text))
    lines = text.replace("\r\n", "\n").split("\n")
    assert found.rows[0]["text"].startswith("# Title\n\nParagraph 0.") and len(found.rows) > 5
    assert all(len(row["text"]) <= 1500 for row in found.rows)
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
