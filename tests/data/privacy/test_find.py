"""Every kind is found, what only looks like it is not, and no text makes a pattern slow."""

from __future__ import annotations

import time

import pytest

from studio.data.privacy import checksums, secrets
from studio.data.privacy.hits import KINDS
from studio.data.privacy.lexicon import lexicon
from studio.data.privacy.scan import FINDERS, scan, scan_all, without_overlaps
from tests.data.privacy.cases import CLEAN, FOUND, LETTERS


def found(text: str) -> list[tuple[str, str]]:
    return [(one.kind, one.text) for one in scan(text)]


@pytest.mark.parametrize(("kind", "value", "around"), FOUND)
def test_it_is_found_with_its_kind_and_place(kind: str, value: str, around: str) -> None:
    text = around.format(value)
    hits = [one for one in scan(text) if one.kind == kind]
    assert [one.text for one in hits] == [value], scan(text)
    assert text[hits[0].start : hits[0].end] == value


@pytest.mark.parametrize("text", CLEAN)
def test_nothing_is_found(text: str) -> None:
    assert found(text) == []


def test_there_are_cases_of_every_kind() -> None:
    assert {kind for kind, _, _ in FOUND} == set(KINDS)
    assert len(FOUND) + len(CLEAN) >= 60


def test_looking_at_texts_together_first_loses_nothing() -> None:
    texts = [*CLEAN, *(around.format(value) for _, value, around in FOUND)]
    for text, hits in zip(texts, scan_all(texts), strict=True):
        assert hits == without_overlaps(len(text), [one for finder in FINDERS for one in finder.find(text)])


CHECKED = [
    (checksums.luhn, "4111111111111111"),
    (checksums.mod97, "DE89370400440532013000"),
    (checksums.verhoeff, "234123412346"),
    (checksums.dni, "12345678Z"),
    (checksums.codice_fiscale, "RSSMRA85T10A562S"),
    (checksums.steuer_id, "36574261809"),
    (checksums.nir, "255081416802538"),
    (checksums.cpf, "52998224725"),
    (checksums.bsn, "111222333"),
    (checksums.pesel, "44051401359"),
]


@pytest.mark.parametrize(("check", "number"), CHECKED)
def test_a_wrong_digit_is_noticed(check, number: str) -> None:
    assert check(number)
    digits = [place for place, sign in enumerate(number) if sign.isdigit()]
    for place in digits:
        other = str((int(number[place]) + 1) % 10)
        assert not check(number[:place] + other + number[place + 1 :]), place


def test_weak_numbers_need_their_word() -> None:
    for number in ("111222333", "44051401359", "36574261809", "52998224725", "234123412346"):
        assert all(kind != "national_id" for kind, _ in found(f"Order {number} is late."))


def test_a_bare_number_is_a_phone_number_only_beside_a_word_for_it() -> None:
    assert found("Call 5551234567") == [("phone", "5551234567")]
    assert found("Order 5551234567") == []
    assert found("Call about order 5551234567") == []


def test_the_surest_and_then_the_longest_hit_stays() -> None:
    assert found("https://x.org/?email=a.b@mail.org") == [("email", "a.b@mail.org")]
    text = "12 Anna Miller Road, Leeds LS1 4AP"
    assert found(text) == [("address", text)]
    assert without_overlaps(5, []) == []


def test_random_looking_means_letters_digits_and_variety() -> None:
    assert secrets.is_random(LETTERS)
    for plain in ("a" * 30, "1" * 30, "ab1" * 10, "justonelongwordwithoutanydigit", "your-token-12345678"):
        assert not secrets.is_random(plain)


def test_the_lists_of_names_are_there() -> None:
    names = lexicon()
    assert len(names.first) > 20_000 and len(names.last) > 20_000
    assert {"Anna", "José", "Ольга"} <= names.lone and not {"Will", "May", "The", "Paris"} & names.lone


SIZE = 100_000
PIECES = (
    "a|1 |(1|1:|a@|@|a@a.| |Anna |A. |O'|sk-|eyJa.|-----BEGIN |password: a|key = a1 |name: |van |http://a?|1 A |Aa-|straße "
    "|rue de |Via |12 345 |born 1.1.|DE89 |4111 |AB 12 |call 1 |(at)|İ|日本"
)


@pytest.mark.long
@pytest.mark.parametrize("piece", PIECES.split("|"))
def test_no_text_makes_a_finder_slow(piece: str) -> None:
    text = (piece * (SIZE // len(piece) + 1))[:SIZE]
    for finder in FINDERS:
        begin = time.process_time()
        list(finder.find(text))
        assert time.process_time() - begin < 1.0, finder.__name__
