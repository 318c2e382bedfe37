"""Mail as mailboxes are exported (mbox: Thunderbird, Apple Mail, Google Takeout) and single mails (eml).

A row is a thread. Each mail gives what its author wrote: quoted replies, signatures and attachments are cut off.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from email import message_from_bytes
from email.errors import MessageError
from email.header import decode_header, make_header
from email.message import Message as Letter
from email.utils import getaddresses, parsedate_to_datetime
from typing import NamedTuple

from studio.data.exports.exchanges import Chat, Message, read_chats
from studio.data.exports.hypertext import text_of_html
from studio.data.readers.reading import Reading

KIND = "mail"
LONGEST = 200_000  # characters of one mail's text; more is a log or an attachment pasted in
START = re.compile(rb"(?:\A|\n)From [^\n]{0,500}\n(?=[!-9;-~]{1,100}:)")
HEADER = re.compile(
    rb"(?:From|To|Subject|Date|Received|Return-Path|Delivered-To|MIME-Version|Message-ID|X-[\w-]{1,60}):", re.IGNORECASE
)
REPLY = re.compile(
    r"^\s*(?:(?:re|aw|sv|antw|rif|odp|vs|res|fw|fwd|wg|tr)\s{0,2}(?:\[\d{1,3}\])?\s{0,2}:\s{0,3}){1,20}", re.IGNORECASE
)
FORWARD = re.compile(r"^\s*(?:fw|fwd|wg|tr)\s{0,2}:", re.IGNORECASE)
QUOTING = re.compile(  # "On Monday Anna wrote:", in several languages, on one line or two
    r"^(?:on|am|le|el|il|em|op|den|dne|w dniu|в|\d{1,4}[./-])\b.{0,200}"
    r"(?:wrote|schrieb|écrit|escribió|escribi[oó]|scritto|escreveu|schreef|skrev|napsal|napisał\w{0,3}|написал\w{0,2})\b.{0,80}:$",
    re.IGNORECASE,
)
OTHERS = re.compile(  # what Outlook and others put above the mail that is answered
    r"^(?:-{2,20} ?(?:original message|forwarded message|ursprüngliche nachricht|message d'origine|mensaje original|"
    r"messaggio originale|mensagem original|oorspronkelijk bericht) ?-{2,20}|_{20,80}|begin forwarded message:)$",
    re.IGNORECASE,
)
HEADED = re.compile(r"^\*?(?:from|von|de|da|van)\*?: .{1,200}", re.IGNORECASE)
SENT = re.compile(
    r"^\*?(?:sent|date|gesendet|datum|envoyé|enviado|fecha|inviato|data|verzonden|subject|betreff|objet|asunto)\*?: ?",
    re.IGNORECASE,
)
DEVICE = re.compile(
    r"^(?:sent from my|get outlook for|von meinem .{1,40} gesendet|"
    r"envoyé de mon|enviado desde mi|inviato da|enviado do meu)\b.{0,80}$",
    re.IGNORECASE,
)


class Mail(NamedTuple):
    """One mail. `keys` are the ids it has and answers."""

    number: int
    when: float | None
    speaker: str
    address: str
    subject: str
    keys: tuple[str, ...]
    text: str


def fits(data: bytes) -> bool:
    """Whether bytes begin like a mailbox or a mail."""
    start = data[:20_000].lstrip(b"\xef\xbb\xbf\r\n ")
    if start.startswith(b"From "):
        return bool(HEADER.match(start.partition(b"\n")[2])) or bool(START.match(start.replace(b"\r\n", b"\n")))
    lines = start.replace(b"\r\n", b"\n").partition(b"\n\n")[0].split(b"\n")
    named = {found.group().lower() for line in lines if (found := HEADER.match(line))}
    return (
        bool(HEADER.match(start))
        and len(named & {b"from:", b"to:", b"subject:", b"date:", b"message-id:", b"mime-version:"}) >= 3
    )


def read(data: bytes, name: str) -> Reading:
    """One row a thread of mails. Raises StudioError when no mail holds words."""
    owners: Counter[str] = Counter()
    mails = [mail for number, raw in enumerate(split(data), start=1) if (mail := mail_of(raw, number, owners))]
    owner = owners.most_common(1)[0][0] if owners else ""
    me = next((mail.speaker for mail in mails if mail.address == owner), "")
    notes = ["Mails that answer one another make one chat. Quoted replies and signatures were cut off."]
    return read_chats(KIND, name, threads(mails), pause=None, notes=notes, me=me)


def split(data: bytes) -> Iterator[bytes]:
    """The mails of a mailbox, or the only one."""
    data = data.lstrip(b"\xef\xbb\xbf\r\n ").replace(b"\r\n", b"\n")
    found = list(START.finditer(data))
    starts = [start.end() for start in found] or [0]
    ends = [start.start() for start in found[1:]] + [len(data)]
    for start, end in zip(starts, ends, strict=True):
        yield data[start:end]


def mail_of(raw: bytes, number: int, owners: Counter[str]) -> Mail | None:
    """What is used of a mail; None for one without words or author. Who it was delivered to is counted in `owners`."""
    try:
        mail = message_from_bytes(raw)  # the newer policy of the standard library takes five times as long
        people = getaddresses([header(mail, "From")])
        name, address = people[0] if people else ("", "")
        owners.update(str(value).strip().lower() for value in mail.get_all("Delivered-To", [])[:1])
        if not address or is_bulk(mail):
            return None
        text = own_words(body_of(mail))
        subject = header(mail, "Subject")
        keys = tuple(" ".join(str(mail.get(field, "")) for field in ("Message-ID", "In-Reply-To", "References")).split())
        when = parsedate_to_datetime(str(mail["Date"])).timestamp() if mail["Date"] else None
    except (MessageError, ValueError, LookupError, TypeError, AttributeError, OverflowError, OSError, RecursionError):
        return None  # the standard library fails in many ways on damaged headers
    if not text:
        return None
    return Mail(number, when, name.strip() or address, address.lower(), subject, keys, text)


def header(mail: Letter, name: str) -> str:
    """A header in the letters it stands for."""
    value = mail.get(name, "")
    return " ".join(str(make_header(decode_header(value))).split()) if "=?" in str(value) else " ".join(str(value).split())


def is_bulk(mail: Letter) -> bool:
    """Whether a mail went to a list of readers: nobody in it talks to anybody."""
    return "List-Unsubscribe" in mail or str(mail.get("Precedence", "")).lower() in ("bulk", "list", "junk")


def body_of(mail: Letter) -> str:
    """The words of a mail: its plain text, otherwise its HTML as text."""
    parts = [part for part in mail.walk() if not part.is_multipart() and not part.get_filename()]
    for kind in ("text/plain", "text/html"):
        for part in parts:
            if part.get_content_type() == kind and (words := letters_of(part)).strip():
                return text_of_html(words) if kind == "text/html" else words
    return ""


def letters_of(part: Letter) -> str:
    """The text of a part in its own encoding; an unknown one is read as UTF-8."""
    data = part.get_payload(decode=True) or b""
    try:
        return data.decode(part.get_content_charset() or "utf-8", "replace")[:LONGEST]
    except LookupError:
        return data.decode("utf-8", "replace")[:LONGEST]


def own_words(text: str) -> str:
    """What the author of a mail wrote, without what is quoted below or between, and without the signature."""
    lines = text.replace("\r\n", "\n").split("\n")
    kept: list[str] = []
    for index, line in enumerate(lines):
        plain = line.strip()
        two = f"{plain} {lines[index + 1].strip()}" if index + 1 < len(lines) else plain
        if line in ("-- ", "--") or OTHERS.match(plain) or (HEADED.match(plain) and heads_a_mail(lines[index + 1 : index + 4])):
            break
        quoting = QUOTING.match(plain) or QUOTING.match(two)
        if quoting and not any(below.lstrip().startswith(">") for below in lines[index + 1 : index + 5]):
            break  # what follows is quoted without marks
        second = bool(kept) and index > 0 and QUOTING.match(f"{lines[index - 1].strip()} {plain}")
        if quoting or second or plain.startswith(">") or DEVICE.match(plain):
            continue
        kept.append(line.rstrip())
    return re.sub(r"\n{3,}", "\n\n", "\n".join(kept)).strip()


def heads_a_mail(lines: list[str]) -> bool:
    """Whether the lines below "From: …" go on with the head of another mail."""
    return sum(bool(SENT.match(line.strip())) for line in lines) >= 1


def threads(mails: list[Mail]) -> Iterator[Chat]:
    """Mails that name one another's ids, or have none and share a subject, oldest first."""
    parent: dict[str, str] = {}

    def root(key: str) -> str:
        while parent.setdefault(key, key) != key:
            parent[key] = key = parent[parent[key]]
        return key

    names = [mail.keys or (f"subject {REPLY.sub('', mail.subject).strip().lower()}",) for mail in mails]
    for keys in names:
        for key in keys[1:]:
            parent[root(key)] = root(keys[0])
    called: dict[str, str] = {}  # people write their names in several ways
    grouped: dict[str, list[Mail]] = {}
    for mail, keys in zip(mails, names, strict=True):
        called.setdefault(mail.address, mail.speaker)
        if not FORWARD.match(mail.subject):
            grouped.setdefault(root(keys[0]), []).append(mail)
    for group in grouped.values():
        group.sort(key=lambda mail: (mail.when is not None, mail.when or 0.0))
        yield Chat(
            REPLY.sub("", group[0].subject).strip()[:200],
            [Message(mail.number, mail.when, called[mail.address], mail.text) for mail in group],
        )
