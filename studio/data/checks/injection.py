"""Phrases that try to talk a model out of its instructions. Learned from, they teach the model to obey them.

Measured on the development data: 16 of the 60 attacks of deepset's test set (many of them are questions like any other) and 31 of
Giskard's 35, together 47 of 95 (49 %); none of deepset's 56 harmless texts, and none of 15,159 rows of the other files.
The phrases name families of attacks in six languages. The files were read before they were written, so expect less elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from studio.data.checks.about import About
from studio.data.checks.common import TAKE_OUT, rows_of, take_out, texts
from studio.data.checks.patterns import coarse, search
from studio.records import Example, Finding

KEY = "injection"
MOST_LETTERS = 20_000
GAP = r"(?:[ ,.:;'’\"-]{1,3}\w{1,15}){0,5}?[ ,.:;'’\"-]{1,3}"  # up to five words in between
PHRASES: tuple[tuple[tuple[str, ...], str], ...] = (
    # leave what came before
    (
        ("ignore", "disregard", "forget", "override", "bypass", "neglect", "discard"),
        rf"\b(?:ignore|disregard|forget|override|bypass|neglect|discard){GAP}(?:previous|above|prior|preceding|earlier|foregoing|"
        r"instructions?|directions?|directives?|guidelines|orders|prompts?)\b"
        r"|\bforget (?:about )?(?:everything|all|anything)\b.{0,20}\b(?:before|above|so far|told|said|i|we|you)\b",
    ),
    (
        ("ignorier", "missacht", "vergiss", "vergess", "überspring"),
        r"\b(?:ignorier|missacht|vergiss|vergess|überspring)\w{0,4}"
        rf"{GAP}(?:vorherig|obig|bisherig|vorig|vorangegangen|zuvor|bisher|anweisung|anordnung)\w{{0,4}}\b|\bvergiss alles\b",
    ),
    (
        ("ignor", "olvid", "descart"),
        rf"\b(?:ignor[ae]|olvid[ae]|descart[ae]){GAP}(?:anterior(?:es)?|instrucciones|indicaciones)\b|\bolvid[ae] todo lo\b",
    ),
    (("ignore", "oublie"), rf"\b(?:ignore[rz]?|oublie[rz]?){GAP}(?:précédent|consigne)\w{{0,3}}\b|\boublie[rz]? tout ce\b"),
    (
        ("ignor", "dimentica", "esqueça"),
        rf"\b(?:ignora|dimentica){GAP}(?:precedent[ei]|istruzioni)\b|\b(?:ignore|esqueça){GAP}(?:anteriores|instruções)\b",
    ),
    # give away what is hidden
    (
        ("prompt", "instruction", "rules"),
        rf"\b(?:reveal|show|print|repeat|display|output|leak|expose|tell){GAP}(?:system|initial|original|hidden|secret|your|above)"
        r" (?:prompts?|instructions?|rules)\b"
        r"|\b(?:what|which) (?:are|is|were|was) your (?:system |initial |original |hidden |secret )(?:prompt|instructions?)\b",
    ),
    (
        ("prompt", "ursprünglichen anweisung"),
        rf"\b(?:zeig|nenn|verrat|gib)\w{{0,3}}{GAP}(?:system-?prompt|prompt-?text|ursprünglichen anweisung)\w{{0,3}}\b",
    ),
    # become something without rules
    (("do anything now",), r"\bdo anything now\b"),
    (("jailbr",), r"\bjailbr(?:eak|oken)\w{0,4}\b"),
    ((" mode ",), r"\b(?:developer|debug|god|sudo) mode (?:enabled|activated|on|output)\b"),
    (
        ("restrictions", "limitations", "filter", "censorship", "guidelines"),
        r"\b(?:pretend|act|respond|answer|behave)\b.{0,60}\b(?:without|no|free of|free from) (?:any |all )?"
        r"(?:ethical |moral |content )?(?:restrictions|limitations|filters?|censorship|guidelines)\b",
    ),
    (("in character",), r"\b(?:stay|remain) in character\b"),
    (
        ("you are", "you will"),
        r"\byou (?:are|will) (?:not |never )?(?:be )?(?:bound|restricted|limited) by\b"
        r"|\byou are no longer\b.{0,40}\b(?:assistant|ai|model|bound)\b",
    ),
    (("from now on",), r"\bfrom now on,? you (?:will|are|must|shall|have)\b"),
    # take over the conversation
    (
        ("respond", "answer", "reply"),
        r"\b(?:respond|answer|reply) (?:to )?(?:all|every|each|any) (?:further |other )?"
        r"(?:questions?|prompts?|requests?|messages?) with\b",
    ),
    (("new ",), r"\bnew (?:instructions?|directives?|system prompt) ?:"),
    (("system]", "end"), r"\[/?system\]|={3,9} ?end\b"),
)
"""Words of which one must be there, and the phrase, in small letters. Looking for the words first makes it ten times as fast."""

SEARCHES = tuple((words, re.compile(phrase)) for words, phrase in PHRASES)
LIKELY = "|".join(coarse(phrase.replace(GAP, ".*")) for _, phrase in PHRASES)
TEXT = (
    "Learned from, it teaches the model to obey. This flags 49 % of our test set with 0 % false alarms; "
    "it misses attacks and guarantees nothing."
)


def find(rows: Sequence[Example], about: About) -> list[Finding]:
    """Rows that hold such a phrase."""
    [(hit, notes)] = search(rows, phrase, likely=LIKELY)
    if not hit:
        return []
    title = f"{rows_of(len(hit))} with a phrase that tries to take over the model"
    return [Finding(KEY, title, TEXT, hit, "warn", (TAKE_OUT,), notes)]


mend = take_out


def phrase(row: Example) -> str:
    """The first such phrase of a row, in small letters; empty when there is none."""
    return next((found for text in texts(row) if (found := phrase_in(text[:MOST_LETTERS].lower()))), "")


def phrase_in(text: str) -> str:
    """The first such phrase of a text in small letters."""
    for words, pattern in SEARCHES:
        if any(word in text for word in words) and (found := pattern.search(text)):
            return found.group()
    return ""
