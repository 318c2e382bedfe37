"""Finetune Studio: `python app.py` opens the page on this computer."""

from __future__ import annotations

import argparse
import logging
import logging.handlers
import os
import signal
import sys
import threading
from pathlib import Path

from studio.errors import StudioError
from studio.models.hardware import calm_threads
from studio.workspace import Workspace, default_root

LOG_BYTES, LOG_FILES = 2 * 2**20, 3
# How long one thread may keep the interpreter while others wait. Beside a training that is mostly Python, a request took 26 to
# 36 ms with the usual 5 ms and 8 ms with this (2 cores, Python 3.11).
SWITCH_SECONDS = 0.0005
LEAVE_SECONDS = 30.0  # for a running training to reach the end of its step and save


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python app.py", description="Teach a small language model from your own examples.")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on; another than this computer needs a password")
    parser.add_argument("--port", type=int, default=None, help="port to listen on; the first free one from 7860 if not given")
    parser.add_argument("--workspace", type=Path, default=None, help="folder for data, models and runs (or STUDIO_WORKSPACE)")
    parser.add_argument("--share", action="store_true", help="make a temporary public address; needs a password")
    parser.add_argument("--password-file", type=Path, default=None, help="file with the password of the user “studio”")
    parser.add_argument("--open", action=argparse.BooleanOptionalAction, default=True, help="open the page in a browser")
    parser.add_argument("--demo", action="store_true", help="train a sample without the page and show what it learned")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    """Exit code 0 after a clean end, 2 when the studio could not start."""
    options = parse(arguments)
    try:
        workspace = Workspace(options.workspace or default_root())
        prepare(workspace)
        if options.demo:
            from studio.demo import run_demo  # noqa: PLC0415 - loads what the page does not need

            return run_demo(workspace)
        return serve(workspace, options)
    except StudioError as error:
        print("\n".join(part for part in (error.what, error.why, error.fix) if part), file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 0


def prepare(workspace: Workspace) -> None:
    """Settings of libraries that must stand before they are imported, and the log."""
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    os.environ["GRADIO_TEMP_DIR"] = str(workspace.root / "uploads")  # what is served lies there, and nothing else does
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    calm_threads()
    sys.setswitchinterval(SWITCH_SECONDS)
    handler = logging.handlers.RotatingFileHandler(
        workspace.root / "logs" / "studio.log", maxBytes=LOG_BYTES, backupCount=LOG_FILES, encoding="utf-8"
    )
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    logging.captureWarnings(True)
    logging.getLogger("studio").setLevel(logging.INFO)


def serve(workspace: Workspace, options: argparse.Namespace) -> int:
    """Show the page until Ctrl-C or SIGTERM."""
    from studio.ui import server  # noqa: PLC0415

    password = server.read_password(options.password_file, options.host, options.share)
    server.free_port(options.host, options.port)  # refuses now, and is asked again once the page is ready
    from studio.ui.app import build  # noqa: PLC0415 - imports gradio, after prepare() and after the arguments are known to be good
    from studio.ui.studio import Studio  # noqa: PLC0415

    leave = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: leave.set())
    studio = Studio.open(workspace.root)
    demo = build(studio)
    port = server.free_port(options.host, options.port)
    _, address, shared = demo.launch(
        **server.launch_options(
            workspace, host=options.host, port=port, share=options.share, password=password, inbrowser=options.open
        )
    )
    other = f" (port {server.FIRST_PORT} was in use)" if options.port is None and port != server.FIRST_PORT else ""
    print(f"Finetune Studio is open at {shared or address}{other}. Ctrl-C ends it.", flush=True)
    leave.wait()
    if studio.jobs.running():
        print("Stopping; what was learned so far is being saved.", flush=True)
    ended = studio.close(LEAVE_SECONDS)
    demo.close(verbose=False)
    if not ended:
        if studio.jobs.running():
            print("The run did not come to a safe point in time. Start again and go on from its last saved step.", flush=True)
        logging.shutdown()
        os._exit(0)  # a thread inside torch cannot be ended; leaving it to the interpreter would abort the process
    return 0


if __name__ == "__main__":
    sys.exit(main())
