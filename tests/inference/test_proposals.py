"""Proposals on the disk, and the thread that writes them."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from studio.errors import Busy, NotFound, StudioError
from studio.inference.proposals import Kept, Proposals
from studio.inference.propose import Proposal
from studio.inference.proposing import Progress, Proposing
from tests.inference.documents import BREAD, Piece, Script

REPLY = "Q: How long does rye bread take?\nA: Rye bread takes 18 hours.\nQ: Who bakes?\nA: Mara bakes every night."
FALSE = "\nQ: What does the cake cost?\nA: The chocolate cake costs 12 francs."
SECONDS = 10.0


def some(*questions: str) -> list[Proposal]:
    return [Proposal(question, "Rye bread takes 18 hours.", BREAD, 1.0, True) for question in questions]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "draft-a").mkdir()
    return tmp_path / "draft-a"


def test_proposals_and_decisions_survive_a_reload(folder: Path) -> None:
    assert Proposals(folder).all() == []
    assert Proposals(folder).add(some("One?", "Two?", "Three?"), "Writer") == 3
    one, two, three = Proposals(folder).all()
    assert (one.question, one.place, one.heading, one.passage, one.writer) == (
        "One?",
        "page 3",
        "Our bread",
        BREAD.text,
        "Writer",
    )
    examples = Proposals(folder).accept([three.id, one.id])
    assert [(item.messages[0]["content"], item.source_row) for item in examples] == [("One?", 1), ("Three?", 3)]
    Proposals(folder).decide([two.id], "thrown away")
    assert [item.state for item in Proposals(folder).all()] == ["kept", "thrown away", "kept"]
    Proposals(folder).decide([one.id], "open")
    assert [item.id for item in Proposals(folder).kept()] == [three.id]


def test_the_same_question_of_the_same_passage_is_not_added_twice(folder: Path) -> None:
    store = Proposals(folder)
    store.add(some("One?"), "Writer")
    store.decide([store.all()[0].id], "thrown away")
    assert store.add(some("one", "Two?", "TWO?"), "Writer") == 1
    assert [(item.question, item.state) for item in store.all()] == [("One?", "thrown away"), ("Two?", "open")]


def test_a_cut_or_strange_line_loses_itself_alone(folder: Path) -> None:
    store = Proposals(folder)
    store.add(some("One?", "Two?"), "Writer")
    whole = store.path.read_bytes()
    store.path.write_bytes(whole[:-9] + b'\n[1]\nnull\n{"id": 3}\n{"id": "x", "state": "kept"}\n' + b'{"id": "cut", "questi')
    assert [item.question for item in store.all()] == ["One?"]
    store.add(some("Three?"), "Writer")
    assert [item.question for item in store.all()] == ["One?", "Three?"]


def test_who_wrote_them_is_said(folder: Path) -> None:
    store = Proposals(folder)
    store.add(some("One?", "Two?"), "SmolLM2")
    assert store.provenance("guide.md").machine_written is None
    store.accept([store.all()[0].id])
    said = store.provenance("guide.md")
    assert said.machine_written is True
    assert "SmolLM2" in said.origin
    assert said.original_file == "guide.md"


def test_what_is_not_there_cannot_be_decided(folder: Path) -> None:
    store = Proposals(folder)
    store.add(some("One?"), "Writer")
    with pytest.raises(NotFound):
        store.accept([store.all()[0].id, "gone"])
    assert store.all()[0].state == "open"
    with pytest.raises(StudioError):
        store.decide([store.all()[0].id], "maybe")
    with pytest.raises(NotFound):
        Proposals(folder / "gone").add(some("One?"), "Writer")


# ---- the thread


def ended(job: Proposing, draft: str) -> Progress:
    deadline = time.monotonic() + SECONDS
    while (now := job.progress(draft)) and now.state == "working":
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert now
    return now


def test_passage_after_passage_is_kept_and_told(folder: Path) -> None:
    job, source = Proposing(), Script([REPLY + FALSE])
    pieces = [BREAD, Piece("Other", f"{BREAD.text} Also on Mondays.")]
    job.start(folder, pieces, lambda: contextlib.nullcontext(source))
    now = ended(job, "draft-a")
    assert (now.state, now.done, now.total, now.written, now.dropped, now.writer) == ("finished", 2, 2, 4, 2, "Script 1B")
    assert (
        now.sentence == "Done, 2 of 2 passages. 4 examples to judge. 2 were thrown away, as the passage does not bear them out."
    )
    assert [item.heading for item in Proposals(folder).all()] == ["Our bread", "Our bread", "Other", "Other"]
    assert job.progress("draft-b") is None


class Slow(Script):
    """Answers when it is let, or stopped."""

    def __init__(self) -> None:
        super().__init__([REPLY])
        self.begun, self.go = threading.Event(), threading.Event()

    def ask(self, messages: list[dict[str, str]], max_new_tokens: int, stop: Callable[[], bool]) -> str:
        self.begun.set()
        while not stop() and not self.go.wait(0.01):
            pass
        return super().ask(messages, max_new_tokens, stop) if self.go.is_set() else ""


def test_stop_keeps_what_was_written_and_gives_the_source_back(folder: Path, tmp_path: Path) -> None:
    job, source, given_back = Proposing(), Slow(), []

    @contextlib.contextmanager
    def held() -> Iterator[Slow]:
        try:
            yield source
        finally:
            given_back.append(1)

    job.start(folder, [BREAD, BREAD], held)
    assert source.begun.wait(SECONDS)
    job.start(folder, [BREAD], held)  # pressed twice
    (tmp_path / "draft-b").mkdir()
    with pytest.raises(Busy):
        job.start(tmp_path / "draft-b", [BREAD], held)
    job.stop()
    assert ended(job, "draft-a").state == "stopped"
    job.close()
    assert given_back == [1]
    job.start(folder, [BREAD], lambda: contextlib.nullcontext(Script([REPLY])))  # and again
    assert ended(job, "draft-a").written == 2


def test_a_failure_is_told_in_words_and_keeps_what_was_written(folder: Path) -> None:
    class Breaking(Script):
        def ask(self, messages: list[dict[str, str]], max_new_tokens: int, stop: Callable[[], bool]) -> str:
            if self.asked:
                raise self.error
            return super().ask(messages, max_new_tokens, stop)

    for error, what in (
        (StudioError("The program ended.", "why", "fix"), "The program ended."),
        (ValueError("x"), "ended early"),
    ):
        source = Breaking([REPLY])
        source.error = error
        job = Proposing()
        job.start(folder, [BREAD, BREAD], lambda source=source: contextlib.nullcontext(source))
        now = ended(job, "draft-a")
        assert now.state == "failed"
        assert what in now.sentence
        assert len(Proposals(folder).all()) == 2


def test_nothing_to_read_is_said_at_once(folder: Path) -> None:
    job = Proposing()
    with pytest.raises(StudioError, match="no passages"):
        job.start(folder, [], lambda: contextlib.nullcontext(Script([REPLY])))
    with pytest.raises(StudioError, match="categories"):
        job.start(folder, [BREAD], lambda: contextlib.nullcontext(Script([REPLY])), goal="sorting")
    assert job.progress("draft-a") is None


def test_a_kept_proposal_is_an_example() -> None:
    item = Kept("a", 7, "Who?", "Mara.", "", "", "", 1.0, True, "x")
    assert item.example.messages == ({"role": "user", "content": "Who?"}, {"role": "assistant", "content": "Mara."})
    assert item.example.source_row == 7


def test_half_a_letter_is_left_out(folder: Path) -> None:
    Proposals(folder).add(some("What\ud800?"), "Somebody")
    assert [item.question for item in Proposals(folder).all()] == ["What?"]
