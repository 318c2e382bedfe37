"""Blanks of a template that nobody filled in: {{name}}, <your email>, [Your Name], lorem ipsum."""

from __future__ import annotations

import re
from collections.abc import Sequence

from studio.data.checks.about import About
from studio.data.checks.common import TAKE_OUT, rows_of, take_out, texts
from studio.data.checks.patterns import search
from studio.records import Example, Finding

KEY = "placeholders"
THING = (
    r"(?:first |last |full |user |customer |company |business |product |brand |shop |store |city |street |phone |email |e-mail )?"
    r"(?:name|company|date|address|email|e-mail|number|city|title|position|topic|product|link|url|phone|website|location)"
)
BLANK = re.compile(
    r"\{\{\s{0,3}[^\W\d][\w .-]{0,40}\}\}"  # Jinja, Mustache
    r"|\$\{[A-Za-z_]\w{0,40}\}"  # shell, JavaScript
    rf"|\[(?:your|insert|enter|add|fill in|recipient(?:['’]s)?|sender(?:['’]s)?)\b[\w '’/-]{{0,40}}\](?!\()|\[{THING}\](?!\()"
    rf"|<(?:your|insert|enter|add|fill in)[ _-][\w '’-]{{1,40}}>|<{THING}>"
    r"|\blorem ipsum\b|\binsert (?:text|name) here\b",
    re.IGNORECASE,
)
LIKELY = r"\{\{|\$\{|\[|<|lorem ipsum|insert (?:text|name) here"
HTML = frozenset({"<title>", "<address>", "<link>"})


def find(rows: Sequence[Example], about: About) -> list[Finding]:
    """Rows that hold an unfilled blank."""
    [(hit, notes)] = search(rows, blank, likely=LIKELY)
    if not hit:
        return []
    title = f"{rows_of(len(hit))} with a blank that nobody filled in"
    text = f"For example {notes[hit[0]]}. The model would write the blank itself. Fill it in in your file, or take the rows out."
    return [Finding(KEY, title, text, hit, "warn", (TAKE_OUT,), notes)]


mend = take_out


def blank(row: Example) -> str:
    """The first unfilled blank of a row; empty when there is none."""
    return next((found.group() for text in texts(row) for found in BLANK.finditer(text) if found.group().lower() not in HTML), "")
