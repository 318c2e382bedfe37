"""Goals and depths, what differs from the defaults, and a person's own presets."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from studio.config import DEPTHS, RunConfig, all_settings, settings_of_run
from studio.errors import ConfigError, NotFound, StudioError
from studio.presets import (
    MAX_BYTES,
    Presets,
    back_to_default,
    differences,
    follow,
    same_as,
    settings_for,
    table,
)
from studio.runs import RunStore
from studio.workspace import Workspace, write_json

MINE = {"r": 64, "learning_rate": 2e-4, "system_prompt": "Be kind.\nBe short.", "use_rslora": True}


@pytest.fixture
def presets(tmp_path: Path) -> Presets:
    return Presets(Workspace(tmp_path / "workspace"))


def file(**changes: Any) -> bytes:
    """A preset's file after changes."""
    plain = {"kind": "finetune-studio preset", "schema_version": 1, "name": "Ours", "created_at": 5.0, "settings": {"r": 8}}
    return json.dumps({**plain, **changes}).encode()


# ---- goals and depths


@pytest.mark.parametrize("goal", ["questions", "voice", "sorting", "format"])
@pytest.mark.parametrize("depth", ["quick", "balanced", "thorough"])
def test_goal_and_depth_give_settings_a_run_can_have(goal: str, depth: str) -> None:
    found = settings_for(goal, depth)
    config = RunConfig().replace(**found).validate()
    assert (config.training.goal, config.training.depth) == (goal, depth)
    plain = settings_of_run(RunConfig())
    assert all(value != plain[name] for name, value in found.items() if name not in ("goal", "depth")), "named though not changed"


def test_what_is_no_goal_is_refused() -> None:
    with pytest.raises(ConfigError) as caught:
        settings_for("fame", "endless")
    assert len(caught.value.faults) == 2


def test_the_table_tells_the_rounds_a_run_really_takes() -> None:
    keys = {name: key for setting in ("goal", "depth") for key, name in all_settings()[setting].choices}
    rows = table()
    assert len(rows) == 12
    for goal, depth, rounds, least, _, source in rows:
        config = RunConfig().replace(**settings_for(keys[goal], keys[depth]))
        assert config.epochs(10_000) == int(rounds)
        assert config.total_steps(8) == int(least) == DEPTHS[keys[depth]][1]
        assert source


def test_few_rows_take_the_least_steps_whatever_the_goal() -> None:
    assert {RunConfig().replace(goal=goal).total_steps(40) for goal in ("questions", "voice", "sorting", "format")} == {80}


def test_goal_and_depth_move_what_they_govern_and_leave_what_the_person_set() -> None:
    thorough = follow(RunConfig().replace(depth="thorough"))
    assert thorough.training.early_stopping_patience == 6
    assert follow(thorough.replace(goal="voice")).training.early_stopping_patience == 3
    assert follow(thorough.replace(depth="quick")) == RunConfig().replace(depth="quick")
    own = RunConfig().replace(depth="thorough", early_stopping_patience=9, r=64)
    assert follow(own) == own


# ---- differences


def test_nothing_differs_from_the_defaults_by_itself() -> None:
    assert differences(RunConfig()) == []
    assert differences(RunConfig(name="x").replace(dataset_id="abc", base_model="other", goal="voice", depth="quick")) == []


def test_differences_are_told_in_the_order_of_the_form_and_taken_back_one_by_one() -> None:
    config = RunConfig().replace(**MINE, depth="thorough", early_stopping_patience=6)
    found = differences(config)
    assert [item.name for item in found] == ["system_prompt", "r", "use_rslora", "learning_rate", "early_stopping_patience"]
    by_name = {item.name: item for item in found}
    assert by_name["r"].sentence == "Adapter size (rank): 64 instead of 16."
    assert (by_name["use_rslora"].default, by_name["use_rslora"].value) == ("off", "on")
    assert by_name["system_prompt"].value == "Be kind. Be short."
    assert "Prechelt" in by_name["early_stopping_patience"].source
    assert not by_name["r"].source
    for count in range(len(found), 0, -1):
        assert len(differences(config)) == count
        config = back_to_default(config, [found[count - 1].name, "no such setting"])
    assert config == RunConfig().replace(depth="thorough")


def test_a_models_own_defaults_take_the_place_of_the_general_ones() -> None:
    own = {"learning_rate": 2e-4}
    assert [item.name for item in differences(RunConfig(), own)] == ["learning_rate"]
    assert differences(RunConfig().replace(learning_rate=2e-4), own) == []
    assert back_to_default(RunConfig(), ["learning_rate"], own).training.learning_rate == 2e-4


def test_the_settings_of_a_run_come_without_its_data_and_name(presets: Presets) -> None:
    runs = RunStore(presets.workspace)
    about = {"dataset_id": "mine-123456", "dataset_sha256": "0" * 64, "base_model": "other", "start_from": "earlier"}
    run_id = runs.create(RunConfig(name="Bakery").replace(**MINE, **about))
    assert same_as(runs, run_id) == RunConfig().replace(**MINE)
    assert same_as(runs, run_id, ["starter", "other"]) == RunConfig().replace(**MINE, base_model="other")
    with pytest.raises(NotFound):
        same_as(runs, "../config")


# ---- own presets


