"""Published models before and after they are fetched from the Hub, beside the starter and registered folders."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from studio.errors import NotFound, StudioError
from studio.models.catalog import ModelCatalog
from studio.models.published import hub_id, published
from studio.workspace import Workspace, read_json, write_json

LISTED, UNLISTED = "HuggingFaceTB/SmolLM2-360M-Instruct", "somebody/Tiny-Thing"


@pytest.fixture
def fetched(workspace: Workspace, tiny_entry: Path, tiny_model: Path):
    """Puts the tiny model where a model fetched from the Hub lies, under the name of `repo`; gives its id."""

    def fetch(repo: str, **changes: object) -> str:
        model_id = hub_id(repo)
        place = workspace.folder("models", model_id)
        shutil.copytree(tiny_model, place / "files")
        note = read_json(tiny_entry / "model.json")
        files = {path.name: {"size": path.stat().st_size} for path in (place / "files").iterdir()}
        about = {"id": model_id, "title": repo.partition("/")[2], "origin": "hub", "repo": repo, "revision": "0" * 40, "path": ""}
        write_json(
            place / "model.json",
            {**note, **about, "gated": False, "ready": True, "download_bytes": 999, "files": files, **changes},
        )
        return model_id

    return fetch


def test_published_models_are_known_before_they_are_here(workspace: Workspace) -> None:
    catalog = ModelCatalog(workspace)
    entries = catalog.published_entries()
    assert [entry.id for entry in catalog.entries()] == ["starter"]
    assert {entry.id for entry in entries} == {item.id for item in published()}
    assert [entry.parameters for entry in entries] == sorted(entry.parameters for entry in entries)
    for entry in entries:
        assert catalog.get(entry.id) == entry
        assert entry.origin == "published" and not entry.ready and not entry.trouble and not entry.revision
        assert entry.download_bytes == 2 * entry.parameters and entry.repo and entry.family and entry.summary
    with pytest.raises(StudioError, match="not here yet"):
        catalog.folder(entries[0].id)
    with pytest.raises(NotFound):
        catalog.forget(entries[0].id)
    with pytest.raises(NotFound):
        catalog.get(hub_id(UNLISTED))


def test_the_starter_and_its_original_are_told_apart(workspace: Workspace) -> None:
    catalog = ModelCatalog(workspace)
    starter, original = catalog.get("starter"), catalog.get(hub_id("HuggingFaceTB/SmolLM2-135M-Instruct"))
    assert starter.title != original.title
    assert "Q4_1" in starter.summary and "16-bit form of the starter" in original.summary
    assert (starter.shape, starter.family, starter.allows) == (original.shape, original.family, original.allows)


def test_a_listed_model_once_fetched(workspace: Workspace, fetched, tiny_model: Path) -> None:
    catalog = ModelCatalog(workspace)
    before = catalog.get(hub_id(LISTED))
    model_id = fetched(LISTED, licence="", gated=True)
    entry = catalog.get(model_id)
    assert [item.id for item in catalog.entries()] == ["starter", model_id]
    assert model_id not in {item.id for item in catalog.published_entries()}
    assert entry.origin == "hub" and entry.ready and entry.download_bytes == 0
    assert catalog.size(entry.id) > (tiny_model / "model.safetensors").stat().st_size and catalog.size("starter") == 0
    assert (entry.repo, entry.revision, entry.gated) == (LISTED, "0" * 40, True)
    assert (entry.title, entry.allows, entry.licence) == (before.title, before.allows, before.licence)
    assert entry.parameters != before.parameters and entry.shape.layers == 2, "its own figures count, not the list's"
    assert catalog.folder(model_id) == workspace.folder("models", model_id) / "files"


def test_a_model_that_is_not_on_the_list(workspace: Workspace, fetched) -> None:
    entry = ModelCatalog(workspace).get(fetched(UNLISTED, licence="mit"))
    assert (entry.title, entry.licence, entry.family, entry.settings) == ("Tiny-Thing", "mit", "", {})
    assert UNLISTED in entry.summary


def test_a_fetched_model_that_changed_is_in_trouble_and_one_that_is_not_whole_can_be_fetched(
    workspace: Workspace, fetched
) -> None:
    catalog, model_id = ModelCatalog(workspace), fetched(LISTED)
    config = workspace.folder("models", model_id) / "files" / "config.json"
    config.write_text(config.read_text().replace(" ", "\t", 1))  # as long as before
    with pytest.raises(StudioError, match="changed since it was fetched"):
        catalog.folder(model_id)
    config.unlink()
    entry = catalog.get(model_id)
    assert (entry.ready, entry.trouble, entry.download_bytes) == (False, "", 999)
    with pytest.raises(StudioError, match="not here yet"):
        catalog.folder(model_id)


def test_a_model_that_was_only_looked_at_is_listed_with_what_the_hub_says(workspace: Workspace, fetched) -> None:
    catalog, model_id = ModelCatalog(workspace), fetched(UNLISTED, ready=False, licence="mit", gated=True)
    shutil.rmtree(workspace.folder("models", model_id) / "files")
    assert [item.id for item in catalog.entries()] == ["starter", model_id]
    entry = catalog.get(model_id)
    assert (entry.origin, entry.ready, entry.trouble, entry.gated) == ("hub", False, "", True)
    assert entry.download_bytes == 999


@pytest.mark.parametrize("damage", [{"shape": None}, {"path": 7, "origin": "local"}, {"repo": 7}, []])
def test_a_damaged_note_hides_nothing_else(workspace: Workspace, fetched, damage: object) -> None:
    catalog, model_id = ModelCatalog(workspace), fetched(LISTED)
    note = workspace.folder("models", model_id) / "model.json"
    write_json(note, {**read_json(note), **damage} if isinstance(damage, dict) else damage)
    assert [item.id for item in catalog.entries()] == ["starter"]
    assert catalog.get(model_id).origin == "published", "it can be fetched again"
    assert model_id in {item.id for item in catalog.published_entries()}


def test_only_registered_folders_are_forgotten(workspace: Workspace, fetched) -> None:
    catalog, model_id = ModelCatalog(workspace), fetched(LISTED)
    with pytest.raises(NotFound):
        catalog.forget(model_id)
    assert catalog.get(model_id).ready
