"""Invented values that take the place of real ones: the same for the same value, different ones for different values.

Which stand-in a value gets follows from a hash of it, so nothing has to be stored and a second run gives the same. Whoever
guesses a value can test the guess that way, unless a secret `key` is mixed in. The values lie where nobody lives:

    email        example.com (RFC 2606)
    phone        555-0100 to 555-0199 in North America (reserved for fiction by its numbering plan)
    ip           198.18.0.0/15 (RFC 2544) and 2001:db8::/32 (RFC 3849)
    card         first digits 9999, which no issuer has (ISO/IEC 7812 leaves 9 to national use); the check digit is right
    iban         a German account at bank 00000000 (bank codes begin with 1 to 8); the check digits are right
    national_id  a US number of the area 000, which is never given
    birth_date   1909 and before
    name         made of syllables behind Zy (first names) and Quo (surnames), each word for itself
"""

from __future__ import annotations

import datetime
import ipaddress
import re
from collections.abc import Callable, Sequence
from dataclasses import replace as changed
from hashlib import blake2b
from typing import TYPE_CHECKING

from studio.data.privacy.checksums import luhn
from studio.data.privacy.hits import WORD, Hit
from studio.data.privacy.lexicon import lexicon
from studio.data.privacy.name_words import JOINTS
from studio.records import Example

if TYPE_CHECKING:
    from studio.data.privacy.scan import Spot

SYLLABLES = [consonant + vowel for consonant in "bdfgklmnprstvz" for vowel in "aeiou"]
LAST_DAY = datetime.date(1909, 12, 31).toordinal()
V4 = int(ipaddress.ip_address("198.18.0.0"))
V6 = int(ipaddress.ip_address("2001:db8::"))


def syllables(number: int) -> str:
    """A number as at least three syllables, each number differently."""
    found = ""
    while number or len(found) < 6:
        number, digit = divmod(number, len(SYLLABLES))
        found = SYLLABLES[digit] + found
    return found


def phone(number: int) -> str:
    """A North American number of the range for fiction; beyond 72,000 it gets an extension."""
    rest, line = divmod(number, 100)
    extension, area = divmod(rest, 720)
    return f"+1 {2 + area // 90}{area % 90:02}-555-01{line:02}" + (f" x{extension}" if extension else "")


def card(number: int) -> str:
    """Sixteen digits with a right check digit."""
    digits = f"9999{number:011}"
    digits += next(sign for sign in "0123456789" if luhn(digits + sign))
    return " ".join(digits[place : place + 4] for place in range(0, 16, 4))


def iban(number: int) -> str:
    """A German IBAN with right check digits; 131400 is DE00 as `mod97` reads it."""
    account = f"00000000{number:010}"
    return f"DE{98 - int(account + '131400') % 97:02}{account}"


def national_id(number: int) -> str:
    """A US number of the area 000; beyond 989,901 it gets a suffix."""
    rest, serial = divmod(number, 9999)
    more, group = divmod(rest, 99)
    return f"000-{group + 1:02}-{serial + 1:04}" + (f"-{more}" if more else "")


def ip(number: int) -> str:
    """An address of the range for measurements, beyond it one of the IPv6 range for documentation."""
    return str(ipaddress.ip_address(V4 + number if number < 2**17 else V6 + number))


MAKERS: dict[str, tuple[int, Callable[[int], str]]] = {
    "email": (10**6, lambda number: f"person{number}@example.com"),
    "phone": (72_000, phone),
    "address": (99_999, lambda number: f"{number + 1} Example Street, 00000 Exampletown"),
    "iban": (10**6, iban),
    "card": (10**6, card),
    "national_id": (989_901, national_id),
    "ip": (2**17, ip),
    "birth_date": (36_500, lambda number: datetime.date.fromordinal(LAST_DAY - number).isoformat()),
    "url": (10**6, lambda number: f"https://example.com/id/{number}"),
    "secret": (10**6, lambda number: f"EXAMPLE-KEY-{number:08}"),
    "password": (10**6, lambda number: f"example-password-{number}"),
    "first": (70**3, lambda number: f"Zy{syllables(number)}"),
    "last": (70**3, lambda number: f"Quo{syllables(number)}"),
}
"""Kind -> how many stand-ins are drawn from, and the one of a number; other values' places are passed over by that many."""

