"""Keys, tokens and passwords.

The library detect-secrets was looked at: it gives a line and no place in it, and keeps its settings for the whole process.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from studio.data.privacy.hits import Hit, hit, holds

if TYPE_CHECKING:
    import pyarrow as pa

TOKENS: tuple[tuple[tuple[str, ...], re.Pattern[str]], ...] = tuple(
    (starts, re.compile(rf"(?<![A-Za-z0-9_])(?:{pattern})(?![A-Za-z0-9])"))
    for starts, pattern in (
        (("AKIA", "ASIA"), r"A(?:KIA|SIA)[A-Z0-9]{16}"),  # AWS
        (("gh", "github_pat_"), r"gh[pousr]_[A-Za-z0-9]{36,255}+|github_pat_\w{22,255}+"),  # GitHub
        (("glpat-",), r"glpat-[\w-]{20,64}+"),  # GitLab
        (("sk-",), r"sk-(?:[a-z0-9]{2,12}-){0,2}[A-Za-z0-9_-]{20,240}+"),  # OpenAI, Anthropic
        (("xox", "xapp-"), r"(?:xox[abeoprs]|xapp)-[A-Za-z0-9-]{10,250}+"),  # Slack
        (("hooks.slack.com",), r"hooks\.slack\.com/services/T\w{6,14}/B\w{6,14}/\w{16,32}"),
        (("_live_", "_test_", "whsec_"), r"[rs]k_(?:live|test)_[A-Za-z0-9]{10,200}+|whsec_[A-Za-z0-9]{16,100}+"),  # Stripe
        (("AIza", "ya29.", "GOCSPX-"), r"AIza[\w-]{35}|ya29\.[\w-]{20,300}+|GOCSPX-[\w-]{28}"),  # Google
        (("hf_", "npm_", "pypi-"), r"hf_[A-Za-z]{30,40}|npm_[A-Za-z0-9]{36}|pypi-AgE[\w-]{40,255}+"),  # registries
        (("SG.",), r"SG\.[\w-]{16,32}\.[\w-]{16,64}"),  # SendGrid
        (("eyJ",), r"eyJ[\w-]{8,4000}+\.eyJ[\w-]{8,8000}+\.[\w-]{8,1000}+"),  # JWT, RFC 7519
        ((":AA",), r"\d{8,10}:AA[\w-]{33}"),  # Telegram
    )
)
"""What must stand in the text for a pattern to be tried, and the published or observed form of the token."""

PRIVATE_KEY = re.compile(
    r"-----BEGIN (?:[A-Z]{2,10} ){0,3}PRIVATE KEY(?: BLOCK)?-----[^-]{0,20000}+(?:-----END[A-Z ]{0,40}-----)?"
)

ASSIGNED = re.compile(
    r"(?<![^\W_])(?:api|access|secret|auth|client|private|bearer|encryption|signing)?[_ -]?(?:key|token|secret|bearer)"
    r"(?:[_ -]?(?:id|key))?[\"']?(?: is| ist| =| :|:|=){1,2}[ ]?[\"']?(?P<value>[A-Za-z0-9+/_=.~-]{16,256}+)",
    re.IGNORECASE,
)
BEARER = re.compile(r"(?<!\w)(?:Bearer|Basic) (?P<value>[A-Za-z0-9+/_=.~-]{16,2000}+)")
ENTROPY = 3.0  # bits a sign; English words lie below 3, random base64 of 20 signs near 4

PASSWORD_WORDS = (
    r"passwords?|passwd|pwd|passcode|passphrase|pass|passwort|kennwort|contraseña|clave|mot de passe|mdp|parola(?: d'ordine)?"
    r"|senha|wachtwoord|hasło|пароль"
)
PASSWORD = re.compile(
    rf"(?<![^\W_])(?:{PASSWORD_WORDS})[\"']?(?P<sign> ?(?:[:=]|->) ?| (?:is|was|ist|lautet|es|est|è|é|jest)(?::| ?=)? |\n)"
    r"[\"'“„«`]?(?P<value>[^\s\"'“”„«»`]{4,80}+)",
    re.IGNORECASE,
)
PIN = re.compile(
    r"(?<![^\W_])(?:pin|cvv2?|cvc2?|otp|tan)(?: ?(?:code|number|nummer|no\.?))?(?:[:=] ?| (?:is|was|ist|es|est) )"
    r"(?P<value>\d{3,8}+)(?![\w.,%]\d|\w)",
    re.IGNORECASE,
)
NO_VALUE = re.compile(r"[<\[{(*•#$%.…-]|x{4}|your|my[_-]|none|null|true|false|example|changeme|https?:|www\.", re.IGNORECASE)
"""How a placeholder begins."""


def likely(texts: pa.StringArray) -> pa.BooleanArray:
    """Texts with the beginning of a token, or with a word such as key, password or PIN and something behind it."""
    return holds(
        texts,
        "|".join(re.escape(start) for starts, _ in TOKENS for start in starts if start != "gh"),
        r"gh[pousr]_|PRIVATE KEY",
        r"(?i)(?:key|token|secret|bearer|basic)(?:[_ -]?(?:id|key))?[\"']?(?: is| ist)?[:= ]{1,3}[\"']?[a-z0-9+/_=.~-]{16}",
        rf"(?i)(?:{PASSWORD_WORDS})[\"']?(?: ?[:=]| ?->| (?:is|was|ist|lautet|es|est|è|é|jest)\b|\n)",
        r"(?i)(?:pin|cvv2?|cvc2?|otp|tan)(?: ?(?:code|number|nummer|no\.?))?(?:[:=] ?| (?:is|was|ist|es|est) )\d{3}",
    )


def find(text: str) -> Iterator[Hit]:
    """Tokens by their published forms, random-looking values behind "key" and the like, and what is said to be a password."""
    for starts, pattern in TOKENS:
        if any(start in text for start in starts):
            yield from (hit("secret", found, 0.97) for found in pattern.finditer(text))
    if "PRIVATE KEY" in text:
        yield from (hit("secret", found, 1.0) for found in PRIVATE_KEY.finditer(text))
    for pattern in (ASSIGNED, BEARER):
        yield from (hit("secret", found, 0.9, "value") for found in pattern.finditer(text) if is_random(found["value"]))
    yield from (trimmed(found) for found in PASSWORD.finditer(text) if is_password(found["value"], found["sign"]))
    yield from (hit("password", found, 0.85, "value") for found in PIN.finditer(text))


def trimmed(found: re.Match[str]) -> Hit:
    """A password without the point or comma that ends its sentence."""
    value = found["value"].rstrip(".,;:)")
    return Hit("password", found.start("value"), found.start("value") + len(value), value, 0.9)


def is_random(value: str) -> bool:
    """Whether a value looks made by a machine: letters and digits, and no sign much more frequent than others."""
    if NO_VALUE.match(value) or not re.search(r"\d", value) or not re.search(r"[A-Za-z]", value):
        return False
    return entropy(value) >= ENTROPY


def entropy(value: str) -> float:
    """Shannon entropy of the signs, in bits."""
    return -sum(count / len(value) * math.log2(count / len(value)) for count in Counter(value).values())


def is_password(value: str, sign: str) -> bool:
    """Whether a value behind "password" is one: a digit or a sign within, or a lone odd word behind a colon."""
    value = value.rstrip(".,;:)")
    if len(value) < 4 or NO_VALUE.match(value):
        return False
    letters = re.sub(r"[^\W\d_]", "", value)
    inner = letters.strip("-/'’?!")
    if inner and not re.fullmatch(r"\d{1,3}", value):
        return True
    mixed = re.search(r"[a-z][A-Z]", value) is not None
    return mixed and sign.strip() in (":", "=", "->")
