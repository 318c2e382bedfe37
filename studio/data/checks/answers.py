"""Answers that say nothing: empty ones that still got through, and ones that only repeat the question."""

from __future__ import annotations

from collections.abc import Sequence

from studio.data.checks.about import About
from studio.data.checks.common import TAKE_OUT, bare, rows_of, speaks, take_out
from studio.records import Example, Finding

KEY = "answers"
LEFTOVERS = frozenset({"n/a", "#n/a", "null", "nan", "#ref!", "#value!", "#name?", "[deleted]", "[removed]"})
"""What spreadsheets, databases and forum exports write into a cell that is empty."""

SHORTEST_ECHO = 15
"""Characters. Shorter repetitions are greetings: "Good morning" is a fine answer to "Good morning"."""


def find(rows: Sequence[Example], about: About) -> list[Finding]:
    """Rows with an answer that says nothing, and rows with an answer that is the question again."""
    empty, echoes = [], []
    for at, row in enumerate(rows):
        if says_nothing(row):
            empty.append(at)
        elif repeats(row):
            echoes.append(at)
    found = []
    if empty:
        title = f"{rows_of(len(empty))} with an answer that says nothing"
        text = "The answer is blank, only punctuation, or a sign for an empty cell. The model would learn to say nothing."
        found.append(Finding(KEY, title, text, tuple(empty), "stop", (TAKE_OUT,)))
    if echoes:
        title = f"{rows_of(len(echoes))} with an answer that repeats the question"
        text = "Question and answer are the same. The model would learn to repeat what it is asked."
        found.append(Finding(KEY, title, text, tuple(echoes), "warn", (TAKE_OUT,)))
    return found


mend = take_out


def says_nothing(row: Example) -> bool:
    """Whether any of the learned texts is blank or stands for an empty cell. Labels may be any sign."""
    learned = [message["content"] for message in row.messages if message["role"] == "assistant"] if row.messages else [row.text]
    return not learned or any(is_blank(text, bool(row.label)) for text in learned)


def is_blank(text: str, is_label: bool) -> bool:
    """Whether a text holds nothing that speaks."""
    if is_label:
        return not text.strip()
    return (len(text) < SHORTEST_ECHO and text.strip().lower() in LEFTOVERS) or not any(map(speaks, text))


def repeats(row: Example) -> bool:
    """Whether an answer is the turn before it, without regard to case, white space and punctuation around it."""
    pairs = zip(row.messages, row.messages[1:], strict=False) if not row.label else ()
    return any(
        before["role"] == "user" and after["role"] == "assistant" and is_echo(before["content"], after["content"])
        for before, after in pairs
    )


def is_echo(question: str, answer: str) -> bool:
    """Whether an answer is the question again. Lengths are compared first since most pairs differ there already."""
    if len(answer) < SHORTEST_ECHO or abs(len(question) - len(answer)) > SHORTEST_ECHO:
        return False
    return bare(question) == bare(answer)
