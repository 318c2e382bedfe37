"""National numbers of people in ten countries.

Where the check digit is weak (one chance in ten or eleven) and the form is plain digits, a word such as PESEL or BSN has to
stand before the number: order numbers and the like look the same.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from studio.data.privacy import checksums
from studio.data.privacy.hits import Hit, any_word, hit, holds, nearest

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class Form:
    """How one country writes its number. `spelled` matches the written form that needs no cue word."""

    pattern: re.Pattern[str]
    check: Callable[[str], bool]
    cues: re.Pattern[str]
    spelled: re.Pattern[str] | None = None
    sure: float = 0.9


def form(pattern: str, check: Callable[[str], bool], cues: str, spelled: str | None = None, sure: float = 0.9) -> Form:
    """A form between other signs: no letter or digit may touch it."""
    whole = re.compile(rf"(?<![\w.,/-])(?:{pattern})(?![\w/]|[.,-]\d)")
    return Form(whole, check, any_word(cues), re.compile(rf"(?:{spelled})\Z") if spelled is not None else None, sure)


def is_ssn(digits: str) -> bool:
    """Numbers of the areas 000, 666 and 9xx, the group 00 and the serial 0000 are never given."""
    return digits[0] != "9" and digits[:3] not in ("000", "666") and digits[3:5] != "00" and digits[5:] != "0000"


def is_nino(signs: str) -> bool:
    """Two letters that are not given together (HMRC, NIM39110); the letters themselves are in the pattern."""
    return signs[:2] not in ("BG", "GB", "KN", "NK", "NT", "TN", "ZZ")


FORMS = (
    form(r"\d{3}([- ]?)\d{2}\1\d{4}", is_ssn, r"ssn|social.security|itin", r"\d{3}-\d{2}-\d{4}"),
    form(
        r"[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?\d{2} ?\d{2} ?\d{2} ?[A-D]",
        is_nino,
        r"nino?\b|national.insurance",
        r".+",
        0.8,
    ),
    form(r"\d{8}-?[A-HJ-NP-TV-Z]", checksums.dni, r"dni|nif", r".+"),
    form(r"[XYZ]-?\d{7}-?[A-HJ-NP-TV-Z]", checksums.dni, r"nie", r".+"),
    form(
        r"[A-Z]{6}[0-9LMNP-V]{2}[ABCDEHLMPRST][0-9LMNP-V]{2}[A-Z][0-9LMNP-V]{3}[A-Z]",
        checksums.codice_fiscale,
        r"codice",
        r".+",
        0.95,
    ),
    form(r"[1-9]\d( ?)\d{3}\1\d{3}\1\d{3}", checksums.steuer_id, r"steuer|idnr|tax.?id|tin\b|identifikationsnummer"),
    form(
        r"[12] ?\d{2} ?(?:0[1-9]|1[0-2]|[2-9]\d) ?(?:\d{2}|2[AB]) ?\d{3} ?\d{3} ?\d{2}",
        checksums.nir,
        r"nir\b|s[ée]curit[ée].sociale|insee",
        r".+",
    ),
    form(r"\d{3}\.?\d{3}\.?\d{3}-?\d{2}", checksums.cpf, r"cpf", r"\d{3}\.\d{3}\.\d{3}-\d{2}"),
    form(r"[2-9]\d{3}([ -]?)\d{4}\1\d{4}", checksums.verhoeff, r"a+dh+a+r|uid(?:ai)?\b", r"\d{4} \d{4} \d{4}", 0.8),
    form(r"\d{9}|\d{4}[. ]\d{2}[. ]\d{3}", checksums.bsn, r"bsn|burgerservice|sofi"),
    form(r"\d{11}", checksums.pesel, r"pesel"),
)


def likely(texts: pa.StringArray) -> pa.BooleanArray:
    """Texts with seven digits close together, or the beginning of a codice fiscale."""
    return holds(
        texts,
        r"\d(?:[ .-]?\d){6}",
        r"[A-Z]{2} ?\d{2} ?\d{2} ?\d{2} ?[A-D]",
        r"[A-Z]{6}[0-9LMNP-V]{2}[A-Z]",
    )


def find(text: str) -> Iterator[Hit]:
    """Numbers in one of the forms with the right check digits."""
    for one in FORMS:
        for found in one.pattern.finditer(text):
            signs = re.sub(r"[ .\-]", "", found.group())
            if not one.check(signs):
                continue
            cued = nearest(text, found.start(), one.cues) >= 0
            if cued or (one.spelled and one.spelled.match(found.group())):
                yield hit("national_id", found, one.sure if not cued else 0.97)