STANDIN = re.compile(
    r"person\d+@example\.com|\+1 \d{3}-555-01\d\d(?: x\d+)?|9999(?: \d{4}){3}|DE\d\d00000000\d{10}|000-\d\d-\d{4}(?:-\d+)?"
    r"|https://example\.com/id/\d+|EXAMPLE-KEY-\d+|example-password-\d+"
)
STANDIN_NAME = re.compile(r"(?:zy|quo)(?:[bdfgklmnprstvz][aeiou]){3,8}", re.IGNORECASE)
OWN_STREET = re.compile(r"\d+ Example Street\b", re.IGNORECASE)

PLAIN = {
    "first_name": "[name]",
    "birth_date": "[date of birth]",
    "national_id": "[national id]",
    "ip": "[IP address]",
    "card": "[card number]",
    "iban": "[IBAN]",
    "url": "[link]",
    "phone": "[phone number]",
}
"""Kind -> what stands there in the plain form, where it is not the kind itself."""


def is_standin(hit: Hit) -> bool:
    """Whether a hit is a stand-in of ours."""
    if hit.kind == "address":
        return OWN_STREET.search(hit.text) is not None
    if "name" in hit.kind:
        words = [word for word in WORD.findall(hit.text) if len(word) > 1 and word not in JOINTS]
        return all(map(STANDIN_NAME.fullmatch, words))
    return STANDIN.fullmatch(hit.text) is not None


class Standins:
    """Gives stand-ins. What it keeps is one number for each value, to tell apart values that fall on the same stand-in.

    Args:
        plain: Give "[email]" and the like instead, which does not tell values apart.
        key: Mixed into the hash, at most 64 bytes; with a secret one, guesses cannot be tested.
    """

    def __init__(self, *, plain: bool = False, key: bytes = b"") -> None:
        self.plain, self.key = plain, key
        self._taken: dict[tuple[str, int], bytes] = {}

    def of(self, kind: str, value: str) -> str:
        """The stand-in of a value of a kind."""
        if self.plain:
            return PLAIN.get(kind, f"[{kind}]")
        if kind in ("name", "first_name"):
            return WORD.sub(lambda found: self._name(found.group()), value)
        if kind == "ip" and ":" in value:
            return str(ipaddress.ip_address(V6 + 2**20 + self._number(kind, value)))
        return MAKERS[kind][1](self._number(kind, value))

    def _name(self, word: str) -> str:
        """One word of a name, in the case it is written in; "van" and the like stay, initials move thirteen letters on."""
        if word.lower() in JOINTS and not word[0].isupper():
            return word
        if len(word) == 1:
            return chr((ord(word.upper()[0]) - 65 + 13) % 26 + 65)
        kind = "first" if word.title() in lexicon().first else "last"
        made = MAKERS[kind][1](self._number(kind, word))
        return made.upper() if word.isupper() else made.lower() if word.islower() else made

    def _number(self, kind: str, value: str) -> int:
        digest = blake2b(f"{kind}\0{normal(kind, value)}".encode(errors="surrogatepass"), digest_size=8, key=self.key).digest()
        size = MAKERS[kind][0]
        number = int.from_bytes(digest) % size
        while self._taken.setdefault((kind, number), digest) != digest:
            number += size
        return number


def normal(kind: str, value: str) -> str:
    """A value without what is only its writing: case, spaces, the signs between digits."""
    if kind in ("secret", "password", "url"):
        return value
    if kind in ("phone", "card", "iban", "national_id"):
        return re.sub(r"[^\w+]|_", "", value).upper()
    return " ".join(value.casefold().split())


def replace(example: Example, hits: Sequence[Spot], standins: Standins) -> Example:
    """The example with stand-ins in the place of hits.

    Args:
        hits: What `scan.spots` gives for the example, or some of that.
        standins: The same for all rows, so that a value gets one stand-in throughout.
    """
    contents = [message["content"] for message in example.messages] or [example.text]
    before = contents[-1]
    for spot in sorted(hits, key=lambda spot: -spot.start):
        text = contents[spot.turn]
        contents[spot.turn] = text[: spot.start] + standins.of(spot.kind, text[spot.start : spot.end]) + text[spot.end :]
    if not example.messages:
        return changed(example, text=contents[0])
    messages = tuple({**message, "content": content} for message, content in zip(example.messages, contents, strict=True))
    label = contents[-1] if example.label == before else example.label
    return changed(example, messages=messages, label=label)
