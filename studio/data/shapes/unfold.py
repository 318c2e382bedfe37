"""Nested items as flat rows, where the first of them have a shape that is known."""

from __future__ import annotations

from typing import Any

from studio.data.shapes import pieces, seed_tasks, squad, trees
from studio.data.shapes.about import Hopeless, Shape
from studio.records import LeftOut

SHAPES: tuple[Shape, ...] = (squad, seed_tasks, trees, pieces)
LOOKED_AT = 20  # items


def unfold(items: list[Any], numbers: list[int], left_out: list[LeftOut], notes: list[str]) -> tuple[list[Any], list[int]]:
    """The rows inside nested items with their numbers; the items themselves where they are flat.

    Items that do not fit the shape of the others stay as they are. What gives no row goes to `left_out`.
    """
    return Unfolding(items, notes).rows(items, numbers, left_out)


class Unfolding:
    """`unfold` for items that come in batches. The first of them decide on the shape, which is told in `notes`."""

    def __init__(self, first: list[Any], notes: list[str]) -> None:
        self.shape = next((shape for shape in SHAPES if first and all(map(shape.fits, first[:LOOKED_AT]))), None)
        self.count = 0
        if self.shape:
            notes.append(self.shape.NOTE)

    def rows(self, items: list[Any], numbers: list[int], left_out: list[LeftOut]) -> tuple[list[Any], list[int]]:
        """The rows inside the next items."""
        shape = self.shape
        if shape is None:
            return items, numbers
        rows: list[Any] = []
        row_numbers: list[int] = []
        for number, item in zip(numbers, items, strict=True):
            for row in shape.rows(item) if shape.fits(item) else [item]:
                self.count += 1
                row_number = self.count if shape.COUNTED else number
                if isinstance(row, Hopeless):
                    left_out.append(LeftOut(row_number, row.reason, " ".join(row.excerpt.split())[:80]))
                else:
                    rows.append(row)
                    row_numbers.append(row_number)
        return rows, row_numbers
