"""Prints the README's table of goals and depths from the presets themselves: `python -m tests.presets_table`."""

from __future__ import annotations

from studio.presets import table


def markdown() -> str:
    """The Markdown table, one row for every goal at every depth."""
    lines = ["| goal | depth | rounds | at least steps | other settings | source |", "|---|---|---|---|---|---|"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in table())])


if __name__ == "__main__":
    print(markdown())
