"""The page without a browser: a real Studio in an empty workspace, and the page laid out and wired."""

from __future__ import annotations

from pathlib import Path

import pytest

from studio.ui.app import Page, assemble
from studio.ui.studio import Studio


@pytest.fixture
def studio(tmp_path: Path) -> Studio:
    """The real bundle; nothing is fetched or imported in the background."""
    opened = Studio.open(tmp_path / "workspace")
    yield opened
    opened.close(10)


@pytest.fixture(scope="session")
def page(tmp_path_factory: pytest.TempPathFactory) -> Page:
    """The whole page. Handlers get the test's own studio; of the page they only need to know which component is which."""
    return assemble(Studio.open(tmp_path_factory.mktemp("page")))
