"""Nested items and several lists in one file become flat rows, with what cannot be used left out by name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.data.convert import convert
from studio.data.detect import detect
from studio.data.read import read
from studio.data.readers.reading import Reading
from studio.data.shapes import trees
from studio.errors import StudioError
from tests.data.files import write


def reading_of(tmp_path: Path, whole: Any, **how: Any) -> Reading:
    return read(write(tmp_path, "a.json", json.dumps(whole)), **how)


def message(text: str, *replies: dict[str, Any], role: str = "assistant", **more: Any) -> dict[str, Any]:
    return {"text": text, "role": role, "replies": list(replies)} | more


def asked(text: str, *replies: dict[str, Any], **more: Any) -> dict[str, Any]:
    return message(text, *replies, role="prompter", **more)


def path_of(root: dict[str, Any]) -> list[str]:
    return [turn["content"] for row in trees.rows({"prompt": root}) for turn in row["messages"]]


@pytest.mark.parametrize(
    ("root", "path"),
    [
        (asked("Q", message("worse", rank=1), message("best", rank=0)), ["Q", "best"]),
        (asked("Q", message("first"), message("second")), ["Q", "first"]),
        (asked("Q", message("no rank"), message("ranked", rank=5)), ["Q", "ranked"]),
        (asked("Q", message("same", rank=0), message("same rank", rank=0)), ["Q", "same"]),
        (asked("Q", message("gone", rank=0, deleted=True), message("here", rank=1)), ["Q", "here"]),
        (asked("Q", message("A", asked("R", message("B")))), ["Q", "A", "R", "B"]),
        (asked("Q", message("odd", rank="high"), message("ranked", rank=2)), ["Q", "ranked"]),
    ],
)
def test_the_best_ranked_path_of_a_tree(root: dict[str, Any], path: list[str]) -> None:
    assert path_of(root) == path


def test_trees_become_chats_and_lonely_prompts_are_left_out(tmp_path: Path) -> None:
    trees = [{"message_tree_id": "1", "prompt": asked("Q?", message("A."))}, {"message_tree_id": "2", "prompt": asked("R?")}]
    found = read(write(tmp_path, "a.jsonl", "\n".join(map(json.dumps, trees))))
    assert [(item.row, item.reason) for item in found.left_out] == [(2, "The tree holds no reply.")]
    assert "best-ranked" in found.notes[0]
    done = convert(found, detect(found))
    assert [turn["role"] for turn in done.examples[0].messages] == ["user", "assistant"]
    assert done.examples[0].source_row == 1


def test_a_tree_of_a_thousand_replies_in_a_row() -> None:
    root = here = asked("0")
    for number in range(1000):
        here["replies"] = [message(str(number))]
        here = here["replies"][0]
    assert len(path_of(root)) == 1001


def test_seed_tasks(tmp_path: Path) -> None:
    instances = [{"input": "one", "output": "1"}, {"input": "", "output": "2"}, 5]
    tasks = [{"id": "a", "instruction": "Count.", "instances": instances}, {"instruction": "Nothing.", "instances": []}]
    found = reading_of(tmp_path, tasks)
    assert found.row_numbers == [1, 1]
    assert [(item.row, item.reason) for item in found.left_out] == [
        (1, "An instance of the task is not an object."),
        (2, "The task has no instance with an answer."),
    ]
    done = convert(found, detect(found))
    assert [example.messages[0]["content"] for example in done.examples] == ["Count.\n\none", "Count."]


def test_squad_questions_without_an_answer_are_left_out(tmp_path: Path) -> None:
    good = {"question": "Who?", "answers": [{"text": "Anna"}, {"text": "Ms Anna"}], "is_impossible": False}
    plausible = {"question": "When?", "answers": [], "plausible_answers": [{"text": "1900"}], "is_impossible": True}
    article = {"title": "T", "paragraphs": [{"context": "Anna bakes.", "qas": [good, plausible, 5]}, 5]}
    found = reading_of(tmp_path, {"version": "v2.0", "data": [article, article]})
    assert found.row_numbers == [1, 4]
    assert [(item.row, item.excerpt) for item in found.left_out] == [(2, "When?"), (3, ""), (5, "When?"), (6, "")]
    assert found.left_out[0].reason == "The question is marked as one that its text does not answer."
    done = convert(found, detect(found))
    assert [turn["content"] for turn in done.examples[0].messages] == ["Who?\n\nAnna bakes.", "Anna"]


def test_pieces_of_utterances(tmp_path: Path) -> None:
    pieces = [
        {"text": "play "},
        {"text": "Alma ", "entity": "artist"},
        {"text": "on "},
        {"text": "Radio", "slot_name": "service"},
    ]
    found = reading_of(tmp_path, {"PlayMusic": [{"data": pieces}, {"data": [{"text": "play music"}]}]})
    assert found.rows[0] == {"text": "play Alma on Radio", "entities": "artist: Alma\nservice: Radio"}
    mapping = detect(found)
    assert (mapping.format, mapping.columns) == ("pairs", {"question": "text", "answer": "entities"})
    assert [item.reason for item in convert(found, mapping).left_out] == ["The answer is empty."]


SPLITS = {f"oos_{part}": [[f"{part} text number {n}", "oos"] for n in range(4)] for part in ("val", "test")}


def test_splits_of_one_form_are_read_together_or_alone(tmp_path: Path) -> None:
    found = reading_of(tmp_path, SPLITS)
    assert (found.sheet, found.sheets, len(found.rows)) == ("all of them", ("all of them", "oos_val", "oos_test"), 8)
    assert found.rows[0] == {"text": "val text number 0", "label": "oos", "part": "oos_val"}
    mapping = detect(found)
    assert (mapping.format, mapping.sure, mapping.columns) == ("labels", "guess", {"text": "text", "label": "label"})
    assert "same category" in mapping.reason
    assert len(reading_of(tmp_path, SPLITS, sheet="oos_test").rows) == 4
    with pytest.raises(StudioError, match="no list “nothing”"):
        reading_of(tmp_path, SPLITS, sheet="nothing")


def test_tasks_of_several_forms_are_like_sheets(tmp_path: Path) -> None:
    tasks = {
        "sst2": [{"idx": n, "sentence": f"good film {n}", "label": n % 2} for n in range(4)],
        "rte": [{"idx": n, "sentence1": f"first {n}", "sentence2": f"second {n}", "label": n % 2} for n in range(6)],
    }
    found = reading_of(tmp_path, tasks)
    assert (found.sheet, found.sheets) == ("rte", ("sst2", "rte"))
    assert detect(found).columns == {"text": "sentence1", "second": "sentence2", "label": "label"}
    other = reading_of(tmp_path, tasks, sheet="sst2")
    assert detect(other).columns == {"text": "sentence", "label": "label"}
    assert [example.label for example in convert(other, detect(other)).examples] == ["0", "1", "0", "1"]


def test_a_split_called_train_is_read_first(tmp_path: Path) -> None:
    rows = [{"question": "Q", "answer": "A"}]
    found = reading_of(tmp_path, {"test": rows * 9, "train": rows})
    assert (found.sheet, len(found.rows)) == ("train", 1) and "test" in found.notes[0]


def test_pairs_of_questions_and_answers_are_not_labels(tmp_path: Path) -> None:
    pairs = [[f"Question {n}?", f"Answer number {n}."] for n in range(9)]
    assert reading_of(tmp_path, {"one": pairs, "two": pairs}).columns == ("column 1", "column 2")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["paragraphs", "qas", "instances", "instruction", "replies", "text", "prompt", "data", "mapping", "messages"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@pytest.mark.long
@given(whole=JSON)
def test_any_json_is_read_or_refused_with_a_sentence(tmp_path_factory: pytest.TempPathFactory, whole: Any) -> None:
    path = tmp_path_factory.getbasetemp() / "any.json"
    path.write_text(json.dumps(whole))
    try:
        found = read(path)
        convert(found, detect(found))
    except StudioError as error:
        assert error.what and error.why and error.fix
