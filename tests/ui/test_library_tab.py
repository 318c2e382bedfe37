"""The Library: what it lists, and that nothing is renamed, deleted or handed out by accident."""

from __future__ import annotations

import ast
import json
import re
import zipfile
from types import SimpleNamespace

import pytest

from studio.config import RunConfig
from studio.errors import Busy, NotFound, StudioError
from studio.export.adapter import adapter_zip
from studio.models.starter import STARTER
from studio.samples import save_sample
from studio.ui import library_parts
from studio.ui.app import Page
from studio.ui.studio import Studio
from studio.ui.tabs import library
from studio.workspace import sha256_file
from tests.ui.run_folders import make_run


def picked(item: str) -> SimpleNamespace:
    """What the browser sends with a click on a row."""
    return SimpleNamespace(id=item)


def test_runs_are_listed_with_their_losses_and_states(studio: Studio) -> None:
    make_run(studio, "First <b>try</b>", settings={"r": 8, "quantization": "none"})
    make_run(studio, "Broken", state="failed", step=12, error={"what": "x"})
    shown = str(library_parts.runs_table(studio, None))
    assert "First &lt;b&gt;try" in shown
    assert "Rank 8, 16 bit" in shown
    assert "finished" in shown
    assert "failed, kept" in shown
    assert re.search(r"3\.10.*→.*1\.13", shown)
    assert shown.count("<svg") == 2


def test_a_run_with_unreadable_settings_is_still_listed_and_deletable(studio: Studio, page: Page) -> None:
    run_id = make_run(studio)
    (studio.runs.folder(run_id) / "config.json").write_text("{", encoding="utf-8")
    assert "Its settings cannot be read" in str(library_parts.runs_table(studio, run_id))
    library.delete(studio, page.views["library"], page.shell, "runs", run_id, None, None)
    assert run_id not in studio.runs.ids()


def test_data_sets_say_how_many_runs_use_them(studio: Studio) -> None:
    make_run(studio, "One")
    make_run(studio, "Two")
    shown = str(library_parts.datasets_table(studio, None))
    assert "Used by 2 runs" in shown
    assert "169" in shown


def test_empty_shelves_say_what_will_stand_there(studio: Studio, page: Page) -> None:
    view = page.views["library"]
    found = library.refresh(studio, view, page.shell, None, None, None)
    assert "No runs yet" in found[view.runs.table]["value"]
    assert "No data sets yet" in found[view.data.table]["value"]
    assert found[view.runs.row]["visible"] is False


def test_a_refresh_leaves_what_was_picked(studio: Studio, page: Page) -> None:
    view, run_id = page.views["library"], make_run(studio)
    for chosen, kept in (((run_id, None), run_id), (("gone", "gone"), None)):
        found = library.refresh(studio, view, page.shell, None, None, None, *chosen)
        assert (found[view.runs.picked], found[view.data.picked]) == (kept, None)
        assert found[view.runs.open]["interactive"] is (kept is not None)


def test_picking_wakes_the_buttons(studio: Studio, page: Page) -> None:
    view, run_id = page.views["library"], make_run(studio)
    found = library.pick(studio, view, page.shell, "runs", picked(run_id))
    assert found[view.runs.picked] == run_id
    assert all(found[button]["interactive"] for button in (view.runs.open, view.runs.rename, view.runs.delete, view.make_zip))
    assert re.search(rf'value="{run_id}"[^>]* checked', found[view.runs.table]["value"])
    forged = library.pick(studio, view, page.shell, "runs", picked("../../etc"))
    assert forged[view.runs.picked] is None
    assert forged[view.runs.open]["interactive"] is False


def test_opening_goes_to_the_run_with_its_data(studio: Studio, page: Page) -> None:
    run_id = make_run(studio)
    found = library.open_it(studio, page.views["library"], page.shell, "runs", run_id)
    assert found[page.shell.run_id] == run_id
    assert found[page.shell.dataset_id] == studio.dataset_of(run_id)
    assert found[page.shell.tabs]["selected"] == "train"


@pytest.mark.parametrize("kind", ["runs", "data"])
def test_renaming(studio: Studio, page: Page, kind: str) -> None:
    run_id = make_run(studio)
    item = run_id if kind == "runs" else studio.dataset_of(run_id)
    view = page.views["library"]
    library.rename(studio, view, page.shell, kind, item, "A <new>\n name")
    assert library.KINDS[kind].name(studio, item) == "A <new> name"
    for unusable in ("", "  \u200b ", None, 3, ["x"]):
        with pytest.raises(StudioError):
            library.rename(studio, view, page.shell, kind, item, unusable)


def test_deleting_asks_first_and_says_what_is_lost(studio: Studio, page: Page) -> None:
    view, run_id = page.views["library"], make_run(studio, "Bakery voice")
    found = library.ask_delete(studio, view, page.shell, "runs", run_id)
    assert found[view.runs.deleting]["visible"]
    assert "“Bakery voice” is deleted for good: its adapter" in found[view.runs.lost]["value"]
    assert run_id in studio.runs.ids()
    after = library.delete(studio, view, page.shell, "runs", run_id, run_id, None)
    assert studio.runs.ids() == []
    assert after[page.shell.run_id] is None


