"""Calibration: measured once, kept for this very computer, never beside somebody who has the device."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from studio.errors import Busy
from studio.models import calibration
from studio.models.calibration import Speed, calibrate, calibrate_when_free, kept
from studio.models.lease import DeviceLease
from studio.workspace import Workspace

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def speed() -> Speed:
    """This computer, measured in a fraction of the usual time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(calibration, "EACH_SECONDS", 0.005)
        return calibration.measure()


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch, speed: Speed) -> list[int]:
    """How often it was measured."""
    calls: list[int] = []

    def measure() -> Speed:
        calls.append(1)
        return replace(speed, measured_at=time.time())

    monkeypatch.setattr(calibration, "measure", measure)
    return calls


def file(workspace: Workspace) -> Path:
    return workspace.root / "cache" / calibration.FILE


def test_what_is_measured_can_be(speed: Speed) -> None:
    rates = {name: value for name, value in asdict(speed).items() if isinstance(value, float)}
    assert all(value > 0 for value in rates.values())
    assert 1e8 < speed.wide < 1e15 and 1e-7 < speed.call_seconds < 1e-2
    more, less = speed.product_seconds(1e6, 512), speed.product_seconds(1e6, 8)
    assert more > less >= 0


def test_it_is_kept_and_measured_again_when_asked(workspace: Workspace, quick: list[int]) -> None:
    assert kept(workspace) is None
    first = calibrate(workspace)
    assert calibrate(workspace) == first == kept(workspace) and len(quick) == 1
    calibrate(workspace, again=True)
    assert len(quick) == 2


@pytest.mark.parametrize(
    "change", [{"machine": "another"}, {"measured_at": 0.0}, {"wide": "x"}, {"wide": -1.0}, {"dtype": "odd"}]
)
def test_what_no_longer_holds_is_not_used(workspace: Workspace, quick: list[int], change: dict) -> None:
    calibrate(workspace)
    values = json.loads(file(workspace).read_text(encoding="utf-8"))
    file(workspace).write_text(json.dumps({**values, **change}), encoding="utf-8")
    assert kept(workspace) is None


def test_damage_counts_as_nothing(workspace: Workspace, quick: list[int]) -> None:
    for text in ("", "[]", '{"wide": 1}', "{"):
        file(workspace).write_text(text, encoding="utf-8")
        assert kept(workspace) is None


def test_nobody_is_measured_beside(workspace: Workspace, quick: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibration.psutil, "cpu_percent", lambda _: 5.0)
    with DeviceLease(workspace).take("A training"):
        with pytest.raises(Busy):
            calibrate(workspace)
        assert calibrate_when_free(workspace) is None
    assert not quick and calibrate_when_free(workspace) is not None


def test_a_busy_computer_is_measured_later(workspace: Workspace, quick: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibration.psutil, "cpu_percent", lambda _: 80.0)
    assert calibration.calibrate_when_free(workspace) is None and not quick
    monkeypatch.setattr(calibration.psutil, "cpu_percent", lambda _: 5.0)
    assert calibration.calibrate_when_free(workspace) == kept(workspace) and len(quick) == 1
    monkeypatch.setattr(calibration.psutil, "cpu_percent", lambda _: 80.0)
    assert calibration.calibrate_when_free(workspace), "what is kept needs no measuring"
