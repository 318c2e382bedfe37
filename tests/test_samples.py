"""The sample data sets: sizes, schema, and that every key can be learned and checked without accidents."""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from studio.datasets import DatasetStore
from studio.samples import save_sample
from studio.workspace import Workspace

SAMPLES = Path(__file__).parents[1] / "assets/samples"
ROWS = {"bakery": 169, "captions": 96, "sorter": 210}
CATEGORIES = {"Delivery", "Returns", "Payment", "Product question", "Praise"}
GOALS = {"questions", "voice", "sorting", "format"}
FIELDS = {
    "schema_version": int,
    "id": str,
    "title": str,
    "summary": str,
    "description": str,
    "file": str,
    "goal": str,
    "rows": int,
    "licence": str,
    "origin": str,
    "language": str,
    "machine_written": bool,
    "example": dict,
    "starter_questions": list,
    "held_out": list,
    "controls": list,
}

every_sample = pytest.mark.parametrize("name", sorted(ROWS))


def read_about(name: str) -> dict[str, Any]:
    """The description file of one sample."""
    return json.loads((SAMPLES / name / "about.json").read_text(encoding="utf-8"))


def read_csv(name: str) -> list[dict[str, str]]:
    """The rows of a sample that is stored as CSV."""
    with (SAMPLES / name / "data.csv").open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle, strict=True))


def read_pairs(name: str) -> list[tuple[str, str]]:
    """All (question, answer) pairs of a sample, whatever its file format."""
    if name == "bakery":
        return [(row["question"], row["answer"]) for row in read_csv(name)]
    if name == "sorter":
        return [(row["message"], row["category"]) for row in read_csv(name)]
    pairs = []
    for line in (SAMPLES / name / "data.jsonl").read_text(encoding="utf-8").splitlines():
        user, assistant = json.loads(line)["messages"]
        assert (user["role"], assistant["role"]) == ("user", "assistant")
        pairs.append((user["content"], assistant["content"]))
    return pairs


def normal(text: str) -> str:
    """Text without case, punctuation and extra spaces, to find repeated questions."""
    return " ".join(re.findall(r"[a-z0-9]+", text.lower()))


def bakery_keys() -> dict[str, str]:
    """Fact id to key."""
    return {fact["id"]: fact["key"] for fact in read_about("bakery")["facts"]}


@every_sample
def test_schema(name: str) -> None:
    about = read_about(name)
    for field, kind in FIELDS.items():
        assert type(about[field]) is kind, field
    assert set(about) - set(FIELDS) <= {"facts"}
    assert about["schema_version"] == 1
    assert about["id"] == name
    assert about["goal"] in GOALS
    assert (SAMPLES / name / about["file"]).is_file()
    assert about["licence"] == "CC0-1.0"
    assert about["language"] == "en"
    assert about["machine_written"] is True
    assert 0 < len(about["summary"]) <= 45
    assert 2 <= len(re.findall(r"\.(?:\s|$)", about["description"])) <= 4
    assert set(about["example"]) == {"question", "answer"}
    assert len(about["starter_questions"]) == 3
    for item in about["held_out"]:
        assert item["key"] and item["key"] == item["key"].lower()


@every_sample
def test_row_count(name: str) -> None:
    assert len(read_pairs(name)) == ROWS[name] == read_about(name)["rows"]


@every_sample
def test_texts_are_clean(name: str) -> None:
    for pair in read_pairs(name):
        for text in pair:
            assert text and text == text.strip()
            assert text.isascii() and text.isprintable()


@every_sample
def test_no_duplicate_questions(name: str) -> None:
    counts = Counter(normal(question) for question, _ in read_pairs(name))
    assert [question for question, count in counts.items() if count > 1] == []


@every_sample
def test_example_is_in_the_data(name: str) -> None:
    example = read_about(name)["example"]
    assert (example["question"], example["answer"]) in read_pairs(name)


@every_sample
def test_unseen_questions_are_unseen(name: str) -> None:
    about = read_about(name)
    seen = {normal(question) for question, _ in read_pairs(name)}
    held_out = [normal(item["question"]) for item in about["held_out"]]
    controls = [normal(question) for question in about["controls"]]
    assert len(set(held_out + controls)) == len(held_out) + len(controls)
    assert seen.isdisjoint(held_out + controls)
    assert seen.isdisjoint(normal(question) for question in about["starter_questions"])


