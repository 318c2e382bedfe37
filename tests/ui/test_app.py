"""`python app.py` as a person starts it: quick, quiet, and ending cleanly."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections import Counter
from pathlib import Path

import pytest

from studio.config import RunConfig
from studio.samples import save_sample
from studio.ui import app
from studio.ui.app import Page
from studio.ui.guard import OF_VALUES
from studio.ui.pulse import BEATS
from studio.ui.studio import Studio
from studio.ui.tabs.model import altering
from tests.browser.conftest import start

ROOT = Path(__file__).resolve().parents[2]


def run(*arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "app.py", *arguments], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )


def ask(address: str, data: bytes | None = None, **headers: str) -> tuple[int, str, dict]:
    request = urllib.request.Request(address, data, {name.replace("_", "-"): value for name, value in headers.items()})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.read().decode(), dict(answer.headers)
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode(), dict(error.headers)


@pytest.mark.long
def test_the_page_is_served_and_ends_on_sigterm(tmp_path: Path) -> None:
    running = start(tmp_path / "w")
    try:
        status, text, headers = ask(running.address)
        assert status == 200
        assert 'lang="en"' in text
        assert "--paper: #FAF8F5" in text
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert ask(running.address, Host="evil.example")[0] == 400
        call = f"{running.address}gradio_api/queue/join"
        assert ask(call, b"{}", Content_Type="application/json", Origin="http://evil.example")[0] == 403
        for closed in ("docs", "redoc", "openapi.json"):
            assert ask(f"{running.address}{closed}")[0] == 404
        secret = running.workspace / "runs" / "secret.txt"
        secret.write_text("canary")
        for path in (secret, ROOT / "app.py", "/etc/passwd", running.workspace / "logs" / "studio.log"):
            status, text, _ = ask(f"{running.address}gradio_api/file={path}")
            assert status in {403, 404}
            assert "canary" not in text
    finally:
        assert running.stop() == 0
    assert "Traceback" not in (running.workspace / "logs" / "studio.log").read_text()


@pytest.mark.long
def test_a_port_in_use_is_a_sentence(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen(1)
        port = taken.getsockname()[1]
        done = run("--port", str(port), "--workspace", str(tmp_path), "--no-open")
    assert done.returncode == 2
    assert f"Port {port} is in use" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.long
@pytest.mark.parametrize("arguments", [["--host", "0.0.0.0"], ["--share"], ["--password-file", "/nowhere"]])
def test_an_open_door_without_a_password_does_not_start(tmp_path: Path, arguments: list[str]) -> None:
    done = run(*arguments, "--workspace", str(tmp_path), "--no-open")
    assert done.returncode == 2
    assert "password" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.long
def test_a_password_closes_the_page_and_ctrl_c_ends_it_too(tmp_path: Path) -> None:
    secret = tmp_path / "password"
    secret.write_text("correct horse")
    running = start(tmp_path / "w", "--password-file", str(secret))
    try:
        assert ask(f"{running.address}config")[0] == 401
        assert ask(f"{running.address}gradio_api/queue/join", b"{}", Content_Type="application/json")[0] == 401
        login = f"{running.address}login"
        assert ask(login, b"username=studio&password=wrong")[0] == 400
        assert ask(login, b"username=studio&password=correct%20horse")[0] == 200
        running.process.send_signal(signal.SIGINT)
        assert running.process.wait(30) == 0
        assert "Traceback" not in running.said()
    finally:
        running.process.kill()


@pytest.mark.long
def test_a_workspace_that_cannot_be_used_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = run("--workspace", str(tmp_path / "file"), "--no-open")
    assert done.returncode == 2
    assert "cannot be used" in done.stderr


def test_the_page_opens_with_the_live_run_and_its_own_data(studio: Studio, page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Studio, "warm", lambda self: None)
    first, second = save_sample(studio.workspace, "bakery"), save_sample(studio.workspace, "sorter")
    older = studio.runs.create(RunConfig(name="Live").replace(dataset_id=first.id))
    newer = studio.runs.create(RunConfig(name="Ended").replace(dataset_id=second.id))
    status = studio.runs.status(newer)
    studio.runs.write_status(newer, type(status)(**{**status.to_json(), "state": "finished"}))
    chosen = app.choose_current(studio, page.shell, page.shell)
    assert chosen[page.shell.run_id] == older
    assert chosen[page.shell.dataset_id] == first.id
    assert chosen[page.shell.model_id] == "starter"


def test_marks_on_the_tabs(studio: Studio, page: Page) -> None:
    assert list(app.tab_labels(studio, None, None).values()) == ["1 Data", "2 Model", "3 Train", "4 Chat", "Library"]
    record = save_sample(studio.workspace, "bakery")
    run_id = studio.runs.create(RunConfig(name="Run").replace(dataset_id=record.id))
    for state, mark in (("failed", "!"), ("interrupted", "!"), ("finished", "✓"), ("stopped", "✓")):
        values = {**studio.runs.status(run_id).to_json(), "state": state}
        path = studio.runs.folder(run_id) / "status.json"
        path.write_text(json.dumps(values))
        labels = app.tab_labels(studio, record.id, run_id)
        assert labels["data"] == "1 Data ✓"
        assert labels["train"] == f"3 Train {mark}"
    shown = tuple(app.tab_labels(studio, record.id, run_id).values())
    assert app.tick(studio, page.shell, page.shell, record.id, "starter", run_id, shown) == {}
    assert app.tab_labels(studio, "gone", "gone-1")["data"] == "1 Data"


def test_no_event_wakes_two_handlers_that_would_wake_each_other(page: Page) -> None:
    """Gradio's page repeats a whole event for a handler that was busy; two such handlers of one event never come to rest."""
    config = page.demo.config
    states = {item["id"] for item in config["components"] if item["type"] == "state"}  # these are repeated by handler
    again = Counter(
        tuple(target)
        for item in config["dependencies"]
        if item["trigger_mode"] == "always_last"
        for target in item["targets"]
        if target[0] not in states
    )
    assert [target for target, count in again.items() if count > 1] == []
    assert sum(target[1] in BEATS for target in again) == len(BEATS)


