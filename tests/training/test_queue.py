"""Pause, discard and the queue, with real runs of a tiny model: whose turn it is, what survives a restart, and no two at once."""

from __future__ import annotations

import random
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import replace

import pytest

from studio.config import RunConfig
from studio.datasets import DatasetStore
from studio.errors import Busy, NotFound, StudioError
from studio.inference.engine import ChatEngine
from studio.models.catalog import ModelCatalog
from studio.models.lease import DeviceLease
from studio.runs import RunStore
from studio.training import session
from studio.training.job import train_run
from studio.training.jobs import TrainingJobs
from studio.training.loop import Loop
from studio.workspace import Lock, Workspace, sha256_file, write_json

pytestmark = pytest.mark.long
HISTORIES = 20

LONG = 400  # epochs: longer than any test waits
ENDED = {"paused", "stopped", "finished"}


class Desk:
    """A workspace with its jobs, as the app holds them, and words for waiting."""

    def __init__(self, workspace: Workspace, runs: RunStore, config: RunConfig) -> None:
        self.workspace, self.runs, self.config = workspace, runs, config
        self.long, self.short = config.replace(num_train_epochs=LONG), config.replace(num_train_epochs=1)
        self.opened: list[TrainingJobs] = []
        self.jobs = self.open()

    def open(self, **about) -> TrainingJobs:
        """The jobs of one more app on this workspace."""
        self.opened.append(TrainingJobs(self.runs, DatasetStore(self.workspace), ModelCatalog(self.workspace), **about))
        return self.opened[-1]

    def add(self, name: str, *, long: bool = False) -> str:
        return self.jobs.start((self.long if long else self.short).replace(name=name), queue=True)

    def state(self, run_id: str) -> str:
        return self.runs.status(run_id).state

    def until(self, true: Callable[[], bool], what: str = "") -> None:
        deadline = time.monotonic() + 60
        while not true():
            assert time.monotonic() < deadline, what or {item: self.state(item) for item in self.runs.ids()}
            time.sleep(0.01)

    def learns(self, run_id: str, steps: int = 2) -> None:
        """Wait until a run has learned something."""
        self.until(lambda: sum("loss" in item for item in self.runs.metrics(run_id)) >= steps)

    def is_(self, run_id: str, state: str) -> None:
        self.until(lambda: self.state(run_id) == state)