def test_what_a_live_run_needs_stays(studio: Studio, page: Page) -> None:
    view, run_id = page.views["library"], make_run(studio, state="running", step=10)
    dataset_id = studio.dataset_of(run_id)
    lock = studio.runs.lock(run_id)
    assert lock.acquire("a trainer")
    try:
        for kind, item in (("runs", run_id), ("data", dataset_id)):
            shown = library.pick(studio, view, page.shell, kind, picked(item))
            assert shown[getattr(view, kind).delete]["interactive"] is False
            with pytest.raises(Busy):
                library.ask_delete(studio, view, page.shell, kind, item)
            with pytest.raises(Busy):
                library.delete(studio, view, page.shell, kind, item, None, None)
    finally:
        lock.release()
    assert studio.runs.ids() == [run_id]
    assert studio.datasets.ids() == [dataset_id]


def test_a_run_in_the_queue_can_go_but_not_the_data_it_needs(studio: Studio, page: Page) -> None:
    view, record = page.views["library"], save_sample(studio.workspace, "sorter")
    run_id = studio.runs.create(RunConfig(name="Waits").replace(dataset_id=record.id), place=0)
    assert "in the queue" in str(library_parts.runs_table(studio, None))
    with pytest.raises(Busy, match="in the queue"):
        library.delete(studio, view, page.shell, "data", record.id, None, None)
    library.delete(studio, view, page.shell, "runs", run_id, None, None)
    library.delete(studio, view, page.shell, "data", record.id, None, None)
    assert (studio.runs.ids(), studio.datasets.ids()) == ([], [])


def test_what_is_gone_gives_a_notice(studio: Studio, page: Page) -> None:
    for item in ("gone-123456", None, "../x", 5):
        with pytest.raises(NotFound):
            library.open_it(studio, page.views["library"], page.shell, "runs", item)


def test_the_zip_is_served_from_uploads_only(studio: Studio, page: Page) -> None:
    view, run_id = page.views["library"], make_run(studio)
    found = library.make_zip(studio, view, page.shell, run_id)
    path = found[view.zip]["value"]
    assert path.startswith(str(studio.workspace.root / "uploads"))
    assert found[view.zip]["visible"]
    library.make_zip(studio, view, page.shell, run_id)
    assert len(list((studio.workspace.root / "uploads").rglob("*.zip"))) == 1


def test_the_zip_is_complete_and_the_same_each_time(studio: Studio) -> None:
    prompt = 'Say "hi", {friend} \\ 🙂'
    run_id = make_run(studio, "Bakery voice", settings={"system_prompt": prompt})
    folder, base = studio.runs.folder(run_id), studio.catalog.get("starter")
    dataset = studio.datasets.get(studio.dataset_of(run_id))
    made = adapter_zip(folder, base, None, dataset)
    first = sha256_file(made)
    assert sha256_file(adapter_zip(folder, base, None, dataset)) == first
    assert [path.name for path in made.parent.iterdir()] == [made.name]
    with zipfile.ZipFile(made) as archive:
        assert archive.testzip() is None
        names = archive.namelist()
        about, text = json.loads(archive.read("studio.json")), archive.read("HOW-TO.md").decode()
    assert names == ["HOW-TO.md", "adapter_config.json", "adapter_model.safetensors", "studio.json"]
    assert about["base"]["wheel"]["sha256"] == STARTER.sha256
    assert about["system_prompt"] == prompt
    assert about["dataset"]["rows_sha256"] == dataset.sha256
    assert (about["result"]["validation_loss_before"], about["result"]["step"]) == (3.1, 80)
    assert str(studio.workspace.root) not in json.dumps(about) + text
    blocks = re.findall(r"```python\n(.*?)```", text, re.S)
    assert len(blocks) == 2
    told = [node for block in blocks for node in ast.walk(ast.parse(block)) if isinstance(node, ast.Assign)]
    assert prompt in [node.value.value for node in told if isinstance(node.value, ast.Constant)]


def test_a_local_base_gets_its_own_words(studio: Studio) -> None:
    run_id = make_run(studio, settings={"quantization": "none"})
    starter = studio.catalog.get("starter")
    local = type(starter)(**{**starter.__dict__, "id": "my-model-123456", "title": "My model", "licence": ""})
    with zipfile.ZipFile(adapter_zip(studio.runs.folder(run_id), local)) as archive:
        text = archive.read("HOW-TO.md").decode()
    assert "pip download" not in text
    assert "BitsAndBytes" not in text
    assert "My model" in text
    assert len(re.findall(r"```python\n(.*?)```", text, re.S)) == 1


def test_the_zip_of_new_words_holds_their_tokenizer_and_makes_room_for_them(studio: Studio) -> None:
    run_id = make_run(studio, settings={"new_tokens": "Quarkbrot"})
    (studio.runs.adapter(run_id) / "tokenizer.json").write_text("{}")
    with zipfile.ZipFile(adapter_zip(studio.runs.folder(run_id), studio.catalog.get("starter"))) as archive:
        text = archive.read("HOW-TO.md").decode()
        assert archive.read("tokenizer.json") == b"{}"
    block = re.findall(r"```python\n(.*?)```", text, re.S)[1]
    ast.parse(block)
    assert block.index("resize_token_embeddings") < block.index("PeftModel.from_pretrained")


def test_a_run_without_an_adapter_gives_no_zip(studio: Studio) -> None:
    run_id = make_run(studio, adapter=False)
    with pytest.raises(StudioError, match="nothing to download"):
        adapter_zip(studio.runs.folder(run_id), studio.catalog.get("starter"))
