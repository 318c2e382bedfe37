"""Files to download: this app reads the same examples back, formulas are inert, and other programs can read them."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from studio.data.convert import convert
from studio.data.detect import Mapping, detect
from studio.data.formulas import SIGNS, guard, unguard
from studio.data.read import read
from studio.data.write import KINDS, write
from studio.errors import StudioError
from studio.records import Example

texts = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="|<>[]"), min_size=1, max_size=12)
starts = st.sampled_from(["", "", "", "=", "+", "-", "@", "'", "'=", "''-", '"', "a,b;c\t", "x\ny", "1"])
cells = st.builds(lambda start, text: (start + text).strip("\ufeff\u200b \n").strip("\ufeff\u200b").strip(), starts, texts)
cells = cells.filter(lambda text: any(char.isalpha() for char in text) and text == text.strip("\ufeff\u200b").strip())


def pair(question: str, answer: str, system: str = "") -> Example:
    told = ({"role": "system", "content": system},) if system else ()
    return Example(messages=(*told, {"role": "user", "content": question}, {"role": "assistant", "content": answer}))


def back(path: Path, mapping: Mapping | None = None) -> list[Example]:
    """What the app makes of the file, without the numbers of its rows."""
    reading = read(path)
    converted = convert(reading, mapping or detect(reading))
    assert not reading.left_out and not converted.left_out
    return [replace(example, source_row=0) for example in converted.examples]


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.builds(pair, cells, cells), min_size=1, max_size=12), st.sampled_from(["csv", "jsonl"]))
def test_questions_and_answers_come_back(tmp_path: Path, rows: list[Example], kind: str) -> None:
    path = tmp_path / f"rows.{kind}"
    write(rows, path, kind, "pairs")
    columns = {"question": "question", "answer": "answer"} if kind == "csv" else {"messages": "messages"}
    assert back(path, Mapping("pairs" if kind == "csv" else "messages", columns)) == rows
    assert {item.suffix for item in tmp_path.iterdir()} <= {".csv", ".jsonl"}


ROWS = {
    "pairs": [pair("When?", "At nine."), pair("Where do you stand?", "=HYPERLINK(1)", "Be brief.")] * 3,
    "messages": [Example(messages=pair("Hi", "Hello").messages + pair("Bye", "See you").messages), pair("When?", "Now.")],
    "labels": [
        Example(messages=pair(f"Text number {number} is long enough", label).messages, label=label)
        for number in range(12)
        for label in ("=praise", "complaint")
    ],
    "text": [Example(text="A passage of the sea.\n\nWith two parts."), Example(text="- another\twith a tab")],
}


@pytest.mark.parametrize("kind", sorted(KINDS))
@pytest.mark.parametrize("form", sorted(ROWS))
def test_the_app_finds_out_by_itself_what_the_file_holds(tmp_path: Path, form: str, kind: str) -> None:
    rows, path = ROWS[form], tmp_path / f"rows.{kind}"
    if (form, kind) == ("messages", "csv"):
        with pytest.raises(StudioError, match="Row 1 is a chat of several turns"):
            write(rows, path, kind, form)
        assert not list(tmp_path.iterdir())
        return
    write(rows, path, kind, form)
    expected = [replace(row, label="") for row in rows] if kind == "jsonl" else rows
    assert back(path) == expected


@pytest.mark.parametrize("sign", SIGNS)
def test_a_formula_is_inert_and_comes_back(tmp_path: Path, sign: str) -> None:
    path = tmp_path / "rows.csv"
    for cell in (f"{sign}cmd|' /C calc'!A0", f"'{sign}1", f"''{sign}1"):
        assert guard(cell) == f"'{cell}"
        row = {"cell": guard(cell), "other": "'tis"}
        assert unguard([row]) == 1 and row == {"cell": cell, "other": "'tis"}
    write([pair(f"{sign}1+1", f"{sign}A1")], path, "csv", "pairs")
    raw = path.read_bytes()
    assert raw.startswith(b"\xef\xbb\xbf")
    table = list(csv.reader(raw.decode("utf-8-sig").splitlines(keepends=True)))
    assert table[0] == ["question", "answer"] and [cell[0] for cell in table[1]] == ["'", "'"]


def test_apostrophes_of_others_are_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "theirs.csv"
    path.write_text("question,answer\n'-1 or less?,-1\n'tis?,Yes.\n")
    reading = read(path)
    assert [row["question"] for row in reading.rows] == ["'-1 or less?", "'tis?"]
    assert reading.notes == ()
    path.write_text("question,answer\n'-1 or less?,Yes.\n")
    assert read(path).notes == ("Apostrophes that keep spreadsheets from calculating were taken off: 1.",)


def test_other_programs_read_it(tmp_path: Path) -> None:
    rows = ROWS["pairs"]
    write(rows, tmp_path / "a.jsonl", "jsonl", "pairs")
    lines = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text(encoding="utf-8").splitlines()]
    assert lines[0] == {"messages": list(rows[0].messages)}
    write(rows, tmp_path / "a.parquet", "parquet", "pairs")
    assert pq.read_table(tmp_path / "a.parquet").to_pylist()[1] == {"messages": list(rows[1].messages)}
    write([], tmp_path / "b.parquet", "parquet", "labels")
    assert pq.read_table(tmp_path / "b.parquet").column_names == ["text", "label"]


def test_an_unknown_kind_writes_nothing(tmp_path: Path) -> None:
    with pytest.raises(StudioError):
        write(ROWS["pairs"], tmp_path / "a.exe", "exe", "pairs")
    assert not list(tmp_path.iterdir())
