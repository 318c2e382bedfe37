"""A workspace with the tiny model, and children forked from a process that has loaded everything already."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from studio.config import RunConfig
from studio.models.catalog import ModelCatalog
from studio.runs import RunStore
from studio.workspace import Workspace

PATIENCE = 120.0  # seconds a child may take


class Bench:
    """The place where faults are tried. Nothing is computed in this process, so that forking it is safe."""

    def __init__(self) -> None:
        self.root = Path(tempfile.mkdtemp(prefix="faults-"))
        self.workspace = Workspace(self.root / "workspace")
        self.runs = RunStore(self.workspace)
        self.config: RunConfig | None = None
        assert self.child(self._prepare) == 0
        from tests.training.conftest import tiny_run

        self.config = tiny_run(self.workspace)

    def _prepare(self) -> None:
        from tests.conftest import save_tiny_model

        save_tiny_model(self.root / "tiny")
        registered = ModelCatalog(self.workspace).register_local(str(self.root / "tiny")).id
        if registered != "tiny":
            shutil.move(self.workspace.folder("models", registered), self.workspace.folder("models", "tiny"))

    def close(self) -> None:
        """Delete the workspace."""
        shutil.rmtree(self.root, ignore_errors=True)

    def run(self, **changes: Any) -> str:
        """A new run of 24 steps, not started."""
        assert self.config is not None
        return self.runs.create(self.config.replace(**changes))

    def start(self, work: Callable[[], Any]) -> int:
        """Fork a child that does `work` and ends; 0 is its code when nothing was raised. Returns its process id."""
        pid = os.fork()
        if pid:
            return pid
        code = 1
        try:
            import torch

            torch.set_num_threads(1)
            import studio.training.callbacks as callbacks

            callbacks.SAMPLE_TOKENS = 1
            work()
            code = 0
        except BaseException:  # noqa: BLE001 - the child must end here, whatever happened
            traceback.print_exc()
        finally:
            os._exit(code)

    def wait(self, pid: int, patience: float = PATIENCE) -> int:
        """The child's exit code; minus the signal that ended it. A child that hangs is killed."""
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            done, status = os.waitpid(pid, os.WNOHANG)
            if done:
                return os.waitstatus_to_exitcode(status)
            time.sleep(0.002)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        raise AssertionError("a child hung")

    def child(self, work: Callable[[], Any]) -> int:
        """`start` and `wait`."""
        return self.wait(self.start(work))

    def train(self, run_id: str, before: Callable[[], Any] = lambda: None, stop: Callable[[], bool] = lambda: False) -> int:
        """Train a run in a child, to its end or until `stop()`."""
        return self.child(self.training(run_id, before, stop))

    def training(self, run_id: str, before: Callable[[], Any] = lambda: None, stop: Callable[[], bool] = lambda: False) -> Any:
        """What a child does to train; `before` may break things in it first."""

        def work() -> None:
            from studio.training.job import train_run

            before()
            train_run(self.runs.folder(run_id), stop)

        return work

    def checkpoints(self, run_id: str) -> Path:
        """The run's folder of checkpoints."""
        return self.runs.folder(run_id) / "checkpoints"

    def losses(self, run_id: str) -> list[tuple[int, float]]:
        """(step, loss) of the whole run, exactly as written."""
        return list(self.runs.curve(run_id, points=10**6).training)
