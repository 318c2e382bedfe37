"""The Chat tab: what may be sent, what is shown, and real answers of a tiny model beside its base."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from studio.config import RunConfig
from studio.datasets import DatasetStore
from studio.errors import Busy, NotFound, StudioError
from studio.models.catalog import ModelCatalog
from studio.records import Example
from studio.runs import RunStore
from studio.training.job import train_run
from studio.ui import answering, chat_parts, conversation
from studio.ui import words_runs as words
from studio.ui.app import Page
from studio.ui.guard import guarded
from studio.ui.studio import Studio
from studio.ui.tabs import chat
from studio.workspace import Workspace
from tests.ui.run_folders import make_run

RTL, ZERO = "\u202e", "\u200b"


@pytest.fixture(scope="module")
def trained(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """(workspace, run): one run of the tiny model, really trained for a few steps."""
    workspace = Workspace(tmp_path_factory.mktemp("trained") / "workspace")
    model_id = ModelCatalog(workspace).register_local(str(tiny_model)).id
    turns = [
        ({"role": "user", "content": f"what is {n}"}, {"role": "assistant", "content": "blue " * (n % 3 + 1)}) for n in range(8)
    ]
    examples = [Example(messages=turn, source_row=at) for at, turn in enumerate(turns, 2)]
    splits = ["validation"] * 2 + ["train"] * 6
    record = DatasetStore(workspace).create("words", examples, splits, format="pairs", seed=1)
    config = RunConfig(name="Tiny voice").replace(
        dataset_id=record.id,
        dataset_sha256=record.sha256,
        base_model=model_id,
        quantization="none",
        r=4,
        learning_rate=2e-2,
        num_train_epochs=3,
        evaluations=1,
    )
    run_id = RunStore(workspace).create(config)
    assert train_run(workspace.folder("runs", run_id)).state == "finished"
    return workspace.root, run_id


@pytest.fixture
def tuned(trained: tuple[Path, str], page: Page, tmp_path: Path) -> Iterator[tuple[Studio, Page, str]]:
    """The page, and a workspace of its own that holds the trained run."""
    root, run_id = trained
    studio = Studio.open(shutil.copytree(root, tmp_path / "copy"))
    yield studio, page, run_id
    studio.close(10)


def form(run_id: str, message: Any = "what is 3", **changes: Any) -> list[Any]:
    """What the page sends: message, turns, writing, mode, run, temperature, length, system."""
    values = {
        "message": message,
        "turns": [],
        "writing": None,
        "mode": words.BOTH,
        "run_id": run_id,
        "temperature": 0.0,
        "length": 12,
        "system": "",
    }
    return list({**values, **changes}.values())


def ask(studio: Studio, page: Page, *values: Any) -> list[dict]:
    """Every update of one question."""
    return list(chat.send(studio, page.views["chat"], page.shell, *values))


# ---- texts


def test_terminal_codes_and_unseen_characters_are_dropped() -> None:
    assert conversation.clean(f"a\x1b[31mred\x1b[0m \x1b]0;title\x07b{ZERO}c{RTL}d\x00") == "ared bcd"
    assert conversation.clean("line\r\nnext\ttab") == "line\nnext\ttab"
    assert conversation.clean("می\u200cخواهم 👩\u200d🍳") == "می\u200cخواهم 👩\u200d🍳"


def test_nothing_a_person_or_model_writes_becomes_markup() -> None:
    turn = conversation.new_turn("r", "<img src=x onerror=alert(1)>\nsecond line", ("base", "tuned"), "Writing")
    turn["answers"]["base"]["text"] = "<script>alert(1)</script> [x](javascript:alert(1)) ![](http://evil/x.png) ${1+1} {{7*7}}"
    shown = str(conversation.talk([turn], writing=True))
    assert "<img" not in shown
    assert "<script" not in shown
    assert "<a" not in shown
    assert "second line" in shown and "<br>" in shown
    assert "${1+1} {{7*7}}" in shown


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ("", "empty"),
        ("  \n\u200b\x1b[0m ", "empty"),
        ("x" * (conversation.MOST_CHARACTERS + 1), "8,001"),
        (None, "empty"),
        (7, "empty"),
    ],
)
def test_messages_that_cannot_be_sent(message: Any, reason: str) -> None:
    with pytest.raises(StudioError, match=reason):
        conversation.checked_message(message, [])


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -0.1, 2.1, "1", None, True, [1]])
def test_numbers_that_cannot_be_used(value: Any) -> None:
    with pytest.raises(StudioError, match="between 0 and 2"):
        conversation.checked_number(value, "Temperature", 0.0, 2.0)


def test_each_side_goes_on_with_its_own_answers() -> None:
    first = conversation.new_turn("r", "one", ("base", "tuned"), "")
    first["answers"]["base"]["text"], first["answers"]["tuned"]["text"] = "base says", "tuned says"
    alone = conversation.new_turn("r", "two", ("tuned",), "")
    alone["answers"]["tuned"]["text"] = "tuned again"
    newest = conversation.new_turn("r", "three", ("base", "tuned"), "")
    base, tuned = (conversation.history([first, alone, newest], side) for side in ("base", "tuned"))
    assert [item["content"] for item in base] == ["one", "base says", "three"]
    assert [item["content"] for item in tuned] == ["one", "tuned says", "two", "tuned again", "three"]
    assert [sides for sides, _ in answering.together([first], ("base", "tuned"))] == [("base", "tuned")]
    assert [sides for sides, _ in answering.together([first, newest], ("base", "tuned"))] == [("base",), ("tuned",)]


def test_turns_of_another_run_and_forged_ones_are_forgotten() -> None:
    mine, other = conversation.new_turn("mine", "a", ("tuned",), ""), conversation.new_turn("other", "b", ("tuned",), "")
    assert conversation.known_turns([mine, other, "x", None, 5], "mine") == [mine]
    assert conversation.known_turns("nonsense", "mine") == []


# ---- who can be talked to


def test_runs_with_an_adapter_can_be_talked_to(studio: Studio, page: Page) -> None:
    finished, stopped = make_run(studio, "Finished"), make_run(studio, "Stopped", state="stopped", step=40)
    make_run(studio, "Nothing kept", state="failed", step=4, adapter=False, error={"what": "x"})
    assert {item for _, item in chat_parts.talkable(studio)} == {finished, stopped}
    view = page.views["chat"]
    found = chat.refresh(studio, view, page.shell, None, None, finished)
    assert found[view.who]["value"] == finished
    assert "80, best" in found[view.side]["value"]
    assert found[view.composer]["visible"]


def test_without_a_trained_model_it_says_what_comes_first(studio: Studio, page: Page) -> None:
    view = page.views["chat"]
    found = chat.refresh(studio, view, page.shell, None, None, None)
    assert found[view.page]["visible"] is False
    assert (found[view.next]["value"], found[view.next]["interactive"]) == ("First train a model", False)


def test_a_sample_brings_its_own_questions(studio: Studio) -> None:
    title, questions = chat_parts.suggestions(studio, make_run(studio))
    assert title == words.TRY_THESE
    assert len(questions) == 3
    learned = {item["content"] for row in studio.datasets.rows(studio.datasets.ids()[0], "train") for item in row.messages}
    assert not learned & set(questions)


def test_while_training_the_chat_waits(studio: Studio, page: Page) -> None:
    make_run(studio, "Old")
    live = make_run(studio, "Bakery voice", state="running", step=42, eta_seconds=120.0)
    lock = studio.runs.lock(live)
    assert lock.acquire("a trainer")
    view = page.views["chat"]
    try:
        found = chat.refresh(studio, view, page.shell, None, None, live)
        assert "training holds this computer until about" in found[view.waiting]["value"]
        assert "“Bakery voice” is done" in found[view.waiting]["value"]
        assert "Step 42 of 80, about 2 min left" in found[view.waiting]["value"]
        assert "answer 0 at 40" in found[view.meanwhile]["value"]
        assert found[view.composer]["visible"] is False
        with pytest.raises(Busy):
            ask(studio, page, *form(live))
        assert chat.see_training(studio, view, page.shell)[page.shell.run_id] == live
        waited = chat.look_again(studio, view, page.shell, live, True, "")
        assert view.opener not in waited
        assert chat.look_again(studio, view, page.shell, live, True, waited[view.seen]) == {}
    finally:
        lock.release()
    freed = chat.look_again(studio, view, page.shell, live, True, waited[view.seen])
    assert freed[view.opener].active
    assert freed[view.composer]["visible"]


# ---- answers of a real, tiny model


def test_both_sides_answer_and_the_base_is_the_base(tuned: tuple[Studio, Page, str]) -> None:
    studio, page, run_id = tuned
    view = page.views["chat"]
    seen = ask(studio, page, *form(run_id))
    assert words.LOADING in seen[0][view.talk]["value"]
    assert seen[0][view.stop]["visible"] and not seen[0][view.send]["interactive"]
    assert studio.engine.opened == run_id
    answers = seen[-1][view.turns][-1]["answers"]
    assert answers["base"]["done"] and answers["tuned"]["done"]
    assert answers["base"]["text"] != answers["tuned"]["text"]
    assert not seen[-1][view.stop]["visible"] and seen[-1][view.send]["interactive"]
    assert seen[-1][view.writing] is None
    assert not view.answering.active(seen[0][view.writing])
    again = ask(studio, page, *form(run_id, mode=words.TUNED))
    assert list(again[-1][view.turns][-1]["answers"]) == ["tuned"]
    assert again[-1][view.turns][-1]["answers"]["tuned"]["text"] == answers["tuned"]["text"]


def test_a_conversation_goes_on(tuned: tuple[Studio, Page, str]) -> None:
    studio, page, run_id = tuned
    view = page.views["chat"]
    first = ask(studio, page, *form(run_id))[-1][view.turns]
    both = ask(studio, page, *form(run_id, "and 4", turns=first))[-1][view.turns]
    assert [turn["user"] for turn in both] == ["what is 3", "and 4"]
    assert all(answer["done"] for answer in both[-1]["answers"].values())


def test_stop_ends_it_and_keeps_what_came(tuned: tuple[Studio, Page, str]) -> None:
    studio, page, run_id = tuned
    view = page.views["chat"]
    writing = chat.send(studio, view, page.shell, *form(run_id, length=400))
    key = next(writing)[view.writing]
    with pytest.raises(StudioError, match="already being answered"):
        ask(studio, page, *form(run_id, writing=key))
    chat.stop(studio, view, page.shell, key)
    last = list(writing)[-1]
    assert all(answer["done"] for answer in last[view.turns][-1]["answers"].values())
    assert words.CUT in last[view.talk]["value"]
    assert last[view.send]["interactive"]


def test_a_page_that_leaves_ends_its_answer(tuned: tuple[Studio, Page, str]) -> None:
    studio, page, run_id = tuned
    view = page.views["chat"]
    writing = chat.send(studio, view, page.shell, *form(run_id, length=400))
    key = next(writing)[view.writing]
    writing.close()
    assert not view.answering.active(key)
    assert ask(studio, page, *form(run_id))[-1][view.turns][-1]["answers"]["tuned"]["done"]


def test_a_model_deleted_in_mid_conversation_gives_a_notice(tuned: tuple[Studio, Page, str]) -> None:
    studio, page, run_id = tuned
    ask(studio, page, *form(run_id))
    studio.runs.delete(run_id)
    with pytest.raises(NotFound, match="cannot be asked any more"):
        ask(studio, page, *form(run_id))


def test_a_failure_gives_the_question_back(tuned: tuple[Studio, Page, str]) -> None:
    studio, page, run_id = tuned
    view = page.views["chat"]
    studio.catalog.forget(studio.runs.config(run_id).model.base_model)
    seen = list(guarded(chat.send)(studio, view, page.shell, *form(run_id, "my question")))
    assert seen[-1][view.message] == "my question"
    assert seen[-1][view.turns] == []
    assert 'role="alert"' in seen[-1][view.notice]["value"]
    assert seen[-1][view.send]["interactive"]


def test_answering_can_be_stopped_from_another_thread() -> None:
    running = answering.Answering()
    event = running.start("a")
    threading.Thread(target=running.stop, args=("a",)).start()
    assert event.wait(2)
    running.end("a")
    running.stop("a")
    running.stop(None)
    assert not running.active("a")
