"""Personal data and secrets: what a model learns of them, it may say to anybody who asks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from studio.data.checks.about import About, Changes
from studio.data.privacy.hits import KINDS
from studio.data.privacy.scan import Summary, scan_rows, spots, texts_of
from studio.data.privacy.standins import Standins, replace
from studio.errors import StudioError
from studio.records import Example, Finding, Remedy

KEY = "personal"
TOGETHER = 500  # rows that get their stand-ins at once; scanning many is faster than one by one
MOST_NOTES = 200  # rows with a masked excerpt; the others are listed without


@dataclass(frozen=True)
class Wording:
    """How a kind is spoken of: one, several, how grave it is, and a sentence on why it matters."""

    one: str
    many: str
    level: str
    why: str


SAID = "A model repeats what it has learned, also to strangers."
USABLE = "Whoever reads one can use it at once."
WORDING: dict[str, Wording] = {
    "secret": Wording("key or token", "keys and tokens", "stop", USABLE),
    "password": Wording("password", "passwords", "stop", USABLE),
    "card": Wording("payment card number", "payment card numbers", "stop", USABLE),
    "iban": Wording("bank account number (IBAN)", "bank account numbers (IBAN)", "warn", SAID),
    "national_id": Wording("national identity number", "national identity numbers", "warn", SAID),
    "email": Wording("e-mail address", "e-mail addresses", "warn", SAID),
    "phone": Wording("phone number", "phone numbers", "warn", SAID),
    "address": Wording("postal address", "postal addresses", "warn", SAID),
    "name": Wording("name of a person", "names of people", "warn", "Names of well-known people and invented ones may stay."),
    "first_name": Wording("first name alone", "first names alone", "info", "Alone they seldom tell who somebody is."),
    "birth_date": Wording("date of birth", "dates of birth", "warn", SAID),
    "ip": Wording("internet address (IP)", "internet addresses (IP)", "warn", SAID),
    "url": Wording("link to a person or with a key", "links to people or with keys", "warn", SAID),
}
PARTS = {"question": "questions", "answer": "answers", "system": "system prompts", "text": "texts"}
REMEDIES = {
    "replace": "Replace by stand-ins",
    "mark": "Replace by “{plain}”",
    "remove": "Take these rows out",
}
"""Key of a remedy, which is followed by a colon and the kind -> its button."""


def find(rows: Sequence[Example], about: About) -> list[Finding]:
    """A finding a kind, the gravest first."""
    return findings(rows, scan_rows(rows))


def findings(rows: Sequence[Example], summary: Summary) -> list[Finding]:
    """The same from a summary of the rows that is there already."""
    by_kind: dict[str, list[int]] = {kind: [] for kind in KINDS}
    notes: dict[str, dict[int, str]] = {kind: {} for kind in KINDS}
    for position, found in summary.rows.items():
        for kind in {spot.kind for spot in found}:
            by_kind[kind].append(position)
        if wanted := [spot for spot in found if len(notes[spot.kind]) < MOST_NOTES]:
            texts = texts_of(rows[position])
            for spot in wanted:
                part, text = texts[spot.turn]
                notes[spot.kind].setdefault(position, f"{part.capitalize()}: {masked(spot.kind, text[spot.start : spot.end])}")
    return [finding(kind, summary, tuple(positions), notes[kind]) for kind, positions in by_kind.items() if positions]


def finding(kind: str, summary: Summary, rows: tuple[int, ...], notes: dict[int, str]) -> Finding:
    """What is said about one kind."""
    wording, count = WORDING[kind], summary.counts[kind]
    parts = " and ".join(f"{number:,} in {PARTS.get(part, part)}" for part, number in summary.parts[kind].most_common())
    lines = "1 row holds" if len(rows) == 1 else f"{len(rows):,} rows hold"
    return Finding(
        check=KEY,
        title=f"{count:,} {wording.one if count == 1 else wording.many}",
        text=f"{lines} {'it' if count == 1 else 'them'}: {parts}. {wording.why}",
        rows=rows,
        level=wording.level,
        remedies=tuple(Remedy(f"{key}:{kind}", label.format(plain=plain(kind))) for key, label in REMEDIES.items()),
        notes=notes,
        keep=f"{KEY}:{kind}",
    )


def plain(kind: str) -> str:
    """What stands in the place of a value in the plain form."""
    return Standins(plain=True).of(kind, "")


def masked(kind: str, value: str) -> str:
    """A value as it may be shown: a…@e….com, +4… …20; never the whole of it."""
    value = " ".join(value.split())
    if kind == "email" and "@" in value:
        local, _, domain = value.rpartition("@")
        name, _, ending = domain.rpartition(".")
        return f"{local[:1]}…@{name[:1]}….{ending}"
    if kind in ("secret", "password", "card"):
        return f"{value[:1]}…"
    if kind in ("name", "first_name"):
        return " ".join(f"{word[:1]}…" for word in value.split())
    return f"{value[:2]}…{value[-2:]}" if len(value) > 8 else f"{value[:1]}…"


def mend(rows: Sequence[Example], finding: Finding, remedy: str) -> Changes:
    """Rows without the data of the finding's kind, made when they are asked for. Raises StudioError."""
    action, _, kind = remedy.partition(":")
    if action not in REMEDIES or remedy not in {item.key for item in finding.remedies}:
        raise StudioError("The rows were not changed.", f"“{remedy[:40]}” is no remedy here.", "Choose one of the buttons.")
    if action == "remove":
        return dict.fromkeys(finding.rows)
    return Replaced(rows, finding.rows, kind, Standins(plain=action == "mark"))


class Replaced(Mapping[int, Example | None]):
    """Rows with stand-ins, made some at a time when they are read: copies of all texts might not fit into memory."""

    def __init__(self, rows: Sequence[Example], positions: Sequence[int], kind: str, standins: Standins) -> None:
        self.rows, self.positions, self.kind, self.standins = rows, positions, kind, standins
        self.places = {position: place for place, position in enumerate(positions)}
        self._made: dict[int, Example] = {}

    def __getitem__(self, position: int) -> Example:
        place = self.places[position]
        if position not in self._made:
            several = self.positions[place : place + TOGETHER]
            examples = [self.rows[one] for one in several]
            self._made = {
                one: replace(example, [spot for spot in found if spot.kind == self.kind], self.standins)
                for one, example, found in zip(several, examples, spots(examples), strict=True)
            }
        return self._made[position]

    def __iter__(self) -> Iterator[int]:
        return iter(self.positions)

    def __len__(self) -> int:
        return len(self.positions)
