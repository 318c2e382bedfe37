"""One holder of the device, across threads and processes."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from studio.errors import Busy
from studio.models.lease import DeviceLease
from studio.workspace import Workspace

HOLD = """
import sys, time
from studio.models.lease import DeviceLease
from studio.workspace import Workspace
with DeviceLease(Workspace(sys.argv[1])).take("Training “Bakery”"):
    print("held", flush=True)
    time.sleep(60)
"""


def test_one_thread_at_a_time_and_the_other_is_told_who(workspace: Workspace) -> None:
    lease = DeviceLease(workspace)
    assert lease.holder() == ""
    with lease.take("The chat"):
        assert lease.holder() == "The chat"
        with pytest.raises(Busy) as told, DeviceLease(workspace).take("Training"):
            pass
        assert told.value.holder == "The chat" and "The chat" in str(told.value)
    assert lease.holder() == ""
    with lease.take("Training"):
        assert lease.holder() == "Training"


@pytest.mark.long
def test_who_waits_long_enough_gets_it(workspace: Workspace) -> None:
    lease, taken = DeviceLease(workspace), threading.Event()

    def hold() -> None:
        with lease.take("first"):
            taken.set()
            time.sleep(0.6)

    thread = threading.Thread(target=hold)
    thread.start()
    assert taken.wait(5)
    with lease.take("second", timeout=10):
        assert lease.holder() == "second"
    thread.join()


def test_it_is_given_back_after_an_error(workspace: Workspace) -> None:
    lease = DeviceLease(workspace)
    with pytest.raises(RuntimeError), lease.take("broken"):
        raise RuntimeError
    assert lease.holder() == ""


def test_never_two_holders_among_many_threads_and_watchers(workspace: Workspace) -> None:
    inside, most, done, errors = [], [], [], []
    watching = threading.Event()

    def watch() -> None:  # as the page does: asking must not take the lease from anybody
        while not watching.is_set():
            DeviceLease(workspace).holder()

    def work(name: str) -> None:
        try:
            for _ in range(4):
                with DeviceLease(workspace).take(name, timeout=60):
                    inside.append(name)
                    most.append(len(inside))
                    time.sleep(0.005)
                    inside.remove(name)
            done.append(name)
        except Exception as error:  # noqa: BLE001 - shown by the test
            errors.append(error)

    watcher = threading.Thread(target=watch)
    watcher.start()
    threads = [threading.Thread(target=work, args=(f"w{index}",)) for index in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(90)
    watching.set()
    watcher.join()
    assert not errors
    assert max(most) == 1 and len(most) == 20 and len(done) == 5


def test_another_process_holds_it_and_a_killed_one_gives_it_back(workspace: Workspace) -> None:
    root = Path(__file__).parents[2]
    child = subprocess.Popen([sys.executable, "-c", HOLD, str(workspace.root)], cwd=root, stdout=subprocess.PIPE, text=True)
    try:
        assert child.stdout.readline().strip() == "held"
        lease = DeviceLease(workspace)
        assert lease.holder() == "Training “Bakery”"
        with pytest.raises(Busy) as told, lease.take("The chat"):
            pass
        assert told.value.holder == "Training “Bakery”"
    finally:
        child.kill()
        child.wait()
    with lease.take("The chat", timeout=5):
        assert lease.holder() == "The chat"
