"""Where the development data is, if it is on this machine."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

SHARED = Path(os.environ.get("STUDIO_SHARED") or Path(__file__).parents[3] / "shared") / "data"

needs_shared = pytest.mark.skipif(
    not SHARED.is_dir(), reason="the development data (../shared/data, or STUDIO_SHARED) is not on this machine"
)
