"""The page without a browser: a real Studio in an empty workspace, and the page laid out and wired."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

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


def in_the_end(updates: Iterator[dict[Any, Any]]) -> dict[Any, Any]:
    """What a handler that tells how far it is leaves on the page."""
    page: dict[Any, Any] = {}
    for some in updates:
        page |= some
    return page
