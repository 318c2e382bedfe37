"""`python -m studio.training RUN_DIR`: train a run without the page. Ctrl-C and SIGTERM stop it and keep what was learned.

On several devices: `torchrun --nproc-per-node 2 -m studio.training RUN_DIR`, or `accelerate launch` with as many processes.
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
import threading
from pathlib import Path

from studio.errors import StudioError
from studio.models.hardware import calm_threads
from studio.training.job import follow, train_run


def main(arguments: list[str] | None = None) -> int:
    """Exit code 0 when the run finished or was stopped, 1 when it failed, 2 when it could not start."""
    parser = argparse.ArgumentParser(prog="python -m studio.training", description=__doc__)
    parser.add_argument("run_dir", type=Path, help="a run folder of a workspace, with its config.json")
    folder = parser.parse_args(arguments).run_dir
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    calm_threads()
    asked = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: asked.set())
    try:
        if int(os.environ.get("RANK", "0")):
            follow(folder)
            return 0
        status = train_run(folder, asked.is_set)
    except StudioError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    finally:
        if int(os.environ.get("WORLD_SIZE", "1")) > 1:
            from studio.training.ranks import Ranks  # noqa: PLC0415 - imports torch

            Ranks.leave()
    if status.error:
        sys.stderr.write(f"{status.error['what']} {status.error['why']} {status.error['fix']}\n")
    sys.stderr.write(f"{status.state} at step {status.step} of {status.total_steps}\n")
    return 1 if status.state == "failed" else 0


if __name__ == "__main__":
    raise SystemExit(main())