def test_a_preset_keeps_settings_alone(presets: Presets) -> None:
    config = RunConfig(name="Secret").replace(**MINE, dataset_id="mine-123456", base_model="other", start_from="earlier")
    kept = presets.save("  My \u202e voice\n", config)
    assert kept.name == "My voice"
    text = presets.export(kept.id).decode()
    assert not any(word in text for word in ("Secret", "mine-123456", "other", "earlier", str(presets.workspace.root)))
    elsewhere = RunConfig(name="Now").replace(dataset_id="new-123456")
    assert kept.on(elsewhere) == elsewhere.replace(**MINE)
    assert presets.get(kept.id) == kept


def test_presets_are_listed_renamed_and_deleted(presets: Presets) -> None:
    second, first = presets.save("beta", RunConfig()), presets.save("Alpha", RunConfig().replace(r=8))
    assert [preset.id for preset in presets.list()] == [first.id, second.id]
    assert presets.rename(first.id, "Gamma").id == first.id
    assert presets.rename(first.id, "GAMMA").name == "GAMMA", "its own name is not taken"
    assert [preset.name for preset in presets.list()] == ["beta", "GAMMA"]
    presets.delete(second.id)
    assert [preset.name for preset in presets.list()] == ["GAMMA"]
    for call in (presets.get, presets.delete, presets.export):
        with pytest.raises(NotFound):
            call(second.id)
        with pytest.raises(NotFound):
            call("../runs")


@pytest.mark.parametrize("name", ["", "  ", "\u202e", None, 7, "ALPHA"])
def test_a_name_that_is_missing_or_taken_is_refused(presets: Presets, name: Any) -> None:
    kept = presets.save("Alpha", RunConfig())
    other = presets.save("Other", RunConfig())
    with pytest.raises(StudioError):
        presets.save(name, RunConfig())
    with pytest.raises(StudioError):
        presets.rename(other.id, name)
    assert {preset.name for preset in presets.list()} == {kept.name, other.name}


def test_settings_with_faults_are_not_kept(presets: Presets) -> None:
    with pytest.raises(ConfigError) as caught:
        presets.save("x", RunConfig().replace(r=0, learning_rate=float("nan")))
    assert len(caught.value.faults) == 2
    assert presets.list() == []


def test_what_was_exported_comes_back(presets: Presets, tmp_path: Path) -> None:
    kept = presets.save("Ours", RunConfig().replace(**MINE))
    found = Presets(Workspace(tmp_path / "other")).import_(presets.export(kept.id))
    assert (found.preset.name, found.preset.settings, found.left_out) == (kept.name, kept.settings, ())
    assert [presets.import_(presets.export(kept.id)).preset.name for _ in range(2)] == ["Ours (2)", "Ours (3)"]


def test_every_fault_of_a_file_is_told_at_once_and_nothing_is_kept(presets: Presets) -> None:
    bad = {"r": 10**400, "learning_rate": -1, "quantization": ["nf4"], "use_dora": "yes", "seed": 1.5, "system_prompt": 3}
    with pytest.raises(ConfigError) as caught:
        presets.import_(file(settings=bad))
    assert len(caught.value.faults) == len(bad)
    assert presets.list() == []


def test_unknown_settings_are_told_and_left_out(presets: Presets) -> None:
    found = presets.import_(file(settings={"r": 8.0, "magic\u202e": 1, "dataset_id": "x", "base_model": "y", "name": "z"}))
    assert found.preset.settings == {"r": 8}
    assert len(found.left_out) == 4
    assert "magic" in found.left_out[0] and "\u202e" not in found.left_out[0]
    many = presets.import_(file(settings={f"unknown{number}": 0 for number in range(30)}))
    assert len(many.left_out) == 11 and "20 more" in many.left_out[-1]


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "JSON"),
        (b"\xff\xfe\x00", "JSON"),
        (b"[" * 60_000, "JSON"),
        (b'{"kind": 1e999}', "Another program"),
        (file(name="\ud800"), "JSON"),
        (file(settings={"system_prompt": "\ud800"}), "JSON"),
        (b" " * (MAX_BYTES + 1), "larger"),
        (b"null", "Another program"),
        (b'{"r": 8}', "Another program"),
        (file(kind="other"), "Another program"),
        (file(settings=[]), "Another program"),
        (file(schema_version=2), "newer version"),
        (file(schema_version="1"), "which version"),
        (file(schema_version=True), "which version"),
    ],
)
def test_a_file_that_is_no_preset_is_refused_with_a_reason(presets: Presets, data: bytes, why: str) -> None:
    with pytest.raises(StudioError) as caught:
        presets.import_(data)
    assert why in caught.value.why and caught.value.fix
    assert presets.list() == []


def test_a_damaged_preset_hides_no_other(presets: Presets) -> None:
    kept, broken = presets.save("Good", RunConfig()), presets.save("Broken", RunConfig())
    write_json(presets.workspace.folder("presets", broken.id) / "preset.json", {"kind": "?"})
    assert presets.list() == [kept]


def test_there_is_an_end_to_how_many_are_kept(presets: Presets, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("studio.presets.stored.MAX_PRESETS", 2)
    for name in ("a", "b"):
        presets.save(name, RunConfig())
    with pytest.raises(StudioError, match="2 already"):
        presets.import_(file())
