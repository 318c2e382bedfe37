"""Names of people: behind a title, where somebody is introduced, a known first name with what follows, and first names alone.

No model is asked. A name that no list has is found only where the words around it say so.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING

from studio.data.privacy.hits import Hit, holds
from studio.data.privacy.lexicon import WORDS_TOO, lexicon
from studio.data.privacy.name_words import (
    AROUND,
    CUED,
    INTRODUCTION,
    JOINTS,
    NOT_NAMES,
    OF_PLACES,
    OF_THINGS,
    SMALL_TITLES,
    THINGS,
    TITLED,
    TITLES,
    WEAK,
)

if TYPE_CHECKING:
    import pyarrow as pa

TOKEN = re.compile(r"[^\W\d_]+(?:(?:['’](?![sS]\b)(?=[^\W\d_]{2})|-)[^\W\d_]+)*+")
LONGEST = 5  # words of a name

Found = tuple[int, int, float]
"""From which token up to which one a name goes, and how sure it is."""


class Token:
    """A word of the text: its place, itself, whether it has a capital."""

    __slots__ = ("cap", "end", "start", "word")

    def __init__(self, found: re.Match[str]) -> None:
        self.word, self.start, self.end = found.group(), found.start(), found.end()
        self.cap = self.word[0].isupper()


def likely(texts: pa.StringArray) -> pa.BooleanArray:
    """Texts with a title, an introduction or a known first name."""
    import pyarrow as pa  # noqa: PLC0415 - 100 ms
    import pyarrow.compute as pc  # noqa: PLC0415

    spaced = texts
    for joint in "'’-/":
        spaced = pc.replace_substring(spaced, joint, " ")
    words = pc.utf8_split_whitespace(spaced)
    known = pc.is_in(pc.utf8_trim(pc.list_flatten(words), characters=AROUND), value_set=first_names())
    named = pc.is_in(pa.array(range(len(texts))), value_set=pc.list_parent_indices(words).filter(known).cast(pa.int64()))
    return pc.or_(holds(texts, TITLED, CUED), named)


@cache
def first_names() -> pa.Array:
    """What a word is compared with to see whether a text is worth looking through."""
    import pyarrow as pa  # noqa: PLC0415 - 100 ms

    return pa.array(lexicon().written)


def find(text: str) -> Iterator[Hit]:
    """Names of the kinds `name` and `first_name`."""
    tokens = [Token(found) for found in TOKEN.finditer(text)]
    taken: set[int] = set()
    for begin, end, sure in [*titles(text, tokens), *introductions(text, tokens), *pairs(text, tokens)]:
        if taken.isdisjoint(range(begin, end)):
            taken.update(range(begin, end))
            yield part(text, tokens, begin, end, "name", sure)
    for place, token in enumerate(tokens):
        if token.cap and place not in taken and is_first(token.word) and not of_thing(text, tokens, place, place + 1):
            yield part(text, tokens, place, place + 1, "first_name", 0.5)


def part(text: str, tokens: list[Token], begin: int, end: int, kind: str, sure: float) -> Hit:
    """The hit of some tokens."""
    start, stop = tokens[begin].start, tokens[end - 1].end
    return Hit(kind, start, stop, text[start:stop], sure)


def titles(text: str, tokens: list[Token]) -> Iterator[Found]:
    """Names behind a title, which is no part of them."""
    for place, token in enumerate(tokens[:-1]):
        low = token.word.lower()
        if low not in TITLES or not (token.cap or low in SMALL_TITLES):
            continue
        begin = place + 1
        if beside(text, token, tokens[begin]) and tokens[begin].word.lower() not in TITLES:
            end = reach(text, tokens, begin, small=low in SMALL_TITLES)
            if end > begin:
                yield begin, end, 0.9


def introductions(text: str, tokens: list[Token]) -> Iterator[Found]:
    """Names behind "my name is", "Name:" and the like."""
    starts = {token.start: place for place, token in enumerate(tokens)}
    for cue in INTRODUCTION.finditer(text):
        begin = starts.get(cue.end())
        if begin is None or word_before(text, cue.start()) in OF_THINGS:
            continue
        end = reach(text, tokens, begin, small=True)
        if end > begin and (not WEAK.fullmatch(cue.group().strip()) or is_known(tokens[begin].word)):
            yield begin, end, 0.85


def pairs(text: str, tokens: list[Token]) -> Iterator[Found]:
    """A known first name with the capitalised words behind it."""
    names = lexicon()
    place = 0
    while place < len(tokens):
        end, token = place, tokens[place]
        if token.cap and (token.word in names.written or is_first(token.word)):
            end = reach(text, tokens, place)
        if end - place > 1 and not of_thing(text, tokens, place, end):
            family = plain_case(tokens[end - 1].word)
            known = family in names.last and family not in WORDS_TOO
            sound = is_first(token.word) and (known or not token.word.isupper())
            if sound or known:
                yield place, end, 0.85 if sound and known else 0.7
        place = max(end, place + 1)


def reach(text: str, tokens: list[Token], begin: int, *, small: bool = False) -> int:
    """Where the name that begins at a token ends (exclusive); `begin` when none does. `small`: a known one may be lower case."""
    first = tokens[begin]
    if not first.cap:
        return small_reach(text, tokens, begin) if small else begin
    if not fits(text, first):
        return begin
    shouted = first.word.isupper() and len(first.word) > 1  # then every word has a capital
    end = place = begin + 1
    while place < len(tokens) and place - begin < LONGEST and beside(text, tokens[place - 1], tokens[place]):
        if shouted and not is_known(tokens[place].word):
            break
        if tokens[place].cap and fits(text, tokens[place]):
            end = place + 1
        elif tokens[place].word not in JOINTS:
            break
        place += 1
    while end - begin > 1 and len(tokens[end - 1].word) == 1:
        end -= 1  # an initial at the end belongs to the next sentence
    return end


def small_reach(text: str, tokens: list[Token], begin: int) -> int:
    """The same for a name in lower case, whose words have to be known."""
    names = lexicon()
    first = tokens[begin]
    if first.word.title() not in names.lone:
        return begin
    behind = begin + 1
    more = behind < len(tokens) and beside(text, first, tokens[behind]) and tokens[behind].word.title() in names.last
    return behind + more


def fits(text: str, token: Token) -> bool:
    """Whether a capitalised word may be part of a name: a single letter needs a point."""
    return token.word not in NOT_NAMES and (len(token.word) > 1 or text[token.end : token.end + 1] == ".")


def beside(text: str, one: Token, other: Token) -> bool:
    """Whether two words stand on one line with a space between them, or a point after a title or an initial."""
    between = text[one.end : other.start]
    if between in (" ", "\u00a0"):
        return True
    return between in (". ", ".", ".\u00a0") and (len(one.word) == 1 or one.word.lower() in TITLES)


def word_before(text: str, start: int) -> str:
    """The word before a place, lower case."""
    words = TOKEN.findall(text[max(0, start - 24) : start])
    return words[-1].lower() if words else ""


def of_thing(text: str, tokens: list[Token], begin: int, end: int) -> bool:
    """Whether a name belongs to a place or a thing: San Diego, Nelson Mandela Drive."""
    if begin and tokens[begin - 1].word in OF_PLACES and beside(text, tokens[begin - 1], tokens[begin]):
        return True
    return end < len(tokens) and tokens[end].word in THINGS and beside(text, tokens[end - 1], tokens[end])


def plain_case(word: str) -> str:
    """A word in capitals as it is usually written."""
    return word.title() if word.isupper() else word


def is_first(word: str) -> bool:
    """Whether a word is a first name and nothing else, also with a hyphen or in capitals."""
    lone = lexicon().lone
    if word in lone or (len(word) > 3 and word.isupper() and word.title() in lone):
        return True
    return "-" in word and all(piece in lone for piece in word.split("-"))


def is_known(word: str) -> bool:
    """Whether a list has the word as a first name or a surname."""
    return is_first(word) or word.title() in lexicon().first or word.title() in lexicon().last


def pieces(name: str) -> Iterator[str]:
    """The parts of a name that tell who it is, lower case: no initials, no "van der", no word that is something else as well."""
    for word in TOKEN.findall(name):
        if len(word) > 2 and word.lower() not in JOINTS and word.title() not in WORDS_TOO:
            yield word.lower()


def again(text: str, named: frozenset[str]) -> Iterator[Hit]:
    """Further mentions, with a capital, of people whose names are known by their `pieces`."""
    for found in TOKEN.finditer(text):
        if found.group()[0].isupper() and found.group().lower() in named:
            yield Hit("name", found.start(), found.end(), found.group(), 0.6)