@pytest.fixture
def desk(setup: tuple[Workspace, RunStore, RunConfig], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("studio.training.callbacks.SAMPLE_TOKENS", 2)
    monkeypatch.setattr("studio.training.jobs.WATCH_SECONDS", 0.05)
    made = Desk(*setup)
    yield made
    for jobs in made.opened:
        jobs.close(60)


# ---- pause


@pytest.mark.parametrize("cut", [3, 8])
def test_a_paused_run_ends_as_one_that_was_never_paused(desk: Desk, monkeypatch: pytest.MonkeyPatch, cut: int) -> None:
    config = desk.config.replace(num_train_epochs=3)  # 12 steps
    whole, parts = desk.runs.create(config), desk.runs.create(config)
    expected = train_run(desk.runs.folder(whole))
    real = Loop._optimizer_step

    def pausing(loop, step, rows, started):
        if step == cut:
            desk.runs.request_stop(parts, "pause")
        return real(loop, step, rows, started)

    monkeypatch.setattr(Loop, "_optimizer_step", pausing)
    paused = train_run(desk.runs.folder(parts))
    monkeypatch.setattr(Loop, "_optimizer_step", real)
    assert (paused.state, paused.step) == ("paused", cut)
    assert desk.runs.saved_steps(parts)[-1] == cut
    assert not desk.runs.stop_requested(parts)
    desk.jobs.resume(parts)
    desk.is_(parts, "finished")
    curves = [desk.runs.curve(item) for item in (whole, parts)]
    assert curves[0].training == curves[1].training
    assert dict(curves[0].validation).items() <= dict(curves[1].validation).items(), "at most the check at the pause is new"
    assert desk.runs.status(parts).step == expected.step
    if desk.runs.status(parts).adapter_step == expected.adapter_step:
        files = [desk.runs.adapter(item) / "adapter_model.safetensors" for item in (whole, parts)]
        assert sha256_file(files[0]) == sha256_file(files[1])
    else:
        assert desk.runs.status(parts).adapter_step == cut, "unless the extra check was the best one"


def test_while_it_is_paused_the_computer_is_free_for_chatting(desk: Desk) -> None:
    run_id = desk.add("long", long=True)
    desk.learns(run_id)
    desk.jobs.stop(run_id, "pause")
    desk.is_(run_id, "paused")
    desk.until(lambda: not desk.runs.lock(run_id).held())
    engine = ChatEngine(desk.workspace, desk.runs, ModelCatalog(desk.workspace), DeviceLease(desk.workspace))
    desk.open(make_room=engine.close)
    engine.open(run_id)
    assert list(engine.stream([{"role": "user", "content": "what is red 1"}], max_new_tokens=3))[-1]["tuned"].done
    before = desk.runs.status(run_id).step
    desk.opened[-1].resume(run_id)
    assert engine.opened is None, "who goes on makes room first"
    desk.until(lambda: desk.runs.status(run_id).step > before)


def test_a_pause_before_the_first_step_is_a_pause(desk: Desk) -> None:
    run_id = desk.add("early", long=True)
    desk.jobs.stop(run_id, "pause")
    desk.is_(run_id, "paused")
    assert desk.runs.status(run_id).step == 0
    desk.jobs.resume(run_id)
    desk.learns(run_id)


def test_what_is_asked_for_later_can_only_be_more(desk: Desk) -> None:
    run_id = desk.runs.create(desk.config)
    for kind, stands in (("pause", "pause"), ("keep", "keep"), ("pause", "keep"), ("discard", "discard"), ("keep", "discard")):
        desk.runs.request_stop(run_id, kind)
        assert desk.runs.stop_requested(run_id) == stands
    with pytest.raises(StudioError):
        desk.runs.request_stop(run_id, "maybe")
    (desk.runs.folder(run_id) / "stop.json").write_text("half of a reque", encoding="utf-8")
    assert desk.runs.stop_requested(run_id) == "keep"


# ---- discard


def test_a_live_run_is_stopped_and_then_deleted_and_nothing_else(desk: Desk) -> None:
    run_id = desk.add("bad idea", long=True)
    desk.learns(run_id)
    with pytest.raises(Busy):
        desk.jobs.delete(run_id)
    desk.jobs.discard(run_id)
    desk.jobs.discard(run_id)
    desk.until(lambda: run_id not in desk.runs.ids())
    desk.until(lambda: not desk.runs.folder(run_id).exists())
    assert DatasetStore(desk.workspace).ids() == [desk.config.data.dataset_id]
    with pytest.raises(NotFound):
        desk.runs.status(run_id)


def test_ended_runs_are_discarded_at_once(desk: Desk) -> None:
    run_id = desk.runs.create(desk.short)
    train_run(desk.runs.folder(run_id))
    desk.jobs.discard(run_id)
    assert desk.runs.ids() == []
    desk.jobs.discard(run_id)


def test_a_discard_that_a_crash_cut_off_is_done_at_the_next_start(desk: Desk) -> None:
    run_id, other = desk.runs.create(desk.config), desk.runs.create(desk.config)
    for item in (run_id, other):
        desk.runs.write_status(item, replace(desk.runs.status(item), state="running", step=3))
    write_json(desk.runs.folder(run_id) / "stop.json", {"kind": "discard"})
    assert desk.runs.mark_interrupted() == [other]
    assert desk.runs.ids() == [other]


# ---- the queue


def test_runs_wait_for_their_turn_and_start_by_themselves(desk: Desk) -> None:
    first = desk.add("first", long=True)
    second, third = desk.add("second"), desk.add("third")
    assert desk.add("third") == third, "pressing twice queues once"
    assert desk.add("first", long=True) == first
    assert desk.runs.turns().waiting == (second, third)
    assert {desk.state(second), desk.state(third)} == {"queued"}
    with pytest.raises(Busy):
        desk.jobs.start(desk.short.replace(name="fourth"))
    desk.learns(first)
    desk.jobs.stop(first)
    desk.is_(third, "finished")
    assert [desk.state(item) for item in (first, second)] == ["stopped", "finished"]
    begun = [desk.runs.status(item).started_at for item in (first, second, third)]
    assert begun == sorted(begun)


def test_a_run_that_fails_or_is_discarded_lets_the_next_one_start(desk: Desk) -> None:
    first = desk.add("first", long=True)
    broken, last = desk.add("broken"), desk.add("last")
    write_json(desk.runs.folder(broken) / "config.json", {"name": "broken", "data": {"dataset_id": "gone-000000"}})
    desk.learns(first)
    desk.jobs.discard(first)
    desk.is_(last, "finished")
    assert desk.state(broken) == "failed"


def test_pausing_holds_the_queue_until_somebody_starts_it(desk: Desk) -> None:
    first, second = desk.add("first", long=True), desk.add("second")
    desk.learns(first)
    desk.jobs.stop(first, "pause")
    desk.is_(first, "paused")
    desk.until(lambda: not any(item.is_alive() for item in desk.jobs._threads.values()))
    assert (desk.jobs.running(), desk.runs.turns().waiting) == (None, (second,))
    third = desk.add("third")
    assert desk.runs.turns().waiting == (second, third)
    assert desk.jobs.start_next() == second
    desk.is_(third, "finished")
    assert desk.state(first) == "paused"
    assert desk.jobs.start_next() is None


def test_going_on_comes_before_the_queue_and_lines_up_behind_a_live_run(desk: Desk) -> None:
    first = desk.add("first", long=True)
    second = desk.add("second", long=True)
    desk.learns(first)
    desk.jobs.stop(first, "pause")
    desk.is_(first, "paused")
    desk.jobs.resume(first)
    assert desk.jobs.running() == first
    desk.jobs.stop(first, "pause")
    desk.is_(first, "paused")
    assert desk.jobs.start_next() == second
    desk.jobs.resume(first)
    assert (desk.jobs.running(), desk.runs.turns().waiting) == (second, (first,))
    desk.jobs.cancel(first)
    assert desk.state(first) == "stopped", "what it learned stays"
    desk.jobs.resume(first)
    step = desk.runs.status(first).step
    desk.jobs.discard(second)
    desk.until(lambda: desk.runs.status(first).step > step)


def test_the_order_can_be_changed_and_runs_can_leave(desk: Desk) -> None:
    live = desk.add("live", long=True)
    a, b, c = desk.add("a"), desk.add("b"), desk.add("c")
    for run_id, by, order in ((c, -1, (a, c, b)), (c, -1, (c, a, b)), (c, -1, (c, a, b)), (c, 1, (a, c, b)), (b, 1, (a, c, b))):
        desk.jobs.move(run_id, by)
        assert desk.runs.turns().waiting == order
    desk.jobs.move(live, -1)
    desk.jobs.move("gone-000000", 1)
    desk.jobs.cancel(c)
    desk.jobs.cancel(c)
    assert desk.runs.turns().waiting == (a, b)
    assert c not in desk.runs.ids(), "it never began, so nothing of it is kept"
    with pytest.raises(Busy):
        desk.jobs.cancel(live)
    desk.jobs.delete(a)
    assert desk.runs.turns().waiting == (b,)


def test_the_queue_survives_a_restart_and_waits_to_be_started(desk: Desk) -> None:
    desk.learns(desk.add("live", long=True))
    a, b = desk.add("a"), desk.add("b")
    desk.jobs.move(b, -1)
    desk.jobs.close(60)
    assert [desk.state(item) for item in desk.runs.ids()].count("stopped") == 1
    for run_id in (a, b):  # however long the app was closed
        write_json(desk.runs.folder(run_id) / "status.json", {**desk.runs.status(run_id).to_json(), "updated_at": 1.0})
    desk.runs.mark_interrupted()
    desk.jobs = desk.open()
    assert desk.runs.turns().waiting == (b, a)
    assert desk.jobs.running() is None
    c = desk.add("c")
    assert desk.runs.turns().waiting == (b, a, c), "a new one does not overtake"
    assert desk.jobs.start_next() == b
    assert desk.jobs.start_next() == b, "pressing twice starts one"
    desk.is_(c, "finished")


def test_the_queue_goes_on_after_a_run_of_another_process(desk: Desk) -> None:
    outside = desk.runs.create(desk.long)
    thread = threading.Thread(target=train_run, args=(desk.runs.folder(outside),))
    thread.start()
    desk.learns(outside)
    waiting = desk.add("waiting")
    desk.jobs.stop(outside)
    desk.is_(waiting, "finished")
    thread.join(60)


# ---- everybody at once


class Watch:
    """Looks over the shoulder of the real trainer: who has the device at once, and whether a folder goes while its run trains."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.inside, self.began, self.most = 0, 0, 0
        self.broken: list[str] = []
        real = session.train_on_device

        def watched(runs, run_id, *rest):
            self.inside, self.began = self.inside + 1, self.began + 1
            self.most = max(self.most, self.inside)
            try:
                return real(runs, run_id, *rest)
            finally:
                self.inside -= 1
                if not (runs.folder(run_id) / "status.json").is_file():
                    self.broken.append(f"{run_id} was deleted while it trained")

        monkeypatch.setattr(session, "train_on_device", watched)


ACTS: list[Callable[[TrainingJobs, str, RunConfig], object]] = [
    lambda jobs, run_id, config: jobs.start(config, queue=True),
    lambda jobs, run_id, config: jobs.start(config),
    lambda jobs, run_id, config: jobs.stop(run_id),
    lambda jobs, run_id, config: jobs.stop(run_id, "pause"),
    lambda jobs, run_id, config: jobs.resume(run_id),
    lambda jobs, run_id, config: jobs.discard(run_id),
    lambda jobs, run_id, config: jobs.cancel(run_id),
    lambda jobs, run_id, config: jobs.delete(run_id),
    lambda jobs, run_id, config: jobs.move(run_id, -1),
    lambda jobs, run_id, config: jobs.start_next(),
]


def person(desk: Desk, jobs: TrainingJobs, chance: random.Random, broken: list[str]) -> None:
    """Somebody who presses six buttons."""
    for _ in range(6):
        some = chance.choice(desk.runs.ids() or ["gone-000000"])
        config = chance.choice([desk.short, desk.long]).replace(name=f"run {chance.randrange(4)}")
        try:
            chance.choice(ACTS)(jobs, some, config)
        except StudioError:
            pass  # refused with a sentence
        except Exception as error:  # noqa: BLE001 - a thread's failure has to reach the test
            broken.append("".join(traceback.format_exception(error)))
        time.sleep(chance.random() * 0.1)


def settle(desk: Desk) -> None:
    """Let the queue run dry; long runs are stopped, short ones end by themselves."""
    while live := desk.jobs.start_next():
        if desk.runs.config(live).training.num_train_epochs == LONG:
            desk.jobs.stop(live)
        desk.until(lambda live=live: desk.runs.live() != live)


def test_random_histories_end_well(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Histories of two apps with two people each: never two trainers, no live run deleted, one final state."""
    watch, seen = Watch(monkeypatch), set()
    apps = [desk.jobs, desk.open()]
    for history in range(HISTORIES):
        chances = [random.Random(4 * history + at) for at in range(4)]
        people = [
            threading.Thread(target=person, args=(desk, apps[at % 2], chance, watch.broken)) for at, chance in enumerate(chances)
        ]
        for item in people:
            item.start()
        for item in people:
            item.join()
        settle(desk)
        assert (desk.runs.live(), desk.runs.turns().waiting, watch.broken) == (None, (), []), history
        states = {run_id: status.state for run_id, status in desk.runs.statuses().items()}
        assert set(states.values()) <= ENDED, (history, states)
        seen |= set(states.values())
        for run_id in states:
            apps[1].discard(run_id)
        assert desk.runs.ids() == [], history
    assert watch.most == 1 and seen <= ENDED
    assert watch.began > HISTORIES
    assert seen == ENDED


def test_a_run_that_begins_while_somebody_looks_is_not_taken_for_interrupted(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    run_id = desk.runs.create(desk.config)
    lock, real = desk.runs.lock(run_id), Lock.held

    def begins_now(looked: Lock) -> bool:
        monkeypatch.setattr(Lock, "held", real)
        assert lock.acquire("a trainer")
        desk.runs.write_status(run_id, replace(desk.runs.status(run_id), state="starting"))
        return False  # as it was a moment ago

    monkeypatch.setattr(Lock, "held", begins_now)
    assert desk.runs.status(run_id).state == "starting"
    lock.release()
