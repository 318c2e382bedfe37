"""One page of the table: search, narrowing down, order, ends."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from studio.data.edits import Edit, apply
from studio.data.table import SORTS, page_of
from studio.errors import StudioError
from studio.records import Example


def pair(question: str, answer: str, label: str = "") -> Example:
    messages = ({"role": "user", "content": question}, {"role": "assistant", "content": answer})
    return Example(messages=messages, label=label)


ROWS = apply(
    [
        pair("When do you OPEN?", "At nine.", "b"),
        pair("Where?", "In the Große Straße.", "A"),
        pair("Why?", "Because."),
        Example(text="Open sea"),
    ],
    [Edit("out", {2: None})],
)


def ids(**about: object) -> list[int]:
    return [row.id for row in page_of(ROWS, **about).rows]


def test_a_search_looks_into_all_texts_whatever_their_case() -> None:
    assert ids(query=" open ") == [0, 3]
    assert ids(query="STRASSE") == [1]
    assert ids(query="because") == []
    assert page_of(ROWS, "open").total == 2
    assert [row.at for row in page_of(ROWS, "open").rows] == [0, 2]


def test_rows_are_sorted_and_turned_round() -> None:
    assert ids(sort="question") == [3, 1, 0]
    assert ids(sort="-question") == [0, 1, 3]
    assert ids(sort="answer") == [0, 3, 1]
    assert ids(sort="label") == [3, 1, 0]
    assert ids(sort="-") == [3, 1, 0]


def test_only_some_rows_are_looked_at() -> None:
    assert ids(only={3, 1, 2, 99}) == [1, 3]
    assert ids(only=[], query="open") == []


@pytest.mark.parametrize("about", [{"sort": "size"}, {"query": "x" * 201}])
def test_what_cannot_be_asked(about: dict) -> None:
    with pytest.raises(StudioError):
        page_of(ROWS, **about)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(st.text("abc", max_size=3), st.sampled_from("xyz")), max_size=30),
    st.sampled_from(["", "a", "zz"]),
    st.sampled_from(["", "-", *SORTS, *(f"-{key}" for key in SORTS)]),
    st.integers(1, 9),
)
def test_the_pages_together_are_all_rows_once(cells: list[tuple[str, str]], query: str, sort: str, count: int) -> None:
    rows = apply([pair(text, "!" * len(text), label) for text, label in cells])
    seen, start = [], 0
    while True:
        page = page_of(rows, query, sort=sort, start=start, count=count)
        if page.start < start or not page.rows:
            break
        seen += [row.id for row in page.rows]
        start += count
    expected = [row for row, (text, label) in enumerate(cells) if query in text or query in label or query in "!" * len(text)]
    assert sorted(seen) == expected and page.total == len(expected)
    if sort == "question":
        assert seen == sorted(expected, key=lambda row: len(cells[row][0]))


def test_beyond_the_end_is_the_last_page() -> None:
    rows = apply([pair(str(number), "x") for number in range(45)])
    assert page_of(rows, start=1000).start == 40
    assert len(page_of(rows, count=10**9).rows) == 45
    assert len(page_of(rows, start=-5, count=-1).rows) == 1
    assert page_of(apply([]), start=7).rows == ()
