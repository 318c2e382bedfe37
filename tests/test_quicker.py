"""What is changed about the import of other libraries holds, each in a fresh process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

TWO_THREADS = """
import studio, sys, threading, time

def first():
    import transformers

thread = threading.Thread(target=first)
thread.start()
while not getattr(getattr(sys.modules.get("transformers"), "__spec__", None), "_initializing", False):
    assert thread.is_alive()
    time.sleep(0)
from transformers import AutoConfig, get_scheduler
thread.join()
print(AutoConfig.__name__, get_scheduler.__name__)
"""


@pytest.mark.long
def test_two_threads_may_import_transformers_at_once() -> None:
    done = subprocess.run([sys.executable, "-c", TWO_THREADS], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["AutoConfig", "get_scheduler"], done.stderr
