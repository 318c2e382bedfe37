"""Stand-ins: one for a value, different for different values, never mistaken for the real thing."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from studio.data.privacy.checksums import luhn, mod97
from studio.data.privacy.hits import KINDS
from studio.data.privacy.numbers import iban_end
from studio.data.privacy.scan import scan, scan_rows, spots
from studio.data.privacy.standins import MAKERS, Standins, normal, replace
from studio.records import Example
from tests.data.privacy.cases import FOUND

NAMES = st.sampled_from(["Anna", "Bert", "Carla", "Müller", "Schmidt", "García", "O'Brien", "Jean-Luc", "Wijtze", "Anne", "Ann"])
VALUES = st.one_of(NAMES, st.text(min_size=1, max_size=20), st.from_regex(r"[a-z]{1,8}@[a-z]{1,8}\.de", fullmatch=True))


@settings(max_examples=30, deadline=None)
@given(kind=st.sampled_from([kind for kind in KINDS if "name" not in kind]), values=st.lists(VALUES, min_size=1, max_size=30))
def test_the_same_value_gets_the_same_and_others_get_others(kind: str, values: list[str]) -> None:
    standins = Standins()
    given_to: dict[str, str] = {}
    for value in values + values[::-1]:
        made = standins.of(kind, value)
        assert given_to.setdefault(normal(kind, value), made) == made
    assert len(set(given_to.values())) == len(given_to)


@settings(max_examples=60, deadline=None)
@given(names=st.lists(NAMES, min_size=1, max_size=8, unique=True))
def test_names_keep_their_case_and_stay_apart(names: list[str]) -> None:
    standins = Standins()
    made = [standins.of("name", name) for name in names]
    assert len(set(made)) == len(made)
    for name, one in zip(names, made, strict=True):
        assert standins.of("first_name", name) == one and standins.of("name", name.upper()) == one.upper()


@settings(max_examples=40, deadline=None)
@given(
    number=st.integers(0, 10**7), kind=st.sampled_from([kind for kind in MAKERS if kind not in ("first", "last", "birth_date")])
)
def test_numbers_and_stand_ins_belong_together_one_to_one(kind: str, number: int) -> None:
    make = MAKERS[kind][1]
    assert make(number) != make(number + 1) and make(number) != make(number + MAKERS[kind][0])


def test_values_that_fall_on_one_stand_in_are_told_apart() -> None:
    standins = Standins()
    dates = [f"{day}.{month}.{year}" for year in range(1950, 1990) for month in range(1, 13) for day in range(1, 29)]
    assert len(dates) == 13_440  # some 2,200 of 36,500 places are hit twice
    assert len({standins.of("birth_date", one) for one in dates}) == len(dates)


def test_initials_and_small_words_of_names() -> None:
    made = Standins().of("name", "J. ß. van der Müller")
    assert made.startswith("W. ") and " van der Quo" in made and "Müller" not in made


def test_a_second_run_gives_the_same_and_a_key_other_ones() -> None:
    assert Standins().of("email", "a@b.de") == Standins().of("email", "A@B.de") == Standins().of("email", "a@b.de")
    assert Standins(key=b"secret").of("email", "a@b.de") != Standins().of("email", "a@b.de")


def test_the_forms_are_right_and_the_values_nobodys() -> None:
    standins = Standins()
    card = standins.of("card", "4111").replace(" ", "")
    assert luhn(card) and card.startswith("9999")
    iban = standins.of("iban", "GB29")
    assert mod97(iban) and iban_end(iban, 0) == len(iban)
    assert not ipaddress.ip_address(standins.of("ip", "84.23.119.7")).is_global
    assert ipaddress.ip_address(standins.of("ip", "2a02::1")) in ipaddress.ip_network("2001:db8::/32")
    assert "-555-01" in standins.of("phone", "1") and standins.of("email", "x").endswith("@example.com")


@pytest.mark.parametrize(("kind", "value", "around"), FOUND)
def test_what_was_replaced_is_not_found_again(kind: str, value: str, around: str) -> None:
    example = Example(text=around.format(value))
    mended = replace(example, spots([example])[0], Standins())
    assert value not in mended.text
    assert scan(mended.text) == []


def test_the_plain_form_names_the_kind_and_is_not_found_again() -> None:
    standins = Standins(plain=True)
    for kind in KINDS:
        text = f"Please note: {standins.of(kind, 'x')} is here."
        assert scan(text) == [], text
    assert standins.of("email", "x") == "[email]"


def test_a_person_keeps_one_name_through_all_turns_and_rows() -> None:
    rows = [
        Example(
            messages=(
                {"role": "system", "content": "You serve Anna Müller."},
                {"role": "user", "content": "Where is Anna's parcel? ANNA waits, says Frau Müller."},
                {"role": "assistant", "content": "Dear Anna, it left."},
            )
        ),
        Example(messages=({"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Ask Anna Müller."}), label="x"),
    ]
    standins, summary = Standins(), scan_rows(rows)
    first, last = standins.of("name", "Anna Müller").split()
    mended = [replace(row, summary.rows[place], standins) for place, row in enumerate(rows)]
    assert [message["content"] for message in mended[0].messages] == [
        f"You serve {first} {last}.",
        f"Where is {first}'s parcel? {first.upper()} waits, says Frau {last}.",
        f"Dear {first}, it left.",
    ]
    assert mended[1].messages[1]["content"] == f"Ask {first} {last}." and mended[1].label == "x"


def test_a_label_follows_the_answer_it_is() -> None:
    row = Example(
        messages=({"role": "user", "content": "Who?"}, {"role": "assistant", "content": "a@mail.de"}), label="a@mail.de"
    )
    mended = replace(row, spots([row])[0], Standins())
    assert mended.label == mended.messages[1]["content"] != "a@mail.de"
