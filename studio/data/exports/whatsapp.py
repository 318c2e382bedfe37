"""WhatsApp's text export: iPhones write "[20.06.21, 14:30:00] Anna: Hi", Android "6/20/21, 2:30 PM - Anna: Hi".

The phone's language and region decide on the order and the signs of date and time. WhatsApp documents none of it; the
forms here are those of public parsers and their test files. Invisible marks tell much: a message that begins with the
left-to-right mark U+200E was written by the app (a picture, a call, a notice), not by a person.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

from studio.data.exports.exchanges import EPOCH, PAUSE, Chat, Message, read_chats
from studio.data.readers.reading import Reading

KIND = "whatsapp"
BY_APP = "\u200e"
INVISIBLE = [*map(chr, [0xFEFF, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)]), "\r"]  # marks of direction
SPACES = "\u202f\xa0"
HALF = r"([ap]\. ?m\.?|[ap]m|上午|下午|午前|午後|오전|오후|[πμ]\. ?μ\.?|[صم])"
WORDS = r"(?:at|um|à|às|klo|kl\.?|a las|alle(?: ore)?|om|o|в)"
HEAD = re.compile(
    r"\[?(\d{1,4})(?:[./-] ?|년 |年)(\d{1,2})(?:[./-] ?|월 |月)(\d{1,4})[.일日]?"  # three numbers of a date
    rf"[,،]?(?: {WORDS})?[,،]? ?"
    rf"(?:{HALF} ?)?(\d{{1,2}})[:.](\d{{2}})(?:[:.](\d{{2}}))? ?{HALF}?(?: Uhr)?"
    r"(?:\] ?| [-–] |, )(.*)",
    re.IGNORECASE | re.DOTALL,
)
AFTERNOON = ("p", "下", "午後", "오후", "μ", "م")
LONGEST_NAME = 60  # characters; WhatsApp allows 25 for a name, contacts of a phone have more
QUOTES = '“”„«»"'  # a notice quotes what it tells of: Anna changed the subject to “Plans: summer”
OMITTED = re.compile(r"<[^<>\n]{3,60}>|\S{1,80}\.\w{2,5} \([^()\n]{3,40}\)")  # <Media omitted>, IMG-1.jpg (file attached)
EDITED = re.compile(r" ?<[^<>\n]{3,60}>$")  # Android: <This message was edited>
DELETED = (
    "this message was deleted",
    "you deleted this message",
    "diese nachricht wurde gelöscht",
    "du hast diese nachricht gelöscht",
    "se eliminó este mensaje",
    "eliminaste este mensaje",
    "este mensaje fue eliminado",
    "essa mensagem foi apagada",
    "mensagem apagada",
    "você apagou esta mensagem",
    "ce message a été supprimé",
    "vous avez supprimé ce message",
    "questo messaggio è stato eliminato",
    "hai eliminato questo messaggio",
    "dit bericht is verwijderd",
    "je hebt dit bericht verwijderd",
    "данное сообщение удалено",
    "вы удалили данное сообщение",
    "null",
)
ORDERS = {"day, month, year": (0, 1, 2), "month, day, year": (1, 0, 2), "year, month, day": (2, 1, 0)}
"""What the three numbers are -> where day, month and year stand among them."""


class Line(NamedTuple):
    """A line that begins a message. `date` has its three numbers, `seconds` is the time of the day."""

    date: tuple[int, int, int]
    seconds: int
    half: bool
    rest: str


def fits(text: str) -> bool:
    """Whether a text begins with a line of such an export and has at least two messages."""
    found = 0
    for index, whole in enumerate(line for line in cleaned(text[: 2**16]).split("\n") if line.strip()):
        line = parsed(whole)
        if index == 0 and line is None:
            return False
        found += line is not None and bool(speaker_of(line.rest)[0])
        if found == 2:
            return True
    return False


def read(text: str, name: str, pause: float | None = PAUSE) -> Reading:
    """One row an exchange. Raises StudioError when nobody says anything."""
    notes: list[str] = []
    return read_chats(KIND, name, [Chat("", messages_of(text, notes))], pause=pause, notes=notes)


def messages_of(text: str, notes: list[str]) -> Iterator[Message]:
    """The messages that somebody wrote; what was left aside and how dates were read is added to `notes`."""
    found: list[tuple[int, Line, str, str]] = []
    for number, whole in enumerate(cleaned(text).split("\n"), start=1):
        line = parsed(whole)
        if line:
            found.append((number, line, *speaker_of(line.rest)))
        elif found:
            start, line, speaker, said = found[-1]
            found[-1] = (start, line, speaker, f"{said}\n{whole}")
    order = order_of([line for _, line, _, _ in found])
    aside = 0
    for number, line, speaker, said in found:
        words = words_of(said) if speaker else ""
        aside += not words
        if words:
            yield Message(number, moment(line, order), speaker, words)
    notes.append(f"Dates were read as {order}.")
    if aside:
        notes.append(f"Left aside: {aside:,} notices, pictures, calls and deleted messages.")


def cleaned(text: str) -> str:
    """The text without marks of direction, except the one that tells what the app wrote."""
    for sign in INVISIBLE:
        text = text.replace(sign, "")
    for sign in SPACES:
        text = text.replace(sign, " ")
    return text


def parsed(whole: str) -> Line | None:
    """A cleaned line that begins a message; None for one that goes on with the message before."""
    found = HEAD.match(whole.lstrip(BY_APP))
    if not found:
        return None
    one, two, three, before, hour, minute, second, after, rest = found.groups()
    half = (before or after or "").lower()
    hours = int(hour) % 12 + (12 if half.startswith(AFTERNOON) else 0) if half else int(hour)
    return Line((int(one), int(two), int(three)), hours * 3600 + int(minute) * 60 + int(second or 0), bool(half), rest)


def speaker_of(rest: str) -> tuple[str, str]:
    """Who speaks and what is said; nobody for a notice of the app."""
    speaker, colon, said = rest.partition(":")
    speaker = speaker.strip(f" ~{BY_APP}")
    if not colon or not speaker or len(speaker) > LONGEST_NAME or any(quote in speaker for quote in QUOTES):
        return "", rest
    return (speaker, said) if said[:1] in ("", " ", BY_APP) else ("", rest)


def words_of(said: str) -> str:
    """What a person wrote; empty for what the app put in its place."""
    said = said.strip()
    if said.startswith(BY_APP) or ("•" in said and BY_APP in said):
        return ""
    said = EDITED.sub("", said.partition(f"{BY_APP}<")[0].replace(BY_APP, "")).strip()
    first = said.partition("\n")[0].strip()
    return "" if OMITTED.fullmatch(first) or said.rstrip(".").lower() in DELETED else said


def order_of(lines: list[Line]) -> str:
    """What the three numbers of the dates are: told by numbers beyond 12, then by which order lets time go forward."""
    dates = [line.date for line in lines]
    if any(date[0] > 31 for date in dates):
        return "year, month, day"
    if any(date[0] > 12 for date in dates):
        return "day, month, year"
    if any(date[1] > 12 for date in dates):
        return "month, day, year"
    back = {name: turned_back(dates, ORDERS[name]) for name in ("day, month, year", "month, day, year")}
    if len(set(back.values())) > 1:
        return min(back, key=lambda name: back[name])
    return "month, day, year" if any(line.half for line in lines) else "day, month, year"


def turned_back(dates: list[tuple[int, int, int]], places: tuple[int, int, int]) -> int:
    """How often a date lies before the one above it."""
    day, month, year = places
    ordered = [(date[year], date[month], date[day]) for date in dates]
    return sum(later < earlier for earlier, later in zip(ordered, ordered[1:], strict=False))


def moment(line: Line, order: str) -> float | None:
    """Seconds of a message; None for a date that does not exist."""
    day, month, year = (line.date[place] for place in ORDERS[order])
    try:
        found = datetime(year + 2000 if year < 100 else year, month, day, tzinfo=EPOCH.tzinfo)
    except ValueError:
        return None
    return (found - EPOCH).total_seconds() + line.seconds