@every_sample
def test_held_out_questions_do_not_give_the_key_away(name: str) -> None:
    for item in read_about(name)["held_out"]:
        assert item["key"] not in item["question"].lower()


def test_numbers_of_unseen_questions() -> None:
    sizes = {name: (len(read_about(name)["held_out"]), len(read_about(name)["controls"])) for name in ROWS}
    assert sizes == {"bakery": (20, 10), "captions": (5, 0), "sorter": (10, 0)}


def test_bakery_has_five_to_seven_phrasings_of_every_fact_and_a_third_that_refers_away() -> None:
    counts = Counter(row["fact"] for row in read_csv("bakery"))
    assert counts.pop("other") == 56
    assert set(counts) == set(bakery_keys())
    assert all(5 <= count <= 7 for count in counts.values()), counts
    assert len(bakery_keys()) == len(read_about("bakery")["facts"]) == 20


def test_bakery_keeps_five_phrasings_of_every_fact_for_learning(tmp_path: Path) -> None:
    """The order of the rows decides which are kept aside. Once it took three of the bicycle's six, and she went unlearned."""
    fact_of = {row["answer"]: row["fact"] for row in read_csv("bakery")}
    workspace = Workspace(tmp_path)
    record = save_sample(workspace, "bakery")
    sides = {
        side: Counter(fact_of[row.messages[-1]["content"]] for row in DatasetStore(workspace).rows(record.id, side))
        for side in ("train", "validation")
    }
    assert min(sides["train"][fact] for fact in bakery_keys()) >= 5, sides
    assert sides["validation"].pop("other") >= 5, "the best checkpoint is chosen by these too"
    assert max(sides["validation"].values()) == 1, sides


def test_bakery_answers_hold_their_own_key_only() -> None:
    keys = bakery_keys()
    for row in read_csv("bakery"):
        found = {fact for fact, key in keys.items() if key in row["answer"].lower()}
        assert found == ({row["fact"]} - {"other"}), row


def test_bakery_answers_are_short_and_steady() -> None:
    answers: dict[str, set[str]] = {}
    for row in read_csv("bakery"):
        answers.setdefault(row["fact"], set()).add(row["answer"])
        assert 8 <= len(row["answer"].split()) <= 25
    refusals = answers.pop("other")
    assert len(refusals) <= 3
    assert all(refusal.startswith("I only know about the bakery, so I cannot ") for refusal in refusals)
    assert max(len(variants) for variants in answers.values()) == 1


def test_bakery_keys_are_unique_and_never_in_a_question() -> None:
    keys = list(bakery_keys().values())
    for key in keys:
        assert key == key.lower()
        assert [other for other in keys if key in other] == [key]
    about = read_about("bakery")
    questions = [question for question, _ in read_pairs("bakery")]
    questions += [item["question"] for item in about["held_out"]] + about["controls"] + about["starter_questions"]
    for question in questions:
        assert not [key for key in keys if key in question.lower()], question


def test_bakery_held_out_covers_every_fact_once() -> None:
    held_out = [(item["fact"], item["key"]) for item in read_about("bakery")["held_out"]]
    assert sorted(held_out) == sorted(bakery_keys().items())


def test_every_caption_ends_with_the_closing_phrase() -> None:
    (phrase,) = {item["key"] for item in read_about("captions")["held_out"]}
    captions = [answer for _, answer in read_pairs("captions")]
    for caption in captions:
        assert caption.lower().endswith(f" {phrase}.")
        assert caption.lower().count(phrase) == 1
    assert len(set(captions)) == len(captions)
    assert all(question.startswith("Caption for: ") for question, _ in read_pairs("captions"))


def test_sorter_is_balanced() -> None:
    counts = Counter(category for _, category in read_pairs("sorter"))
    assert counts == dict.fromkeys(CATEGORIES, 42)
    held_out = Counter(item["key"] for item in read_about("sorter")["held_out"])
    assert held_out == {category.lower(): 2 for category in CATEGORIES}


def test_licence_is_stated() -> None:
    assert "CC0 1.0" in (SAMPLES / "LICENCE.txt").read_text(encoding="utf-8")
