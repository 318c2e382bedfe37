"""Whether a stranger's chat template can be used, found out in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from studio.models.folder import refused

TEMPLATE_SECONDS = 10.0  # for a template to render one short conversation in a child process


def check_template(folder: Path) -> None:
    """Render a stranger's chat template once in a child process with limits. Raises StudioError when that goes wrong."""
    command = [sys.executable, "-m", "studio.models.template_probe", str(folder)]
    try:
        done = subprocess.run(
            command,
            cwd=Path(__file__).parents[2],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=TEMPLATE_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise refused("Its chat template does not come to an end.", "Pick another model.") from error
    if done.returncode:
        raise refused("Its chat template cannot be used safely.", "Pick another model.")
