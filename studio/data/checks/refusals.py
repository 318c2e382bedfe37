"""Answers that refuse, as assistants do: copied from a chat, they teach the model to refuse."""

from __future__ import annotations

import re
from collections.abc import Sequence

from studio.data.checks.about import About
from studio.data.checks.common import TAKE_OUT, answered, rows_of, take_out
from studio.data.checks.patterns import coarse, search
from studio.records import Example, Finding

KEY = "refusals"
SHARE = 0.02
"""Share of the rows above which refusals are named. LIMA (arXiv:2305.11206) teaches them with 1.3 % of its rows."""

OPENING = 400  # characters; a refusal comes first

REFUSAL = re.compile(
    r"\bas an? (?:ai|artificial intelligence|large language|language)(?: language)? (?:model|assistant)\b"
    r"|\bi(?:['’]?m| am) (?:just |only )?an? (?:ai|artificial intelligence)(?: language model| assistant)?,? (?:and|so|but) "
    r"i (?:can(?:no|['’])t|cannot|do not|don['’]t)\b"
    r"|\b(?:i(?:['’]?m| am)(?: very| so| really)? (?:sorry|afraid)|my apologies|i apologi[sz]e)\b.{0,40}"
    r"\bi (?:can(?:no|['’])t|cannot|am (?:not able|unable)|['’]?m (?:not able|unable)|won['’]t|am not allowed)\b"
    r"|^\W{0,3}(?:sorry,? (?:but )?)?i (?:can(?:no|['’])t|cannot|am unable to|won['’]t|will not) "
    r"(?:help|assist|provide|fulfill|comply|answer|do that|support|engage|create|generate|write|discuss)\b"
    r"|\bals (?:ein )?(?:ki|k\.i\.)[- ](?:sprachmodell|modell|assistent)\b|\btut mir leid,? aber ich kann\b"
    r"|\bcomo (?:un )?modelo de lenguaje\b|\blo siento,? pero no puedo\b"
    r"|\ben tant que (?:modèle de langage|ia\b|intelligence artificielle)|\bje suis désolée?,? mais je ne (?:peux|puis)\b",
    re.IGNORECASE,
)


def find(rows: Sequence[Example], about: About) -> list[Finding]:
    """Rows that refuse, where they are more than a few."""
    [(hit, notes)] = search(rows, refusal, likely=coarse(REFUSAL.pattern))
    if len(hit) <= SHARE * len(rows):
        return []
    title = f"{rows_of(len(hit))} with an answer that refuses"
    text = f"That is {len(hit) / len(rows):.1%} of all. The model will learn to refuse. Keep only refusals that you mean."
    return [Finding(KEY, title, text, hit, "warn", (TAKE_OUT,), notes)]


mend = take_out


def refusal(row: Example) -> str:
    """The words of a refusal at the start of an answer; empty when there is none. Prose is no answer."""
    if not row.messages or row.label:
        return ""
    found = REFUSAL.search(answered(row)[:OPENING].replace("\n", " "))
    return found.group().strip() if found else ""
