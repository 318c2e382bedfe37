"""What stands around a table or inside it beside the rows: titles, notes below, merged cells."""

from __future__ import annotations

from pathlib import Path

import openpyxl
import pytest

from studio.data.read import read
from studio.data.readers.workbook import fill_merged
from tests.data.files import workbook, write

ROWS = [[f"Question {number}?", f"Answer {number}.", "shop", "2020"] for number in range(8)]
HEADER = ["question", "answer", "topic", "year"]


def as_csv(*rows: list[str]) -> str:
    return "".join(",".join(cells) + "\n" for cells in rows)


@pytest.mark.parametrize("header", [None, True])
@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_titles_above_and_notes_below_are_told_from_the_table(tmp_path: Path, kind: str, header: bool | None) -> None:
    rows = [["Our questions", "", "", ""], ["Exported", "2020", "", ""], [], HEADER, *ROWS, ["", "Total: 8", "", ""]]
    path = write(tmp_path, "a.csv", as_csv(*rows)) if kind == "csv" else workbook(tmp_path / "a.xlsx", A=rows)
    found = read(path, header=header)
    assert found.columns == tuple(HEADER) and [list(row.values()) for row in found.rows] == ROWS
    assert found.row_numbers == list(range(5, 13)) and found.notes == ("What stands above row 4 was passed over.",)
    assert [(item.row, item.excerpt) for item in found.left_out] == [(13, "Total: 8")]


def test_rows_that_only_look_like_titles_and_notes_stay(tmp_path: Path) -> None:
    last = ["Question 9?", "", "", ""]
    assert len(read(write(tmp_path, "a.csv", as_csv(HEADER[:2], *(row[:2] for row in ROWS), last[:2]))).rows) == 9
    assert read(write(tmp_path, "b.csv", "text\nOne line.\nAnother.\n")).columns == ("text",)
    assert len(read(write(tmp_path, "c.csv", as_csv(["Title", ""], *(row[:2] for row in ROWS)))).rows) + 1 >= 9
    gap = [HEADER[:2], *(row[:2] for row in ROWS), [], ["See our site", ""]]
    found = read(workbook(tmp_path / "a.xlsx", A=gap))
    assert len(found.rows) == 8 and found.left_out[0].row == 11
    assert len(read(write(tmp_path, "d.csv", "question,answer\nA?, 1, 2, 3\nB?, 4, 5, 6\n"), header=False).rows) == 3


def test_merged_cells_give_every_row_their_value(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    for row in (
        ["Shop", None, None],
        ["topic", "question", "answer"],
        ["Bread", "A?", "1."],
        [None, "B?", "2."],
        ["x", "C?", "3."],
    ):
        book.active.append(row)
    book.active.merge_cells("A1:C1")
    book.active.merge_cells("A3:A4")
    book.save(tmp_path / "a.xlsx")
    found = read(tmp_path / "a.xlsx")
    assert [row["topic"] for row in found.rows] == ["Bread", "Bread", "x"]
    assert "1 empty cells of merged ones were given their value." in found.notes


def test_a_header_over_two_rows_is_no_row(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    for row in (["question", "answer"], [None, None], ["A?", "1."]):
        book.active.append(row)
    book.active.merge_cells("A1:A2")
    book.active.merge_cells("B1:B2")
    book.save(tmp_path / "a.xlsx")
    assert read(tmp_path / "a.xlsx").rows == [{"question": "A?", "answer": "1."}]


@pytest.mark.long
def test_hostile_merged_cells_cost_little() -> None:
    body = [(number, ["a" if number == 1 else ""]) for number in range(1, 1001)]
    assert fill_merged(body, [(1, 10**9, 0)] * 100_000) == 999
    assert fill_merged(body, [(0, 5, 0), (3, 9, 5), (9, 3, 0), (10**9, 10**9 + 1, 0)]) == 0


def test_column_names_that_cannot_be_written_are_made_writable(tmp_path: Path) -> None:
    found = read(write(tmp_path, "a.json", '[{"\\ud800": "x"}]'))
    assert found.columns == ("?",) and found.rows == [{"?": "x"}]
