"""Several lists of rows in one object: splits of one data set, which can be read together, or tasks of their own."""

from __future__ import annotations

from typing import Any

TOGETHER = "all of them"
USUAL = ("data", "rows", "train", "examples", "items", "records")
LABEL = 60  # characters; a longer second value of a pair is no label
LOOKED_AT = 100  # pairs


def choices_of(inside: dict[str, list[Any]]) -> tuple[str, ...]:
    """What can be read: all lists together where their rows are alike, and each list."""
    alike = len(inside) > 1 and len({form_of(rows) for rows in inside.values()}) == 1
    return (TOGETHER, *inside) if alike else tuple(inside)


def usual_choice(inside: dict[str, list[Any]]) -> str:
    """The list that is read unless another is chosen: one with a usual name, all together, or the longest."""
    if named := next((key for key in USUAL if key in inside), ""):
        return named
    return TOGETHER if choices_of(inside)[0] == TOGETHER else max(inside, key=lambda key: len(inside[key]))


def rows_of(inside: dict[str, list[Any]], chosen: str) -> list[Any]:
    """The rows of the chosen list; of all together each says in “part” which list it comes from, where it can."""
    if chosen != TOGETHER:
        return labelled(inside[chosen])
    return [
        {**row, "part": key} if isinstance(row, dict) and "part" not in row else row
        for key, rows in inside.items()
        for row in labelled(rows)
    ]


def form_of(rows: list[Any]) -> tuple[Any, ...]:
    """What the rows of a list look like, from the first of them."""
    first = rows[0]
    return ("object", *sorted(map(str, first))) if isinstance(first, dict) else ("list", len(first))


def labelled(rows: list[Any]) -> list[Any]:
    """Pairs of a text and one of a few short labels, as objects; anything else as it is."""
    first = rows[:LOOKED_AT]
    if not all(isinstance(row, list) and len(row) == 2 and isinstance(row[0], str) for row in first):
        return rows
    labels = {row[1] if isinstance(row[1], (str, int)) else None for row in first}
    if None in labels or max(len(str(label)) for label in labels) > LABEL or len(labels) > max(1, len(first) // 2):
        return rows
    return [{"text": row[0], "label": row[1]} if isinstance(row, list) and len(row) == 2 else row for row in rows]
