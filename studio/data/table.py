"""One page of a table of rows: searched, narrowed down and sorted."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from studio.data.edits import Edited
from studio.errors import StudioError
from studio.records import Example

MOST_SHOWN = 500  # rows of one page
LONGEST_QUERY = 200  # characters


@dataclass(frozen=True)
class Row:
    """A row with its id and its position among all rows."""

    id: int
    at: int
    example: Example


@dataclass(frozen=True)
class Page:
    """Some rows, and how many there are on all pages together. `start` is the number of rows on the pages before."""

    rows: tuple[Row, ...]
    total: int
    start: int = 0


def question_length(example: Example) -> int:
    """Characters of all that is asked."""
    return sum(len(item["content"]) for item in example.messages if item["role"] == "user")


def answer_length(example: Example) -> int:
    """Characters of all that is learned: the answers, or the whole of a plain text."""
    return len(example.text) + sum(len(item["content"]) for item in example.messages if item["role"] == "assistant")


SORTS: dict[str, tuple[str, Callable[[Example], Any]]] = {
    "question": ("Length of the question", question_length),
    "answer": ("Length of the answer", answer_length),
    "label": ("Category", lambda example: example.label.casefold()),
}
"""Key -> name to show, and what rows are sorted by. The order of the rows has the key "" and needs no sorting."""


def page_of(
    rows: Edited, query: str = "", only: Collection[int] | None = None, sort: str = "", start: int = 0, count: int = 20
) -> Page:
    """One page of rows. Nothing is copied; a search or a sort goes through all rows once.

    Args:
        query: Rows that hold this text somewhere, whatever its case.
        only: Ids of the rows to choose from.
        sort: A key of SORTS; "-" before it turns the order round. Rows that are equal in it stay in their order.
        start: Rows to pass over. Beyond the end, the last page is given.
        count: Rows of one page, at most 500.

    Raises:
        StudioError: an unknown way of sorting, or too long a text to search for.
    """
    key, turned = sort.removeprefix("-"), sort.startswith("-")
    if key and key not in SORTS:
        raise StudioError("The rows were not sorted.", "This order is not known.", "Pick one from the list.")
    if len(query) > LONGEST_QUERY:
        raise StudioError("Nothing was searched.", f"The text has more than {LONGEST_QUERY} characters.", "Take a part of it.")
    found = matching(rows, query.strip().casefold(), only)
    if key:
        order = SORTS[key][1]
        values = list(map(order, chosen_of(rows, found)))
        found = [found[index] for index in sorted(range(len(found)), key=values.__getitem__, reverse=turned)]
    elif turned:
        found = found[::-1]
    count = max(1, min(count, MOST_SHOWN))
    start = max(0, start)
    if start >= len(found):
        start = max(0, (len(found) - 1) // count * count)
    shown = tuple(Row(rows.ids[at], at, rows[at]) for at in found[start : start + count])
    return Page(shown, len(found), start)


def matching(rows: Edited, wanted: str, only: Collection[int] | None) -> range | list[int]:
    """Positions of the rows among `only` that hold `wanted`, in order; all of them where nothing is asked."""
    if not wanted and only is None:
        return range(len(rows))
    chosen = None if only is None else frozenset(only)
    each = zip(range(len(rows)), rows.ids, rows, strict=True)
    return [at for at, row, example in each if (chosen is None or row in chosen) and holds(example, wanted)]


def chosen_of(rows: Iterable[Example], positions: Iterable[int]) -> Iterator[Example]:
    """The rows at some positions, which ascend, in one pass."""
    each, passed = iter(rows), 0
    for at in positions:
        yield next(islice(each, at - passed, None))
        passed = at + 1


def holds(example: Example, wanted: str) -> bool:
    """Whether any text of a row holds `wanted`, which is in lower case."""
    if any(wanted in item["content"].casefold() for item in example.messages):
        return True
    return wanted in example.text.casefold() or wanted in example.label.casefold()