def test_nothing_that_a_person_changes_is_lost_while_a_handler_is_at_work(page: Page) -> None:
    """The newest value of a control is handled in the end, an older answer never comes last, and no edit of a row is dropped."""
    page_fns = [fn for fn in page.demo.fns.values() if fn.fn is not None]
    of_values = [fn for fn in page_fns if {event for _, event in fn.targets} & set(OF_VALUES)]
    assert len(of_values) > 20
    assert [fn.name for fn in of_values if fn.trigger_mode != "always_last"] == []
    assert [fn.name for fn in of_values if len(fn.targets) > 1 and fn.concurrency_limit != 1] == []
    of_rows = page.views["data"].table.rows._id, page.views["data"].findings.list._id
    told = [fn for fn in page_fns if any(block in of_rows and event == "select" for block, event in fn.targets)]
    assert [(fn.trigger_mode, fn.concurrency_limit) for fn in told] == [("multiple", 1)] * 2


def test_what_is_deleted_or_pasted_in_a_text_box_is_noticed_too(page: Page) -> None:
    """Gradio's text box tells `input` only with a key that writes a letter."""
    boxes = {item["id"] for item in page.demo.config["components"] if item["type"] == "textbox"}
    assert len(boxes) > 10
    assert [fn.name for fn in page.demo.fns.values() if {(block, "input") for block in boxes} & set(fn.targets)] == []
    data, more = page.views["data"], page.views["model"].more
    for box, handler in ((data.table.search, "show_first"), (more.query, "show_known")):
        (told,) = [fn for fn in page.demo.fns.values() if (box._id, "change") in fn.targets]
        assert (told.name, told.trigger_mode, told.concurrency_limit) == (handler, "always_last", 1)


def test_every_setting_is_planned_by_one_handler_and_drawn_in_turn(page: Page) -> None:
    """Two handlers that draw the same plan at once would answer in any order, and the older answer could stay."""
    view = page.views["model"]
    drawing = [fn for fn in page.demo.fns.values() if view.fitting.memory in fn.outputs]
    planning = ("show_plan", "redraw", "choose_model", "add_model", "new_data")
    assert {fn.concurrency_id for fn in drawing if fn.name in planning} == {"redraw-model"}
    assert not any(fn.name == "tick" for fn in drawing), "it does not wait in turn, so it may not draw"
    inputs = {(box._id, altering(box)[0].event_name): name for name, box in view.form.controls.items()}
    planned = [fn for fn in page.demo.fns.values() if inputs.keys() & set(fn.targets)]
    told = [inputs[target] for fn in planned for target in fn.targets if target in inputs]
    assert sorted(told) == sorted(view.form.names), "each setting has one handler"
    assert {fn.name for fn in planned} == {"show_plan", "choose_goal_or_depth"}
    assert {fn.concurrency_id for fn in planned} == {"redraw-model"}


def test_opening_the_page_wakes_few_handlers(page: Page) -> None:
    """Each event makes the browser walk through the page for every input it ever had: the form's are left for its own tab."""
    shell, data = page.shell, page.views["data"]
    states = [shell.dataset_id, shell.model_id, shell.run_id, data.changed]
    at_opening = {(state._id, "change") for state in states} | {(shell.panes["data"]._id, "select")}
    at_opening |= {(shell.pulse._id, beat) for beat in BEATS} | {(page.demo._id, "load")}
    woken = [fn for fn in page.demo.fns.values() if fn.fn is not None and set(fn.targets) & at_opening]
    assert 10 < len(woken) <= 19
    form = set(page.views["model"].form.inputs)
    assert [fn.name for fn in woken if form & set(fn.inputs)] == []
