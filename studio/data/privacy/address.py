"""Postal addresses: a street with its number, a post code with its city, post boxes; in several languages.

A place alone (a city, a country) is no address.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from studio.data.privacy.hits import UPPER, Hit, any_word, hit, holds, nearest, words

if TYPE_CHECKING:
    import pyarrow as pa

CAP = rf"[{UPPER}][\w'’.-]{{0,24}}+"
NUMBER = r"\d{1,5}(?: ?[a-zA-Z]|[/-]\d{1,4}| bis| ter)?"
PLACE = rf"[{UPPER}][\w'’-]{{0,24}}+"
CITY = rf"{PLACE}(?:[ -](?:{PLACE}|am|an|der|im|de|del|la|le|les|sur|in|den)){{0,4}}"
STATES = (
    "AL|AK|AZ|AR|CA|CO|CT|DE|DC|FL|GA|HI|ID|IL|IN|IA|KS|KY|LA|ME|MD|MA|MI|MN|MS|MO|MT|NE|NV|NH|NJ|NM|NY|NC|ND|OH|OK|OR|PA|RI"
    "|SC|SD|TN|TX|UT|VT|VA|WA|WV|WI|WY|PR"
)
UK = (
    r"(?:[BEGLMNSW]|A[BL]|B[ABDHLNRST]|C[ABFHMORTVW]|D[ADEGHLNTY]|E[CHNX]|F[KY]|G[LUY]|H[ADGPRSUX]|I[GMPV]|JE|K[ATWY]|L[ADELNSU]"
    r"|M[EKL]|N[EGNPRW]|O[LX]|P[AEHLOR]|R[GHM]|S[AEGKLMNOPRSTWY]|T[ADFNQRSW]|UB|W[ACDFNRSV]|YO|ZE)\d[A-Z\d]?"
    r" \d[ABD-HJLNP-UW-Z]{2}"
)
"""The form of British post codes with the areas that exist (Royal Mail)."""
CODE = r"(?:(?:[A-Z]{1,2}-)?\d{4,5}(?:-\d{3})?|\d{2}-\d{3}|\d{3} \d{2}|\d{4} ?[A-Z]{2})"
ENGLISH = (
    "streets?|st|roads?|rd|avenue|ave|lane|ln|drive|dr|court|ct|boulevard|blvd|way|place|pl|square|sq|terrace|close|crescent|cres"
    "|highway|hwy|parkway|pkwy|circle|row|mews|gardens|grove|trail|plaza|broadway|alley|walk|hill|quay"
)
ENGLISH_SMALL = "street|st|road|rd|avenue|ave|lane|ln|boulevard|blvd|terrace|crescent|parkway"
"""Those that are taken in lower-case addresses, too."""
ENDINGS = (
    "straße|strasse|str\\.|weg|platz|gasse|allee|damm|ufer|chaussee|steig|gürtel|straat|laan|plein|gracht|kade|dijk|singel|gatan"
    "|vägen|gade|vej|veien|gata"
)
ROMANCE = (
    "rue|avenue|boulevard|bd|place|chemin|allée|impasse|route|quai|cours|calle|c/|avenida|avda\\.?|av\\.|plaza|paseo|carrer|via|viale"
    "|piazza|corso|largo|rua|travessa|praça|alameda|ul\\.|ulica|al\\.|aleja|ulice|jalan|jl\\."
)
JOIN = "(?:(?:de la|de las|de los|de l'|de|du|des|del|della|dei|delle|da|do|dos|das|la|le|les|d'|l'|y|e) ?)"
NAMED = rf"{JOIN}{{0,2}}{CAP}(?:[ -]{JOIN}?{CAP}){{0,3}}"

OPENING = r"(?<![\w.,$€£/-])(?<!\d )"
STREETS: tuple[tuple[re.Pattern[str], float], ...] = (
    # 23 Main Street, 107 N. 5th Ave
    (
        re.compile(
            rf"{OPENING}(?:{NUMBER} )?(?:\d{{1,3}}[a-z]?,|{NUMBER}) (?:(?:[NSEW]{{1,2}}\.?|{CAP}|\d{{1,3}}(?:st|nd|rd|th)) )"
            rf"{{1,4}}?(?i:{ENGLISH})\.?(?!\w)"
        ),
        0.85,
    ),
    # 8 wressle road
    (
        re.compile(rf"{OPENING}(?:{NUMBER} )?{NUMBER},? (?P<words>(?:[\w'.-]{{1,24}}+ ){{1,3}}?)(?:{ENGLISH_SMALL})\.?(?!\w)"),
        0.75,
    ),
    # Hauptstraße 12 a, keizersgracht 5
    (re.compile(rf"(?<![\w.-])\w[\w.-]{{0,24}}?(?:{ENDINGS}) ?{NUMBER}(?!\w)", re.IGNORECASE), 0.85),
    # Berliner Straße 7
    (re.compile(rf"(?<![\w.-]){CAP}(?:[ -]{CAP})?[ -](?i:{ENDINGS}|ring|hof|markt) {NUMBER}(?!\w)"), 0.85),
    # 12, rue de la Paix
    (re.compile(rf"{OPENING}(?:{NUMBER} )?{NUMBER},? (?i:{ROMANCE}) {NAMED}"), 0.85),
    # Calle Mayor 5; Via Roma, 12; ul. Długa 4
    (re.compile(rf"(?<!\w)(?i:{ROMANCE}) ?{NAMED},? (?:n[.ºo°]{{1,2}} ?)?{NUMBER}(?!\w)"), 0.85),
)
UNIT = re.compile(r"[,\s]{1,4}(?:apt|apartment|suite|ste|unit|flat|floor|room|top|piso|dept)\b\.? ?#?[\w-]{1,6}", re.IGNORECASE)
TAIL = re.compile(
    rf"[,\s–-]{{1,6}}(?:{CODE}[ ]{{1,2}}{CITY}|(?:{CITY}[,\s]{{1,6}})?(?:(?:{STATES})[,\s]{{1,3}}\d{{5}}(?:-\d{{4}})?|{UK})"
    rf"|{CITY},? {{1,2}}\d{{4,5}}(?!\d))"
)
CODES: tuple[tuple[re.Pattern[str], float], ...] = (
    (re.compile(rf"(?<!\w){CAP}(?: {CAP}){{0,2}},? (?:{STATES}) \d{{5}}(?:-\d{{4}})?(?!\w)"), 0.75),
    (re.compile(rf"(?<!\w){UK}(?!\w)"), 0.75),
    (re.compile(r"(?<!\w)(?:P\. ?O\. ?|P\.?O\.? |Post Office )Box \d{1,6}|(?<!\w)Postfach \d[\d ]{1,8}\d"), 0.85),
    (
        re.compile(
            r"(?<!\w)(?:zip|zip ?code|postal code|post ?code|plz|postleitzahl|code postal|código postal|c\.p\.|cep|cap(?=:))"
            rf"(?: is| ist|:| :|=){{0,2}} ?(?P<value>\d{{4,5}}(?:-\d{{3,4}})?(?:[ ]{CITY})?)(?!\w)",
            re.IGNORECASE,
        ),
        0.7,
    ),
)
ADDRESS_WORDS = (
    r"address|lives? (?:at|on|in)|lived (?:at|in)|living at|located at|return to|deliver(?:ed)? to|ship(?:ped)? to|send it to"
    r"|adresse|anschrift|wohnt in|wohne in|dirección|vivo en|indirizzo|abito in|endereço|moro na|adres|habite"
)
ADDRESS_CUES = any_word(ADDRESS_WORDS)
NEAR_CUE = re.compile(
    rf"(?<![\w.,-])(?:\d{{1,4}} ){{0,2}}(?:{CAP} ){{1,3}}\d{{1,4}}(?![\w:%/])"
    rf"|(?<![\w.,-])\d{{1,4}} (?:\d{{1,4}} )?{CAP}(?: {CAP}){{0,2}}"
)
COURT = re.compile(r"(?:Supreme|District|High|Federal|Circuit|Crown|County) Court")
NO_STREET = words(
    "the a an of on in at to down up this that my your our his her their its different other more minute minutes hour hours "
    "mile miles km meters metres feet foot day days week weeks month months year years blocks block way long new old busy "
    "main times x and or for from with was were is are people cars percent dollars lanes lane car tennis basketball per out "
    "off"
)


def likely(texts: pa.StringArray) -> pa.BooleanArray:
    """Texts with a number and a word for a street on one line, a post code, or a word such as address before a number."""
    return holds(
        texts,
        rf"\d.* (?i:{ENGLISH})(?:[^a-zA-Z]|$)",
        rf"(?i)(?:{ENDINGS}|ring|hof|markt) ?\d",
        rf"(?i)(?:^|[^a-z])(?:{ROMANCE}) ?.*\d|\d,? (?:{ROMANCE}) ",
        r"[A-Z]{2} \d{5}|[A-Z]\d[A-Z0-9]? \d[A-Z]{2}|Box \d|Postfach \d",
        r"(?i)(?:zip|post ?code|postal|plz|postleitzahl|c\.p\.|cep|cap)\b.{0,12}\d{4}",
        rf"(?i)(?:{ADDRESS_WORDS}).{{0,30}}\d",
    )


def find(text: str) -> Iterator[Hit]:
    """Streets with their number and what follows them, and post codes that stand alone."""
    for pattern, sure in STREETS:
        for found in pattern.finditer(text):
            if COURT.search(found.group()) or (
                (between := found.groupdict().get("words")) and not NO_STREET.isdisjoint(between.lower().split())
            ):
                continue
            yield longer(text, found.start(), found.end(), sure)
    for pattern, sure in CODES:
        for found in pattern.finditer(text):
            yield hit("address", found, sure, "value" if "value" in pattern.groupindex else 0)
    if ADDRESS_CUES.search(text):
        for found in NEAR_CUE.finditer(text):
            if nearest(text, found.start(), ADDRESS_CUES, 24) >= 0:
                yield longer(text, found.start(), found.end(), 0.6)


def longer(text: str, start: int, end: int, sure: float) -> Hit:
    """A street together with the flat and the city behind it."""
    for pattern in (UNIT, TAIL):
        if more := pattern.match(text, end):
            end = more.end()
    value = text[start:end].rstrip(".,'’- ")
    return Hit("address", start, start + len(value), value, sure)
