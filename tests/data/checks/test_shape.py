"""Checks that count and measure: lengths, labels, languages, and how many rows there are."""

from __future__ import annotations

import random

import numpy as np
import pytest

from studio.data.checks import About, amount, answer_lengths, labels, languages, mend, too_long
from studio.data.checks.languages import language_of
from studio.records import Example
from tests.data.checks.rows import after, assert_mends, find, fine, labelled, only, pair, prose

SAID = {
    "German": "Wir öffnen jeden Morgen um acht Uhr und schließen am Abend, wenn die letzten Gäste gegangen sind.",
    "French": "Nous ouvrons tous les matins à huit heures et nous fermons le soir quand les derniers clients sont partis.",
    "Spanish": "Abrimos todas las mañanas a las ocho y cerramos por la noche cuando se han ido los últimos clientes.",
    "Japanese": "毎朝八時に開店し、夜は最後のお客様がお帰りになったら閉店します。",
    "Arabic": "نفتح كل صباح في الساعة الثامنة ونغلق في المساء عندما يغادر آخر الزبائن.",
    "Russian": "Мы открываемся каждое утро в восемь часов и закрываемся вечером, когда уходят последние гости.",
}


def test_odd_lengths() -> None:
    rows = [*fine(40), pair("Why?", "No."), pair("Why not?", "Because. " * 300)]
    found = only(answer_lengths, rows)
    assert found.rows == (40, 41)
    assert found.notes[40] == "3 characters long."
    assert found.level == "info"
    assert_mends(answer_lengths, rows, found, About())


def test_lengths_that_vary_anyway_are_not_odd() -> None:
    chance = random.Random(0)
    rows = [pair("Why?", "a" * round(chance.lognormvariate(5, 0.7))) for _ in range(1000)]
    flagged = sum(len(finding.rows) for finding in find(answer_lengths, rows))
    assert flagged <= 5
    assert find(answer_lengths, [*[labelled("text", "yes")] * 40, labelled("text", "a" * 90)]) == []


def test_too_few_answers_have_no_usual_length() -> None:
    assert find(answer_lengths, [*fine(18), pair("Why?", "No.")]) == []


def test_rows_over_the_length() -> None:
    rows = fine(4)
    found = only(too_long, rows, lengths=(10, 40, 32, 33), max_length=32)
    assert found.rows == (1, 3)
    assert found.notes == {1: "40 tokens, 8 too many.", 3: "33 tokens, 1 too many."}
    assert "9 tokens are over, 7.8% of all" in found.text
    assert_mends(too_long, rows, found, About(lengths=(10, 40, 32, 33), max_length=32))
    for about in ({}, {"lengths": (9, 9, 9, 9), "max_length": 9}, {"lengths": (9, 9, 9, 9)}):
        assert find(too_long, rows, **about) == []


def test_one_spelling_for_each_label() -> None:
    rows = [labelled(f"Text number {at}", ("Refund", "refund", "Refund ", "order")[at % 4]) for at in range(40)]
    rows += [labelled("One more", "Refund")]
    found = next(finding for finding in find(labels, rows) if "another way" in finding.title)
    assert len(found.rows) == 20
    assert "“refund” for “Refund”" in found.text
    new = after(rows, mend(rows, found, "unify"))
    assert {row.label for row in new} == {"Refund", "order"}
    assert all(row.messages[-1]["content"] == row.label for row in new)
    assert [row.messages[0] for row in new] == [row.messages[0] for row in rows]
    assert_mends(labels, rows, found, About())


def test_answers_are_labels_where_the_goal_is_sorting() -> None:
    rows = [pair(f"Text {at}", "Yes" if at % 2 else "no") for at in range(20)] + [pair("Text", "NO")]
    assert find(labels, rows) == []
    found = find(labels, rows, goal="sorting")
    assert [finding.rows for finding in found] == [(20,)]
    assert after(rows, mend(rows, found[0], "unify"))[20] == pair("Text", "no")
    assert find(labels, [pair(f"Text {at}", f"A long text {at} " * 20) for at in range(20)], goal="sorting") == []


def test_rare_and_uneven_labels() -> None:
    names = ["common"] * 60 + ["usual"] * 20 + ["scarce"] * 6 + ["rare"] * 4
    rows = [labelled(f"Text {at}", name) for at, name in enumerate(names)]
    rare, uneven = find(labels, rows)
    assert (rare.title, rare.rows) == ("1 label with fewer than 5 rows", (86, 87, 88, 89))
    assert uneven.rows == tuple(range(80, 86))
    assert "“common” has 60 rows, 10 times as many as the rarest." in uneven.text
    assert uneven.remedies == ()
    assert_mends(labels, rows, rare, About())
    assert find(labels, [labelled(f"Text {at}", f"label {at % 7}") for at in range(70)]) == []


def test_languages_are_named() -> None:
    rows = [*fine(60), *(pair("When do you open?", SAID[name]) for name in ("German", "French") for _ in range(3))]
    found = only(languages, rows)
    assert found.rows == tuple(range(60, 66))
    assert "German (3), French (3)" in found.text
    assert found.remedies[0].label == "Keep only English"
    assert found.notes[60] == "German."
    assert_mends(languages, rows, found, About())


@pytest.mark.parametrize("name", SAID)
def test_a_language_by_its_answer_or_its_text(name: str) -> None:
    assert language_of(pair("What do you say?", SAID[name])) == name
    assert language_of(prose(SAID[name])) == name
    assert language_of(labelled(SAID[name], "hours")) == name


@pytest.mark.parametrize("text", ["", "ok", "12345 67", "\x00\x01", "\ud800", "a\u0300" * 900, "🥐🥖" * 50])
def test_texts_in_no_language(text: str) -> None:
    assert language_of(prose(text)) == ""


def test_names_and_single_rows_are_no_language() -> None:
    rows = [*fine(60), pair("Who?", "Pau Gasol i Sáez"), pair("Wo?", SAID["German"])]
    assert find(languages, rows) == []


def test_too_few_rows() -> None:
    found = only(amount, fine(30))
    assert found.title == "Only 30 different rows to learn from"
    assert "OpenAI" in found.text and found.remedies == ()
    assert find(amount, fine(60)) == []
    assert only(amount, fine(30) * 3).title.startswith("Only 30")
    assert only(amount, fine(60), splits=["train"] * 40 + ["validation"] * 20).title.startswith("Only 40")
    assert find(amount, []) == []


def test_sorting_needs_rows_of_every_label() -> None:
    rows = [labelled(f"Text {at}", "abc"[at % 3]) for at in range(24)]
    assert find(amount, rows, goal="sorting") == []
    assert only(amount, rows[:-1], goal="sorting").title == "Only 7 different rows of the rarest label"


def test_lengths_may_be_an_array() -> None:
    rows: list[Example] = fine(3)
    assert only(too_long, rows, lengths=np.array([1, 50, 2]), max_length=9).rows == (1,)
