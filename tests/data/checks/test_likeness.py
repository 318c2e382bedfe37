"""Copies, near copies, contradictions, and rows that stand on both sides."""

from __future__ import annotations

import difflib
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from studio.data.checks import About, conflicts, duplicates, leaks, mend, near_duplicates
from studio.data.checks.sketch import Sketches, sketch
from studio.records import Example
from tests.data.checks.rows import after, assert_mends, find, fine, labelled, only, pair, prose

LONG = " ".join(f"The {word} was built in its own way by people whom nobody remembers." for word in ("mill", "church", "bridge"))


def test_later_copies_go_and_the_first_stays() -> None:
    rows = [*fine(4), pair("When?", "Now."), pair("when? ", "NOW."), pair("When?", "Later."), pair("When?", "Now.")]
    found = only(duplicates, rows)
    assert found.rows == (5, 7)
    assert found.notes == {5: "Same as row 5 of these.", 7: "Same as row 5 of these."}
    assert after(rows, mend(rows, found, "keep_one")) == [*rows[:5], rows[6]]
    assert_mends(duplicates, rows, found, About())


def test_a_note_names_the_row_in_the_file() -> None:
    rows = [pair("When?", "Now.", row=12), pair("When?", "Now.", row=13)]
    assert only(duplicates, rows).notes == {1: "Same as row 12."}


NEAR = [
    (pair("When do you open on a Sunday in May?", LONG), pair("When do you open on a Sunday in may", f"{LONG}!"), True),
    (pair(f"Summarise this.\n\n{LONG}", "Old buildings."), pair(f"Summarise this!\n\n{LONG}", "Old buildings"), True),
    (prose(LONG), prose(f"{LONG} Yes."), True),
    (labelled("my card was not accepted there", "card"), labelled("my card was not accepted there!", "card"), True),
    # a new wording of one fact
    (pair("When do you open on a Sunday?", LONG), pair("From what hour can I come on Sundays?", LONG), False),
    (pair(f"Who built the mill?\n\n{LONG}", "Nobody knows"), pair(f"Say whose mill that is\n\n{LONG}", "Nobody knows"), False),
    # another number, another label, another answer
    (pair("What does a table for 12 cost in summer?", LONG), pair("What does a table for 13 cost in summer?", LONG), False),
    (labelled("my card was not accepted there", "card"), labelled("my card was not accepted there!", "shop"), False),
    (pair("When do you open on Sundays?", "At nine, every week."), pair("When do you open on Sundays!", "We never do."), False),
    (prose(LONG), prose(LONG.upper()[::-1]), False),
    (prose("ab " * 8000 + "first"), prose("ab " * 8000 + "second"), False),
]  # fmt: skip


@pytest.mark.parametrize(("one", "two", "alike"), NEAR)
def test_near_copies(one: Example, two: Example, alike: bool) -> None:
    rows = [one, *fine(30), two]
    found = find(near_duplicates, rows)
    assert [finding.rows for finding in found] == ([(31,)] if alike else [])
    splits = ["train", *["train"] * 30, "validation"]
    leaked = find(leaks, rows, splits=splits)
    assert [finding.rows for finding in leaked] == ([(31,)] if alike else [])
    for check, findings in ((near_duplicates, found), (leaks, leaked)):
        for finding in findings:
            assert_mends(check, rows, finding, About(splits=splits))


def test_exact_copies_are_not_near_copies() -> None:
    assert find(near_duplicates, [pair("When?", "Now."), pair("when?", "now.")]) == []


def test_every_row_that_goes_has_a_twin_that_stays() -> None:
    chance = random.Random(3)
    words = LONG.split()
    rows = [pair("Tell me about old buildings, please", LONG)]
    for _ in range(200):  # a long walk away from the first, one word at a time
        words[chance.randrange(len(words))] = f"w{chance.choice('abcdefghij')}"
        rows.append(pair("Tell me about old buildings, please", " ".join(words)))
    found = only(near_duplicates, rows)
    left = set(range(len(rows))) - set(found.rows)
    assert 5 < len(left) < 100
    for at in found.rows:
        twin = int(found.notes[at].split("row ")[1].split(" ")[0]) - 1
        assert twin in left
    assert_mends(near_duplicates, rows, found, About())


