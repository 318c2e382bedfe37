"""Payment cards and IBANs, both with their check digits."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from studio.data.privacy.checksums import luhn, mod97
from studio.data.privacy.hits import Hit, hit, holds

if TYPE_CHECKING:
    import pyarrow as pa

CARD = re.compile(
    r"(?<![\w.])(?<!\d[ -])(?:\d{4}([ -]?)\d{4}\1\d{4}\1\d{1,7}|\d{4}([ -]?)\d{6}\2\d{4,5})(?![\w]|[.,-]\d| \d{4}(?!\d))"
)
ISSUERS = re.compile(
    r"(?:4(?:\d{12}|\d{15}|\d{18})|5[1-5]\d{14}|2(?:22[1-9]|2[3-9]\d|[3-6]\d\d|7[01]\d|720)\d{12}|3[47]\d{13}"
    r"|3(?:0[0-5]|[68]\d)\d{11,16}|6(?:011|5\d\d|4[4-9]\d)\d{12,15}|35(?:2[89]|[3-8]\d)\d{12,15}|62\d{14,17}"
    r"|(?:5018|5020|5038|5893|6304|6759|676[1-3])\d{8,15}|220[0-4]\d{12,15}|60\d{14}|81\d{14})\Z"
)
"""Visa, Mastercard, American Express, Diners, Discover, JCB, UnionPay, Maestro, Mir, RuPay: the public lists of first digits."""

IBAN = re.compile(r"(?<![^\W_])[A-Z]{2}\d{2}(?=[ -]?[A-Z0-9]{4})")
LENGTHS: dict[str, int] = {
    country: int(length)
    for length, countries in {
        15: "NO",
        16: "BE",
        18: "DK FI FO GL NL",
        19: "MK SI",
        20: "AT BA EE KZ LT LU MN XK",
        21: "CH HR LI LV",
        22: "BG BH CR DE GB GE IE ME RS VA",
        23: "AE GI IL IQ OM SO TL",
        24: "AD CZ DZ ES MD PK RO SA SE SK TN VG",
        25: "LY PT ST",
        26: "IS TR",
        27: "FR GR IT MC MR SM",
        28: "AL AZ BY CY DO GT HU LB NI PL SV",
        29: "BR EG PS QA UA",
        30: "JO KW MU",
        31: "MT SC",
        33: "RU",
    }.items()
    for country in countries.split()
}
"""Signs of an IBAN in each country, from the SWIFT IBAN registry."""


def likely(texts: pa.StringArray) -> pa.BooleanArray:
    """Texts with twelve digits close together, or the beginning of an IBAN."""
    return holds(
        texts,
        r"\d{4}[ -]?\d{4,6}[ -]?\d{4}",
        r"[A-Z]{2}\d{2}[ -]?[A-Z0-9]{4}",
    )


def find(text: str) -> Iterator[Hit]:
    """Cards of known issuers whose check digit is right, and IBANs whose length and check digits are right."""
    for found in CARD.finditer(text):
        digits = re.sub(r"\D", "", found.group())
        if ISSUERS.match(digits) and luhn(digits):
            yield hit("card", found, 0.95)
    for found in IBAN.finditer(text):
        if (end := iban_end(text, found.start())) is not None:
            yield Hit("iban", found.start(), end, text[found.start() : end], 0.99)


def iban_end(text: str, start: int) -> int | None:
    """Where the IBAN that begins at `start` ends; None when it is none."""
    length = LENGTHS.get(text[start : start + 2])
    if length is None:
        return None
    signs: list[str] = []
    place = start
    while len(signs) < length and place < len(text):
        sign = text[place]
        if sign.isascii() and (sign.isdigit() or sign.isupper()):
            signs.append(sign)
        elif sign not in " -" or text[place - 1] in " -":
            return None
        place += 1
    whole = len(signs) == length and not text[place : place + 1].isalnum()
    return place if whole and mod97("".join(signs)) else None
