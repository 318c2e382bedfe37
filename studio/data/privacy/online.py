"""E-mail addresses, IP addresses, and links that lead to a person or carry a key."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

from studio.data.privacy.hits import Hit, any_word, hit, holds, nearest, words

if TYPE_CHECKING:
    import pyarrow as pa

EMAIL = re.compile(r"(?<![\w.%+'-])[\w%+-][\w.%+'-]{0,63}+@[^\W_](?:[\w-]{0,62}+\.){1,8}[^\W\d_]{2,24}(?![\w@-])")
SPELLED_EMAIL = re.compile(
    r"(?<![\w.-])[\w.+-]{1,64}+ ?[\[({<] ?at ?[\])}>] ?[\w-]{1,63}(?: ?(?:[\[({<] ?dot ?[\])}>]|\.) ?[a-z]{2,24}){1,3}+",
    re.IGNORECASE,
)
FILES = ("png", "jpg", "jpeg", "gif", "svg", "webp", "js", "css", "py", "md", "txt")
"""Endings of files such as icon@2x.png that look like an address."""

IPV4 = re.compile(r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?![\w-]|\.\d)")
IPV6 = re.compile(r"(?<![\w:.])(?:[0-9A-Fa-f]{0,4}:){2,7}[0-9A-Fa-f]{1,4}(?![\w:])")
IP_CUES = any_word(r"ip\b|ips\b|ipv4|ipv6|address|adresse|dirección|host|server|client|ping|login|logged")
VERSION_CUES = any_word(r"v\.|version|versión|release|firmware|build|driver|section|chapter|kapitel|abschnitt|clause|update")
RESOLVERS = {"8.8.8.8", "8.8.4.4", "1.1.1.1", "1.0.0.1", "9.9.9.9", "4.4.4.4", "1.2.3.4"}
"""Public name servers and what people write as an example; they lead to nobody."""

URL = re.compile(r"(?<![\w])(?:[a-z][a-z0-9+.-]{1,15}+://|www\.)[^\s<>\"'`|\\^{}]{3,2000}", re.IGNORECASE)
KEYS = re.compile(
    r"(?:access_?|auth_?|id_?|refresh_?|session_?|csrf_?|reset_?)?token|(?:api|access|private)_?key|key|secret|sig|signature"
    r"|password|passwd|pwd|session(?:_?id)?|sid|jwt|code",
    re.IGNORECASE,
)
PEOPLE = re.compile(r"user(?:_?(?:name|id))?|email|e-?mail|login|account|uid|customer(?:_?id)?|name|phone", re.IGNORECASE)
PROFILE = re.compile(r"/(?:~|@|(?:users?|u|profiles?|people|member|in)/)(?!\w{0,2}(?:/|\Z))[\w.%-]{2,80}", re.IGNORECASE)
NETWORKS = ("twitter.com", "x.com", "facebook.com", "instagram.com", "tiktok.com", "t.me", "wa.me")
"""Sites whose first part of the path is a person's or a firm's name; on github.com it is mostly a project's."""
NOBODY = words(
    "about login signup search explore share sharer intent home help privacy terms hashtag "
    "groups pages events watch reel features orgs topics sponsors settings p i marketplace"
)


def likely(texts: pa.StringArray) -> pa.BooleanArray:
    """Texts with an @, several points between digits, colons between hexadecimal digits, or a link."""
    return holds(
        texts,
        r"@",
        r"(?i)[\[({<] ?at ?[\])}>]",
        r"\d\.\d{1,3}\.\d{1,3}\.\d",
        r"[0-9A-Fa-f]:[0-9A-Fa-f]{0,4}:",
        r"://|www\.",
    )


def find(text: str) -> Iterator[Hit]:
    """Addresses and links; IP addresses only where the internet can reach them."""
    if "@" in text:
        for found in EMAIL.finditer(text):
            local, _, domain = found.group().rpartition("@")
            if domain.rpartition(".")[2].lower() not in FILES and local != "git" and ".." not in found.group():
                yield hit("email", found, 0.98)
    for found in SPELLED_EMAIL.finditer(text):
        yield hit("email", found, 0.8)
    yield from ips(text, IPV4)
    if text.count(":") > 1:
        yield from ips(text, IPV6)
    if "://" in text or "www." in text:
        yield from links(text)


def ips(text: str, pattern: re.Pattern[str]) -> Iterator[Hit]:
    """Addresses that belong to one connection: no private, reserved or documentation ranges, no version numbers."""
    for found in pattern.finditer(text):
        try:
            address = ipaddress.ip_address(found.group())
        except ValueError:
            continue
        if not address.is_global or address.is_multicast or found.group() in RESOLVERS:
            continue
        if address.version == 6:
            if address in ipaddress.ip_network("2000::/3"):
                yield hit("ip", found, 0.9)
            continue
        cued, version = nearest(text, found.start(), IP_CUES), nearest(text, found.start(), VERSION_CUES, 20)
        small = all(byte < 32 for byte in address.packed)  # 3.12.4.1 is rather a version or a section
        if cued >= 0 and (version < 0 or cued < version) or (version < 0 and not small):
            yield hit("ip", found, 0.9 if cued >= 0 else 0.75)


def links(text: str) -> Iterator[Hit]:
    """Links with a password (a secret), with a key or a person in their query, or to a person's page."""
    for found in URL.finditer(text):
        link = found.group().rstrip(".,;:!?)]")
        try:
            parts = urlsplit(link if "://" in link else f"//{link}")
        except ValueError:
            continue
        start, end = found.start(), found.start() + len(link)
        if parts.username and parts.password:
            yield Hit("secret", start, end, link, 0.99)
        elif tells(parts.netloc.rpartition("@")[2].lower(), parts.path, parts.query or parts.fragment):
            yield Hit("url", start, end, link, 0.85)


def tells(host: str, path: str, query: str) -> bool:
    """Whether a link tells of a person."""
    try:
        values = parse_qsl(query, max_num_fields=100)
    except ValueError:
        values = []
    for name, value in values:
        if PEOPLE.fullmatch(name) and len(value) > 2 or (KEYS.fullmatch(name) and len(value) > 7):
            return True
    if PROFILE.search(path):
        return True
    site = next((site for site in NETWORKS if host == site or host.endswith(f".{site}")), "")
    first = path.strip("/").split("/")
    only = len(first) == 1 and len(first[0]) > 1
    return bool(site) and only and first[0].lower() not in NOBODY
