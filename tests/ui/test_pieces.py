"""What a person wrote can never become markup, and numbers read as people say them."""

from __future__ import annotations

import pytest
from markupsafe import Markup

from studio.ui import pieces, plan

NASTY = "<img src=x onerror=alert(1)>\"'&"


@pytest.mark.parametrize(
    "made",
    [
        pieces.head(NASTY, NASTY),
        pieces.facts({NASTY: NASTY}),
        pieces.checks([("ok", NASTY)]),
        pieces.tag(NASTY, NASTY),
        pieces.bar(NASTY, [(3.0, NASTY)]),
        pieces.legend([("c-accent", NASTY, NASTY)]),
        pieces.table([NASTY], [[NASTY]], caption=NASTY),
        pieces.notice(NASTY, NASTY, NASTY),
        pieces.several(NASTY, [NASTY]),
        pieces.waiting(NASTY, NASTY),
        pieces.bubbles([{"role": "user", "content": NASTY}, {"role": NASTY, "content": NASTY}]),
        pieces.tokens([(NASTY, True), (NASTY, False)]),
        pieces.brand(NASTY, NASTY),
    ],
)
def test_every_piece_escapes(made: Markup) -> None:
    assert isinstance(made, Markup)
    assert "<img" not in made
    assert "&lt;img src=x onerror=alert(1)&gt;&#34;&#39;&amp;" in made


def test_show_escapes_text_and_keeps_markup() -> None:
    assert pieces.show("<b>")["value"] == "&lt;b&gt;"
    assert pieces.show(Markup("<b>x</b>"))["value"] == "<b>x</b>"


def test_tokens_colour_only_what_is_learned_and_keep_every_letter() -> None:
    made = pieces.tokens([("<|im_start|>user\nHi", False), (" Hello", True), ("<|im_end|>", True)])
    assert made.count("<mark") == 2
    assert '<mark class="end">&lt;|im_end|&gt;</mark>' in made
    assert "&lt;|im_start|&gt;user<br>Hi" in made


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (None, ""),
        (float("nan"), ""),
        (-1, ""),
        (10, "under a minute"),
        (80, "about 1 min"),
        (240, "about 4 min"),
        (9300, "about 2.5 h"),
        (7200, "about 2 h"),
        (90000, "about 25 h"),
    ],
)
def test_duration(seconds: float | None, said: str) -> None:
    assert pieces.duration(seconds) == said


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        ("3 min", "6 min", "3 to 6 min"),
        ("40 min", "2 h", "40 min to 2 h"),
        ("1.5 h", "3 h", "1.5 to 3 h"),
        ("3 min", "3 min", ""),
        ("", "3 min", ""),
    ],
)
def test_a_range_names_its_unit_once(low: str, high: str, said: str) -> None:
    assert plan.between(low, high) == said


def test_count_and_short() -> None:
    assert pieces.count(1, "row") == "1 row"
    assert pieces.count(1204, "row") == "1,204 rows"
    assert pieces.short("abcdef", 4) == "abc…"
    assert pieces.short("abcd", 4) == "abcd"


def test_facts_leave_out_what_is_unknown_but_not_zero() -> None:
    made = pieces.facts({"A": None, "B": "", "C": 0})
    assert "<dt>C</dt><dd>0</dd>" in made
    assert made.count("<dt>") == 1
