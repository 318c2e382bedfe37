"""What several checks need: the parts of a row, counts in words, and the remedies that take rows out or change their texts."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

from studio.data.checks.about import Changes
from studio.data.split import plain
from studio.errors import StudioError
from studio.records import Example, Finding, Remedy

TAKE_OUT = Remedy("take_out", "Take these rows out")
MOST_NOTES = 1000
"""Rows that get a note of their own; nobody reads more, and a million of them would fill the memory."""

LONGEST_LABEL = 100
"""Characters. A longer answer is a text, not a category."""

AT_ONCE, LETTERS_AT_ONCE = 2048, 2**22
"""Rows, and characters, that a check in batches holds at a time."""


def asked(row: Example) -> str:
    """Everything the user says in a row; empty for plain prose."""
    return "\n".join(message["content"] for message in row.messages if message["role"] == "user")


def answered(row: Example) -> str:
    """Everything the assistant says in a row, or the prose: what is learned."""
    return (
        "\n".join(message["content"] for message in row.messages if message["role"] == "assistant") if row.messages else row.text
    )


def texts(row: Example) -> Iterator[str]:
    """Every text of a row, the system turn included."""
    if not row.messages:
        yield row.text
    for message in row.messages:
        yield message["content"]


def label_of(row: Example, goal: str) -> str:
    """The category of a row: its label, or its last answer where the goal is sorting. Empty when there is none."""
    if row.label or goal != "sorting" or not row.messages or row.messages[-1]["role"] != "assistant":
        return row.label
    answer = row.messages[-1]["content"]
    return answer if len(answer) <= LONGEST_LABEL else ""


def bare(text: str) -> str:
    """Text without regard to case, white space, and the punctuation around it."""
    start, end = 0, len(text)
    while start < end and not speaks(text[start]):
        start += 1
    while end > start and not speaks(text[end - 1]):
        end -= 1
    return plain(text[start:end]) or plain(text)


def speaks(letter: str) -> bool:
    """Whether a character says something by itself: a letter or its mark, a digit, or a symbol such as an emoji."""
    return unicodedata.category(letter)[0] in "LMNS"


def rows_of(count: int) -> str:
    """ "1 row" or "1,234 rows"."""
    return counted(count, "row", "rows")


def counted(count: int, one: str, many: str) -> str:
    """A number with its noun, ready to be read."""
    return f"{count:,} {one if count == 1 else many}"


def row_name(row: int, at: int) -> str:
    """How a person finds a row: its number in the file, or its place among the rows where that is not known."""
    return f"row {row:,}" if row else f"row {at + 1:,} of these"


def batches(rows: Iterable[Example]) -> Iterator[tuple[int, list[Example]]]:
    """The rows in order, some at a time, each batch with the position of its first row."""
    for batch in portions(enumerate(rows)):
        yield batch[0][0], [row for _, row in batch]


def portions(placed: Iterable[tuple[int, Example]]) -> Iterator[list[tuple[int, Example]]]:
    """Rows with their positions, at most some thousand of them and some million characters at a time."""
    batch: list[tuple[int, Example]] = []
    letters = 0
    for at, row in placed:
        batch.append((at, row))
        letters += sum(map(len, texts(row)))
        if len(batch) == AT_ONCE or letters > LETTERS_AT_ONCE:
            yield batch
            batch, letters = [], 0
    if batch:
        yield batch


class Notes(dict[int, str]):
    """Notes on rows that stop growing at `MOST_NOTES`."""

    def __setitem__(self, row: int, note: str) -> None:
        if row in self or len(self) < MOST_NOTES:
            super().__setitem__(row, note)


def take_out(rows: Sequence[Example], finding: Finding, remedy: str) -> Changes:
    """Every row of the finding goes. It is the `mend` of checks that have no other remedy."""
    known(finding, remedy)
    return dict.fromkeys(finding.rows)


def rewrite(rows: Sequence[Example], finding: Finding, change: Callable[[str], str]) -> Changes:
    """The finding's rows with every text changed; rows whose answer becomes empty go, and unchanged ones stay as they are."""
    done: dict[int, Example | None] = {}
    for at in finding.rows:
        new = with_texts(rows[at], change)
        if new != rows[at]:
            done[at] = new if answered(new).strip() else None
    return done


def with_texts(row: Example, change: Callable[[str], str]) -> Example:
    """A row with every text changed, its label too."""
    messages = tuple({**message, "content": change(message["content"])} for message in row.messages)
    return replace(row, messages=messages, text=change(row.text), label=change(row.label))


def known(finding: Finding, remedy: str) -> str:
    """The remedy's key, if the finding has it. Raises StudioError."""
    if remedy not in {item.key for item in finding.remedies}:
        raise StudioError("Nothing was changed.", "This remedy does not belong to the finding.", "Check the rows again.")
    return remedy
