"""Phone numbers, judged by the library `phonenumbers`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from studio.data.privacy.hits import Hit, any_word, hit, holds, nearest

if TYPE_CHECKING:
    import pyarrow as pa

REGIONS = ("US", "GB", "DE", "FR", "ES", "IT", "NL", "BR", "IN", "PL", "AU", "CH", "AT", "BE", "PT", "SE", "IE", "MX")
"""Where a number without a country code is tried."""

CANDIDATE = re.compile(
    r"(?<![\w$€£¥#/.,<=*^-])(?<![$€£¥] )(?<!\d:)(?:\+ ?|\(\+?)?\d(?:[ .()/\-\u00a0]{0,3}\d){6,16}+"
    r"(?: ?(?:x|ext\.?|extension|Durchwahl) ?\d{1,6})?(?!\w|[.,:/-]\d|[%°€=*]| [=*])"
)
NORTH_AMERICAN = re.compile(r"(?:\+?1[ .-]?)?(?:\([2-9]\d\d\) ?|[2-9]\d\d[.-])\d{3}[.-]\d{4}(?: ?(?:x|ext).{1,9})?\Z")
NOT_PHONE = re.compile(
    r"\d{4}[ -]{1,3}\d{4}\Z"  # years
    r"|(?:19|20)\d\d[-./]\d{1,2}[-./]\d{1,2}|\d{1,2}[-./]\d{1,2}[-./](?:19|20)\d\d"  # dates
    r"|97[89][ -]\d"  # ISBN
    r"|\d{1,3}(?:\.\d{1,3}){3}\Z"  # IP addresses
    r"|\d{1,3}(?:[ .]\d{3}){2,4}\Z"  # millions
    r"|\d{3}-\d{2}-\d{4}\Z"  # US SSN
    r"|[\d ]{1,15} - [\d ]{1,15}\Z"  # a difference
    r"|\d{1,9} ?\(|\([^)]*\Z|\d{1,4}/\d{1,4}\Z|\d(?:[ -]\d){6,}\Z"  # a product, a fraction, single digits
)
CUES = any_word(
    r"phones?\b|telephones?\b|tel\b|calls?\b|calling|called|mobile|cell\b|fax|whats ?app|sms|text me|reach|desk\b|office\b|ring\b"
    r"|hotline|landline|contact (?:number|no|me|us)|my number|telefon|handy|mobil|anrufen|ruf|rufnummer|teléfono|móvil|celular"
    r"|llam|téléphone|portable|appel|cellulare|chiam|telefone|telemóvel|ligue|ligar|telefoon|bel\b|mobiel|komórk|zadzwoń"
)
AFTER = re.compile(r"[ (,:-]{1,3}(?:office|desk|fax|mobile|cell|home|work|phone|landline)\b", re.IGNORECASE)
OTHER = any_word(
    r"order|invoice|ref|isbn|issn|doi|track|ticket|case|ids?\b|serial|sku|model|item|part|account|customer no|bestell|rechnung"
    r"|auftrag|artikel|kundennummer|vorgang|pedido|factura|commande|facture|client|ordine|fattura|card|zip|version|batch|lot\b"
)
REACH = 40


def likely(texts: pa.StringArray) -> pa.BooleanArray:
    """Texts with seven digits close together."""
    return holds(
        texts,
        r"\d(?:[ .()/\x{00a0}-]{0,3}\d){6}",
    )


def find(text: str) -> Iterator[Hit]:
    """Numbers that a plan knows, and numbers of a possible length beside a word such as "call" or "Telefon"."""
    for found in CANDIDATE.finditer(text):
        number = found.group()
        international = number.lstrip("( ").startswith(("+", "00")) and len(re.sub(r"\D", "", number)) > 8
        cue, other = nearest(text, found.start(), CUES, REACH), nearest(text, found.start(), OTHER, REACH)
        cued = cue >= 0 and (other < 0 or cue < other) or AFTER.match(text, found.end()) is not None
        if not cued and (other >= 0 or (NOT_PHONE.match(number) and not international)):
            continue
        if cued and re.match(r"(?:19|20)\d\d[-./]\d{1,2}[-./]\d{1,2}|\d{1,2}[-./]\d{1,2}[-./](?:19|20)\d\d", number):
            continue
        sure = how_sure(number, international, cued)
        if sure:
            yield hit("phone", found, sure)


def how_sure(number: str, international: bool, cued: bool) -> float:
    """How sure it is that this is a phone number; 0 when it is none."""
    if NORTH_AMERICAN.match(number):
        return 0.93 if cued else 0.85
    if cued:
        return 0.92
    groups = re.findall(r"\d+", number)
    if not international and (len(groups) < 2 or (number.lstrip("(")[0] != "0" and (len(groups) < 3 or "/" in number))):
        return 0.0  # without a word or a form, any number of that length would be one
    return 0.9 if is_valid(number, international) else 0.0


def is_valid(number: str, international: bool) -> bool:
    """Whether the numbering plan of a country knows it."""
    import phonenumbers  # noqa: PLC0415 - 50 ms, and most data has no phone number

    if number.startswith("00"):
        number = f"+{number[2:]}"
    for region in (None,) if international else REGIONS:
        try:
            if phonenumbers.is_valid_number(phonenumbers.parse(number, region)):
                return True
        except phonenumbers.NumberParseException:
            continue
    return False
