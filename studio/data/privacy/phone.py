"""Phone numbers. Those that no word such as "call" announces have to be known to a numbering plan (library `phonenumbers`)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from studio.data.privacy.hits import Hit, any_word, hit, holds, nearest

if TYPE_CHECKING:
    import pyarrow as pa

WITH_0 = ("GB", "DE", "FR", "IT", "NL", "IN", "BR", "AU", "CH", "AT", "BE", "SE", "IE", "PL")
WITHOUT_0 = ("US", "ES", "IN", "BR", "PL", "PT", "MX", "FR", "DE")
"""Where a number without a country code is tried, by whether it begins with 0."""
MOST_LOOKED_UP = 300  # numbers of one text whose plan is asked: some 0.2 ms each

CANDIDATE = re.compile(
    r"(?<![\w$€£¥#/.,<=*^-])(?<![$€£¥] )(?<!\d:)(?:\+ ?|\(\+?)?\d(?:[ .()/\-\u00a0]{0,3}\d){6,16}+"
    r"(?: ?(?:x|ext\.?|extension|Durchwahl) ?\d{1,6})?(?!\w|[.,:/-]\d|[%°€=*]| [=*])"
)
NORTH_AMERICAN = re.compile(r"(?:\+?1[ .-]?)?(?:\([2-9]\d\d\) ?|[2-9]\d\d[.-])\d{3}[.-]\d{4}(?: ?(?:x|ext).{1,9})?\Z")
DATE = re.compile(r"(?:1\d|20)\d\d[-./]\d{1,2}[-./]\d{1,2}|\d{1,2}[-./]\d{1,2}[-./](?:1\d|20)\d\d")
NOT_PHONE = re.compile(
    r"(?:\d{4}[ -]{1,3}){1,4}\d{4}\Z"  # years
    r"|97[89][ -]\d"  # ISBN
    r"|\d{1,3}(?:\.\d{1,3}){3}\Z"  # IP addresses
    r"|\d{1,3}(?:[ .]\d{3}){2,4}\Z"  # millions
    r"|\d{3}-\d{2}-\d{4}\Z"  # US SSN
    r"|[^-]{1,15} - "  # a difference
    r"|\d{3}\.\d{3}\.\d{3}-\d\d\Z|\d{1,2}\.\d+\Z"  # CPF, a fraction
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
    r"|auftrag|artikel|kundennummer|vorgang|pedido|factura|commande|facture|client|ordine|fattura|card"
    r"|zip|cep\b|plz|post ?code|postal|version|batch|lot\b"
)
REACH = 40


def likely(texts: pa.StringArray) -> pa.BooleanArray:
    """Texts with seven digits close together."""
    return holds(texts, r"\d(?:[ .()/\x{00a0}-]{0,3}\d){6}")


def find(text: str) -> Iterator[Hit]:
    """Numbers that a plan knows, and numbers of a possible length beside a word such as "call" or "Telefon"."""
    looked_up = 0
    for found in CANDIDATE.finditer(text):
        number = found.group()
        international = number.lstrip("( ").startswith(("+", "00")) and len(re.sub(r"\D", "", number)) > 8
        cue, other = nearest(text, found.start(), CUES, REACH), nearest(text, found.start(), OTHER, REACH)
        cued = cue >= 0 and (other < 0 or cue < other) or AFTER.match(text, found.end()) is not None
        if not cued and (other >= 0 or (NOT_PHONE.match(number) and not international)):
            continue
        if DATE.match(number):
            continue
        sure = how_sure(number, cued)
        if not sure and looked_up < MOST_LOOKED_UP and has_form(number, international):
            looked_up += 1
            sure = 0.9 if is_valid(number, international) else 0.0
        if sure:
            yield hit("phone", found, sure)


def how_sure(number: str, cued: bool) -> float:
    """How sure it is without asking a plan; 0 when one has to be asked."""
    if NORTH_AMERICAN.match(number):
        return 0.93 if cued else 0.85
    return 0.92 if cued else 0.0


def has_form(number: str, international: bool) -> bool:
    """Whether a number that no word announces is written like a phone number: any number of that length might be one."""
    groups = re.findall(r"\d+", number)
    if international:
        return True
    if not 2 <= len(groups) <= 5 or sum(map(len, groups)) > 12:
        return False
    return groups[0][0] == "0" or (len(groups) > 2 and "/" not in number)


def is_valid(number: str, international: bool) -> bool:
    """Whether the numbering plan of a country knows it."""
    import phonenumbers  # noqa: PLC0415 - 50 ms, and most data has no phone number

    if number.startswith("00"):
        number = f"+{number[2:]}"
    for region in (None,) if international else WITH_0 if number.lstrip("(").startswith("0") else WITHOUT_0:
        try:
            if phonenumbers.is_valid_number(phonenumbers.parse(number, region)):
                return True
        except phonenumbers.NumberParseException:
            continue
    return False
