"""Words around names: titles, introductions, and capitalised words that are no names."""

from __future__ import annotations

import re

from studio.data.privacy.hits import words

TITLES = words(
    "mr mrs ms miss mx dr prof professor sir madam lady herr herrn frau hr fr señor señora señorita sr sra srta don doña "
    "monsieur madame mademoiselle mme mlle signor signora signorina sig dott dottssa avv senhor senhora dhr mevr mevrouw "
    "meneer pan pani doktor dipl ing"
)
SMALL_TITLES = words("mr mrs ms dr prof")
"""Titles that people write without a capital."""
JOINTS = words("van von de der den del della di da dos das du la le al el bin ibn ben ter ten zu zur af av san mac mc o")
"""Small words within a name."""
INTRODUCTION = re.compile(
    r"(?<![^\W_])(?:my name is|name's|(?:his|her|their|last|maiden|first|full) name is|surname is|mein name ist|ich heiße"
    r"|ich heisse|je m['’]appelle|mon nom est|me llamo|mi nombre es|mi chiamo|il mio nome è|meu nome é|me chamo|ik heet"
    r"|mijn naam is|nazywam się|mam na imię|меня зовут|full name|last name|surname|first name|partner's name|names?|named"
    r"|calls? (?:me|her|him))(?:\s?[:?]\s{0,3}|\s{1,3})(?=[^\W\d_])",
    re.IGNORECASE,
)
WEAK = re.compile(r"(?:full |last |first |partner's )?names?|surname|named|calls? (?:me|her|him)", re.IGNORECASE)
"""Words behind which anything may stand; without a colon only a known name is taken."""
CUED = (
    r"(?i)(?:name|heiße|heisse|appelle|mon nom|llamo|nombre|chiamo|nome|chamo|heet|naam|nazywam|imię|зовут|calls? (?:me|her|him))"
)
TITLED = (
    "(?:^|[^\\pL])(?:(?i:"
    + "|".join(sorted(SMALL_TITLES))
    + ")|"
    + "|".join(title.title() for title in sorted(TITLES))
    + ")\\.?[ \\x{00a0}]"
)
"""What every text with an introduction or a title matches (RE2)."""
AROUND = '.,;:!?"“”„«»()[]{}<>*_#~`|=+…0123456789'
"""What may touch a word."""
OF_THINGS = words(
    "file user product company brand business domain host class function variable column table project team event screen "
    "restaurant app package model server network street city country book song movie film store shop bank drug method"
)
"""Words that make "name" the name of a thing."""
OF_PLACES = words("San Santa Sant Saint St Port Fort Mount Lake Los Las New North South East West Puerto Rio Ciudad Isla")
"""Words that make a place of the name behind them."""
THINGS = words(
    "Street St Road Rd Avenue Ave Drive Dr Lane Court Square Park Place Bridge River Lake Island Islands Mountain Mount "
    "Hills Beach Bay City Town County State Country University College School Academy Institute Hospital Clinic Cathedral "
    "Museum Theatre Theater Library Hotel Restaurant Cafe Airport Station Stadium Center Centre Company Inc Ltd Llc GmbH AG "
    "Corp Corporation Group Bank Foundation Association Society Club Team Award Awards Prize Cup Bowl Day Week Month Year "
    "Century War Battle Treaty Act Supreme House Senate Congress Party Press Times Post News Journal Magazine Book Bible "
    "Theorem Effect Disease Syndrome Method Algorithm Tech Springs Falls Valley Heights Harbor Gardens Hall Tower Towers "
    "Airlines Memorial Festival"
)
"""Kinds of things that are called after people: Nelson Mandela Drive is nobody."""
NOT_NAMES = THINGS | words(
    "I The A An And Or But If In On At To From For With By Of As Is Are Was Were Has Have Had Do Does Did Can Could Will "
    "Would Should May Might Must Shall Not No Yes He She It They We You My Your His Her Its Our Their This That These Those "
    "There Here When Where What Who Why How Which While After Before Because So Then Than Please Thank Thanks Hello Hi Dear "
    "Hey Ok Okay Best Kind Regards Sincerely Order Account Customer Number Email Phone Address Date Re Subject Note Name "
    "Question Answer User Assistant System Monday Tuesday Wednesday Thursday Friday Saturday Sunday January February March "
    "April June July August September October November December Prime Minister President King Queen Prince Princess Duke "
    "Emperor Pope Saint North South East West New Old Great Grand Big Little First Second Third English French German "
    "Spanish Italian American British Chinese Japanese Indian European Der Die Das Ein Eine Und Oder Aber Ich Du Er Sie Es "
    "Wir Ihr Ist Sind War Hat Haben Nicht Bitte Danke Herr Frau Guten Doktor El La Los Las Un Una Y O Pero De Del En Con "
    "Por Para Sí Que Le Les Et Ou Mais Il Elle Nous Vous Ce Cette Je Tu Secretary Chairman Director Manager Officer Speaker "
    "Ambassador Justice Judge Captain General Colonel Chancellor Sir Madam Mayor Governor Senator Doctor Professor Teacher "
    "Kanzler Bundeskanzler Ministerpräsident Presidente Right Wrong Mr Mrs Ms Dr Miss"
)
"""Capitalised words that are no part of a name."""
