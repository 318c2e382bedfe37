"""Rows on the disk behave like a list, whatever they hold, and say so when they are gone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.data.spill import Merged, Spill, Spilled, Telling
from studio.errors import NotFound, Stopped

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters()), inner, max_size=3),
    max_leaves=6,
)


def spilled(path: Path, values: list[Any]) -> Spilled[Any]:
    spill = Spill(path)
    for start in range(0, len(values), 3):
        spill.extend(values[start : start + 3])
    return spill.done(lambda value: value)


@pytest.mark.long
@given(values=st.lists(VALUES, max_size=10), cut=st.slices(10))
def test_they_are_the_values_that_were_put_in(tmp_path_factory: pytest.TempPathFactory, values: list[Any], cut: slice) -> None:
    rows = spilled(tmp_path_factory.mktemp("s") / "rows", values)
    assert len(rows) == len(values)
    assert list(rows) == values
    assert rows[cut] == values[cut]
    assert [rows[at] for at in range(-len(values), len(values))] == values + values
    assert list(Spilled(rows.path, lambda value: value)) == values  # found again without the places of the lines


def test_a_place_beyond_the_end_is_an_index_error(tmp_path: Path) -> None:
    rows = spilled(tmp_path / "rows", [1, 2])
    for at in (2, -3):
        with pytest.raises(IndexError):
            rows[at]


def test_rows_whose_file_is_gone_are_a_sentence(tmp_path: Path) -> None:
    rows = spilled(tmp_path / "rows", [1])
    rows.path.unlink()
    with pytest.raises(NotFound):
        rows[0]
    with pytest.raises(NotFound):
        list(rows)


@given(
    parts=st.lists(st.lists(st.integers(0, 50)).map(sorted), max_size=4),
    cut=st.slices(20),
)
def test_several_in_one_order(parts: list[list[int]], cut: slice) -> None:
    merged, plain = Merged(parts, lambda item: item), sorted(item for part in parts for item in part)
    assert len(merged) == len(plain)
    assert list(merged) == plain
    assert merged[cut] == plain[cut]
    assert [merged[at] for at in range(len(plain))] == plain


def test_who_wants_an_end_gets_it() -> None:
    telling = Telling()
    telling.tell("read", 1, 2, 3)
    assert (telling.work, telling.done, telling.whole, telling.rows) == ("read", 1, 2, 3)
    telling.stop()
    with pytest.raises(Stopped):
        telling.tell("read", 2, 2)