def test_the_estimate_is_close_to_the_similarity() -> None:
    """The share of equal minima estimates the Jaccard similarity; its standard deviation is at most 0.072 for 48 minima."""
    chance = random.Random(1)
    errors = []
    for _ in range(60):
        words = [f"{chance.randrange(10**6)}".translate(str.maketrans("0123456789", "abcdefghij")) for _ in range(60)]
        other = [word if chance.random() < 0.9 else word[::-1] for word in words]
        one, two = (" ".join(text) for text in (words, other))
        a, b = ({text[at : at + 5] for at in range(len(text) - 4)} for text in (one, two))
        pair_of = sketch([prose(one), prose(two)])
        same = (pair_of.minima[0] == pair_of.minima[1])[-48:].mean()
        errors.append((same - 1 / 256) * 256 / 255 - len(a & b) / len(a | b))
    assert abs(np.mean(errors)) < 0.03
    assert np.std(errors) < 0.09


def test_sketches_are_the_same_every_time() -> None:
    one, two = sketch(fine(5)), sketch(fine(5))
    assert (one.minima == two.minima).all() and (one.bands == two.bands).all()
    assert one.minima.shape == Sketches.empty(5).minima.shape and one.bands.shape == Sketches.empty(5).bands.shape


@pytest.mark.timeout(60)
def test_many_rows_that_are_all_alike_take_no_longer() -> None:
    rows = [prose(f"{LONG} {ending}") for ending in ("one", "two", "six", "ten") for _ in range(1500)]
    splits = ["train" if at % 2 else "validation" for at in range(len(rows))]
    assert only(leaks, rows, splits=splits).rows == tuple(range(0, 6000, 2))
    assert only(near_duplicates, rows).rows == tuple(range(1500, 6000))


def test_a_sketch_does_not_depend_on_its_neighbours() -> None:
    chance = random.Random(2)
    rows = [*fine(3), prose(""), pair("x", "yz"), *(prose("".join(chance.choices("abcdef ", k=30_000))) for _ in range(60))]
    together = sketch(rows)  # more letters than are worked on at once
    for at, row in enumerate(rows):
        alone = sketch([row])
        assert (alone.minima[0] == together.minima[at]).all() and alone.exact[0] == together.exact[at]


@pytest.mark.long
@settings(max_examples=15, deadline=None)
@given(st.lists(st.text(max_size=20), min_size=1, max_size=8))
def test_near_copies_are_alike_in_the_eyes_of_difflib(texts: list[str]) -> None:
    rows = [pair(f"{text} and what do you think about it", f"{text} is what I think about") for text in texts]
    for finding in find(near_duplicates, rows):
        for at in finding.rows:
            said = rows[at].messages[0]["content"].casefold()
            others = (row.messages[0]["content"].casefold() for row in rows[:at])
            assert max(difflib.SequenceMatcher(None, said, other, autojunk=False).ratio() for other in others) > 0.7


def test_contradictions_and_their_three_remedies() -> None:
    rows = [
        pair("When do you open?", "At nine."),
        pair("when do you open", "At ten o'clock."),
        pair("When do you open?", "AT NINE."),
        pair("Where?", "Here."),
        pair("Where?", "here."),
        pair("When do you open?", "At six."),
        *fine(3),
    ]
    found = only(conflicts, rows)
    assert found.rows == (0, 1, 2, 5)
    assert found.notes[0] == "Another answer is in row 2."
    assert set(mend(rows, found, "keep_first")) == {1, 5}
    assert set(mend(rows, found, "keep_longest")) == {0, 2, 5}
    assert set(mend(rows, found, "take_out")) == {0, 1, 2, 5}
    assert_mends(conflicts, rows, found, About())


def test_what_was_said_before_belongs_to_the_question() -> None:
    def chat(system: str, first: str, answer: str) -> Example:
        said = (("system", system), ("user", first), ("assistant", "Yes?"), ("user", "Go on."), ("assistant", answer))
        return Example(messages=tuple({"role": role, "content": text} for role, text in said))

    different = [chat("Be kind.", "Hi", "One."), chat("Be rude.", "Hi", "Two."), chat("Be kind.", "Hello", "Three.")]
    assert find(conflicts, [*different, prose("One"), prose("Two")]) == []
    assert only(conflicts, [*different, chat("Be kind.", "Hi", "Four.")]).rows == (0, 3)


def test_a_voice_may_say_a_thing_in_many_ways() -> None:
    assert find(conflicts, [pair("When?", "Now."), pair("When?", "At once.")], goal="voice") == []


def test_leaks_need_two_sides() -> None:
    rows = [pair("When?", "Now."), pair("When?", "Now.")]
    for splits in ((), ["train", "train"], ["validation", "test"]):
        assert find(leaks, rows, splits=splits) == []
    found = only(leaks, rows, splits=["test", "train"])
    assert found.rows == (0,)
    assert found.notes == {0: "Almost the same as row 2 of these, which is learned from."}
    assert_mends(leaks, rows, found, About(splits=["test", "train"]))
