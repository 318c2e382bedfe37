"""The README says what is true: its commands, its table of settings, its pictures."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.presets_table import markdown
from tests.readme_table import table

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_table_of_settings_is_the_settings() -> None:
    assert table() in README, "run `python -m tests.readme_table` and paste its table"


def test_the_table_of_goals_and_depths_is_the_presets() -> None:
    assert markdown() in README, "run `python -m tests.presets_table` and paste its table"


def test_the_run_command_installs_and_starts() -> None:
    assert "python3 -m venv .venv && .venv/bin/pip install -r requirements.txt && .venv/bin/python app.py" in README
    assert (ROOT / "requirements.txt").is_file() and (ROOT / "app.py").is_file()


def test_every_option_of_the_app_is_named_and_no_other() -> None:
    done = subprocess.run([sys.executable, "app.py", "--help"], cwd=ROOT, capture_output=True, text=True, check=True)
    real = set(re.findall(r"--[a-z-]+", done.stdout)) - {"--help", "--no-open"}
    named = set(re.findall(r"`(--[a-z-]+)", README)) - {"--no-open"}
    assert named == real


def test_every_picture_is_there_and_small() -> None:
    pictures = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", README)
    assert len(pictures) >= 4
    for name in pictures:
        assert (ROOT / name).stat().st_size < 200_000, name


def test_every_folder_it_names_exists() -> None:
    for name in re.findall(r"`((?:studio|tests|assets)/[\w/.-]*)`", README):
        assert (ROOT / name).exists(), name


@pytest.mark.parametrize("file", ["requirements.txt", "tests/requirements.txt"])
def test_every_requirement_is_pinned_and_has_its_reason(file: str) -> None:
    for line in (ROOT / file).read_text().splitlines():
        if line and not line.startswith("#"):
            assert re.fullmatch(r"[\w-]+==[\w.]+\s+# \S.*", line), line


def test_the_test_command_collects_every_test_once() -> None:
    command = re.search(r"^\.venv/bin/python -m pytest.*$", README, re.MULTILINE)
    assert command
    parts = [shlex.split(part) for part in command.group().split("&&")]
    assert [part[:3] for part in parts] == [[".venv/bin/python", "-m", "pytest"]] * 2
    marks = [part[part.index("-m", 3) + 1] for part in parts]
    assert marks == ["not slow and not browser and not long", "slow or browser or long"], "each once"
    words = [sys.executable, *parts[0][1:], "--collect-only", "-q", "tests/test_config.py"]
    assert subprocess.run(words, cwd=ROOT, capture_output=True, check=False).returncode == 0
