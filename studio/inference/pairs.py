"""What a model wrote, taken apart: question/answer pairs in whatever form it chose, and whether a passage bears them out."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

MAX_REPLY = 100_000  # characters of a reply that are looked at
MAX_BROKEN = 200  # brackets that begin no JSON; each costs a look at what follows
MAX_QUESTION = 400  # characters; a longer one is not a question but a text
MAX_ANSWER = 4000
GROUNDED = 0.6
"""Share of an answer's words that must be in its passage. Chosen by us: it lets an answer be worded anew, but not made up."""

SURE = 0.9
"""From this share on an answer is nearly the passage's own words. Chosen by us."""

SHORTEST = 4  # letters of a word that says something, whatever the language
STEM = 6  # letters compared, so that endings do not count: "licensing" and "license" are alike

WORD = re.compile(r"[^\W\d_]+")
NUMBER = re.compile(r"\d+(?:[.,:]\d+)*")
# scripts that are written without spaces: each two neighbouring signs stand for a word
UNSPACED = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\u0e00-\u0e7f]+")
LABEL = re.compile(
    r"^[\s>#*_-]{0,8}(?:\d{1,3}[.):]\s{0,4})?[*_]{0,3}(?P<what>question|answer|q|a)\s{0,3}\d{0,3}\s{0,3}[*_]{0,3}[:.)]\s{0,3}[*_]{0,3}\s{0,3}",
    re.IGNORECASE,
)
NUMBERED = re.compile(r"^\s{0,8}(?:\d{1,3}[.)]|[-*•])\s{1,4}")
QUESTION_KEYS = ("question", "q", "prompt", "instruction")
ANSWER_KEYS = ("answer", "a", "response", "output")

Pair = tuple[str, str]


def pairs_of(reply: str) -> list[Pair]:
    """The pairs in a reply: as JSON (a list, lines, or an object with a list), as "Q: … A: …", or numbered.

    Nothing is added: a question without an answer, or an answer without a question, is no pair. No pair comes twice.
    """
    reply = reply[:MAX_REPLY]
    found = list(from_json(reply)) or list(from_labels(reply)) or list(from_numbers(reply))
    once: dict[str, Pair] = {}
    for question, answer in found:
        pair = (tidy(question), tidy(answer))
        if pair[0] and pair[1] and len(pair[0]) <= MAX_QUESTION and len(pair[1]) <= MAX_ANSWER:
            once.setdefault(alike(pair[0]), pair)
    return list(once.values())


def from_json(reply: str) -> Iterator[Pair]:
    """Pairs of every JSON object in the reply that has a question and an answer, however deep in lists it lies."""
    decoder = json.JSONDecoder()
    place = failed = 0
    while failed < MAX_BROKEN and (place := _next_bracket(reply, place)) >= 0:
        try:
            value, place = decoder.raw_decode(reply, place)
        except RecursionError:
            return
        except ValueError:
            place, failed = place + 1, failed + 1
            continue
        yield from _pairs_in(value)


def _next_bracket(text: str, place: int) -> int:
    found = [at for at in (text.find("{", place), text.find("[", place)) if at >= 0]
    return min(found, default=-1)


def _pairs_in(value: Any) -> Iterator[Pair]:
    waiting = [value]
    while waiting:
        item = waiting.pop(0)
        if isinstance(item, list):
            waiting = item + waiting
        elif isinstance(item, dict):
            low = {str(key).strip().lower(): part for key, part in item.items()}
            question = next((low[key] for key in QUESTION_KEYS if isinstance(low.get(key), str)), "")
            answer = next((low[key] for key in ANSWER_KEYS if isinstance(low.get(key), str)), "")
            if question and answer:
                yield question, answer
            else:
                waiting = [part for part in item.values() if isinstance(part, (list, dict))] + waiting


def from_labels(reply: str) -> Iterator[Pair]:
    """Pairs written as "Q: …" and "A: …", also "**Question 1:** …"; what follows an answer belongs to it until the next."""
    question: list[str] = []
    answer: list[str] = []
    into: list[str] | None = None
    for line in reply.splitlines():
        found = LABEL.match(line)
        if found is None:
            if into is not None:
                into.append(line)
            continue
        if found["what"].lower().startswith("q"):
            if question and answer:
                yield " ".join(question), "\n".join(answer)
            question, answer = [line[found.end() :]], []
            into = question
        elif question:
            answer = [line[found.end() :]]
            into = answer
    if question and answer:
        yield " ".join(question), "\n".join(answer)


def from_numbers(reply: str) -> Iterator[Pair]:
    """Pairs in a numbered or dotted list: a question up to its question mark, the answer behind it or on the lines below."""
    items: list[str] = []
    for line in reply.splitlines():
        if NUMBERED.match(line):
            items.append(NUMBERED.sub("", line))
        elif items:
            items[-1] += "\n" + line
    for item in items:
        marks = [at for at in (item.find("?"), item.find("？")) if at >= 0]
        if marks:
            end = min(marks) + 1
            yield item[:end], item[end:].lstrip(" \t*_–-:\n")


def tidy(text: str) -> str:
    """A text without the signs of emphasis around it; lines stay, runs of spaces do not."""
    lines = [" ".join(line.split()) for line in text.replace("**", "").splitlines()]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip().strip("*_`").strip()


def alike(text: str) -> str:
    """What two texts have in common that differ only in case, signs and spaces."""
    return " ".join(WORD.findall(text.lower()) + NUMBER.findall(text))


def grounded(answer: str, passage: str) -> float:
    """Share of the answer's telling words that its passage holds, 0 to 1. A number that is not there makes it 0."""
    numbers = set(NUMBER.findall(passage))
    if any(number not in numbers for number in NUMBER.findall(answer)):
        return 0.0
    said = telling(answer)
    if not said:  # only short words or numbers: they must stand there in this order
        short = alike(answer)
        return float(bool(short) and f" {short} " in f" {alike(passage)} " or bool(numbers and short and not WORD.search(answer)))
    return len(said & telling(passage)) / len(said)


def telling(text: str) -> set[str]:
    """The words of a text that say something, cut to their stems; the pairs of signs where a script has no spaces."""
    low = text.lower()
    found = stems(word for word in WORD.findall(UNSPACED.sub(" ", low)) if len(word) >= SHORTEST)
    for run in UNSPACED.findall(low):
        found |= {run[at : at + 2] for at in range(max(1, len(run) - 1))}
    return found


def stems(words: Iterable[str]) -> set[str]:
    """What is compared of words: their beginnings, without the s that many languages put behind more than one."""
    return {word.rstrip("s")[:STEM] for word in words}
