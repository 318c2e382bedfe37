"""The same question with different answers."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence

import numpy as np

from studio.data.checks.about import About, Changes
from studio.data.checks.common import Notes, answered, bare, known, plain, rows_of
from studio.records import Example, Finding, Remedy

KEY = "conflicts"
REMEDIES = (
    Remedy("keep_first", "Keep the first answer"),
    Remedy("keep_longest", "Keep the longest answer"),
    Remedy("take_out", "Take all of them out"),
)


def find(rows: Sequence[Example], about: About) -> list[Finding]:
    """Every row whose question has another answer elsewhere. Keeps two 64-bit hashes a row."""
    if about.goal == "voice":  # many ways to say a thing are what a voice is learned from
        return []
    questions, answers = array("q"), array("q")
    for row in rows:
        questions.append(question_of(row))
        answers.append(hash(plain(answered(row))))
    asked, said = np.frombuffer(questions, np.int64), np.frombuffer(answers, np.int64)
    groups = [group for group in same_values(asked) if asked[group[0]] and len(set(said[group].tolist())) > 1]
    if not groups:
        return []
    notes = Notes()
    for group in groups[:200]:
        for at in group.tolist():
            other = next(item for item in group.tolist() if said[item] != said[at])
            notes[at] = f"Another answer is in row {rows[other].source_row or other + 1:,}."
    hit = sorted(at for group in groups for at in group.tolist())
    title = f"{rows_of(len(hit))} with the same question and different answers"
    text = "The model cannot know which answer you want and will mix them. Keep one where only one is right."
    return [Finding(KEY, title, text, tuple(hit), "warn", REMEDIES, dict(notes))]


def mend(rows: Sequence[Example], finding: Finding, remedy: str) -> Changes:
    """Rows whose answer is not the one that is kept go; copies of the kept answer stay."""
    known(finding, remedy)
    if remedy == "take_out":
        return dict.fromkeys(finding.rows)
    kept: dict[int, tuple[int, int]] = {}  # question -> length and hash of the answer that is kept
    said: dict[int, tuple[int, int]] = {}
    for at in finding.rows:
        answer = plain(answered(rows[at]))
        said[at] = question, _ = question_of(rows[at]), hash(answer)
        best = kept.setdefault(question, (len(answer), said[at][1]))
        if remedy == "keep_longest" and len(answer) > best[0]:
            kept[question] = len(answer), said[at][1]
    return {at: None for at, (question, answer) in said.items() if answer != kept[question][1]}


def question_of(row: Example) -> int:
    """A hash of all that comes before the last answer; 0 where there is no question. The system turn belongs to it."""
    if len(row.messages) < 2 or row.messages[-1]["role"] != "assistant":
        return 0
    return hash(tuple((message["role"], bare(message["content"])) for message in row.messages[:-1])) or 1


def same_values(values: np.ndarray) -> Iterator[np.ndarray]:
    """Positions that hold the same value, for every value that comes twice or more, in the order of their first position."""
    order = np.argsort(values, kind="stable")
    borders = np.flatnonzero(np.diff(values[order])) + 1
    groups = [group for group in np.split(order, borders) if len(group) > 1]
    yield from sorted(groups, key=lambda group: int(group[0]))
