"""What the check says of personal data, and what its remedies do."""

from __future__ import annotations

import pytest

from studio.data.checks import personal
from studio.data.checks.about import About
from studio.data.privacy.hits import KINDS
from studio.errors import StudioError
from studio.records import Example, Finding
from tests.data.privacy.cases import FOUND

ROWS = [
    Example(text="Write to anna.miller@mail.de or a.b@web.org"),
    Example(text="Nothing to see"),
    Example(
        messages=(
            {"role": "user", "content": "Card 4111 1111 1111 1111, anna.miller@mail.de"},
            {"role": "assistant", "content": "Password: Sommer2024"},
        )
    ),
]


def findings(rows=ROWS) -> dict[str, Finding]:
    return {one.remedies[0].key.partition(":")[2]: one for one in personal.find(rows, About())}


def test_a_finding_a_kind_the_gravest_first() -> None:
    found = findings()
    assert list(found) == ["password", "card", "email"]
    email = found["email"]
    assert (email.check, email.level, email.title, email.rows) == ("personal", "warn", "3 e-mail addresses", (0, 2))
    assert email.text.startswith("2 rows hold them: 2 in texts and 1 in questions.")
    assert email.notes == {0: "Text: a…@m….de", 2: "Question: a…@m….de"}
    assert found["password"].level == found["card"].level == "stop"
    assert [remedy.label for remedy in email.remedies] == [
        "Replace by stand-ins",
        "Replace by “[email]”",
        "Take these rows out",
    ]
    assert email.keep == "personal:email", "keeping is a decision, not a change of rows"
    assert personal.find([ROWS[1]], About()) == []


@pytest.mark.parametrize(("kind", "value", "around"), FOUND)
def test_a_note_never_holds_the_value(kind: str, value: str, around: str) -> None:
    finding = findings([Example(text=around.format(value))])[kind]
    assert finding.title.startswith("1 ") and "holds it: 1 in texts" in finding.text
    note = finding.notes[0]
    assert value not in note and "…" in note
    letters = [sign for sign in note.partition(": ")[2] if sign.isalnum()]
    assert len(letters) <= max(6, len(value) // 2)


def test_every_kind_has_its_words() -> None:
    assert list(personal.WORDING) == list(KINDS)


def test_remedies_change_their_rows_and_their_kind_alone() -> None:
    email = findings()["email"]
    changes = personal.mend(ROWS, email, "replace:email")
    assert list(changes) == [0, 2] and len(changes) == 2 and 1 not in changes
    mended = [changes.get(place, row) for place, row in enumerate(ROWS)]
    assert "4111 1111 1111 1111" in mended[2].messages[0]["content"] and "mail.de" not in mended[0].text
    again = mended[0].text.split()[2]
    assert again.endswith("@example.com") and again in mended[2].messages[0]["content"]
    assert "email" not in findings(mended)
    assert personal.mend(ROWS, email, "mark:email")[0].text == "Write to [email] or [email]"
    assert personal.mend(ROWS, email, "remove:email") == {0: None, 2: None}


def test_stand_ins_are_the_same_whichever_rows_are_read_first(monkeypatch) -> None:
    monkeypatch.setattr(personal, "TOGETHER", 2)
    rows = [Example(text=f"Mail p{number % 3}@mail.de") for number in range(7)]
    email = findings(rows)["email"]
    forward = dict(personal.mend(rows, email, "replace:email"))
    backward = personal.mend(rows, email, "replace:email")
    assert {place: backward[place] for place in reversed(range(7))} == forward
    assert len({row.text for row in forward.values()}) == 3


@pytest.mark.parametrize("remedy", ["", "replace", "replace:card", "burn:email", "keep:email"])
def test_an_unknown_remedy_is_refused(remedy: str) -> None:
    with pytest.raises(StudioError, match="no remedy"):
        personal.mend(ROWS, findings()["email"], remedy)
