"""The commands of HOW-TO.md put before the model exactly what the chat does."""

from __future__ import annotations

import re
import shutil
import zipfile
from pathlib import Path

import pytest

from studio.data.encode import prompt_ids
from studio.export.adapter import adapter_zip
from studio.models.catalog import ModelCatalog
from studio.models.load import load_tokenizer
from studio.runs import RunStore
from studio.workspace import Workspace
from tests.data.tokenizers import NO_SYSTEM
from tests.inference.test_engine import make_run


@pytest.mark.parametrize("told", ["", "  You bake. Say “we”.\nBe brief. "])
@pytest.mark.parametrize("system_turns", [True, False])
def test_its_prompt_is_the_chats(
    workspace: Workspace, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: str, system_turns: bool
) -> None:
    folder = Path(shutil.copytree(tiny_model, tmp_path / "base"))
    if not system_turns:
        (folder / "chat_template.jinja").write_text(NO_SYSTEM)
    catalog, runs = ModelCatalog(workspace), RunStore(workspace)
    entry = catalog.register_local(str(folder))
    run_id = make_run(workspace, base=entry.id, system_prompt=told)
    with zipfile.ZipFile(adapter_zip(runs.folder(run_id), entry, folder)) as archive:
        archive.extractall(tmp_path / "zip")
    monkeypatch.chdir(tmp_path / "zip")
    script = re.findall(r"```python\n(.*?)```", Path("HOW-TO.md").read_text(encoding="utf-8"), re.S)[-1]
    before, after = script.split("base = AutoModelForCausalLM", 1)
    names: dict = {}
    exec(before + after[after.index("messages =") : after.index("answer =")], names)  # all but loading and answering
    question = {"role": "user", "content": "What can you do?"}
    expected = prompt_ids(load_tokenizer(folder), [question], system_prompt=told)
    assert names["inputs"]["input_ids"][0].tolist() == expected
    assert ("You bake" in names["tokenizer"].decode(expected)) is bool(told)
