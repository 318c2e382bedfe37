"""A person's own presets: saved, read back, exported, imported.

    presets/<id>/preset.json

A preset holds settings alone: no data, no model, no name of a run. Its file is what is exported and read back.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from studio.config import RunConfig, all_settings, settings_of_run
from studio.errors import ConfigError, NotFound, StudioError
from studio.fields import coerce
from studio.presets.differences import short
from studio.workspace import Workspace, display_name, write_json

MAX_BYTES = 64 * 2**10  # of a preset's file: all settings with the longest texts take a tenth of it
MAX_PRESETS = 200  # so that the list on the page stays one that can be read
MAX_DIGITS = 18  # of a whole number in a file; no setting allows more
MAX_NAMED = 10  # unknown settings of a file told by name
KIND = "finetune-studio preset"
SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Preset:
    """Settings under a name. `settings` holds checked values by setting name; `created_at` is in seconds since 1970."""

    id: str
    name: str
    settings: Mapping[str, Any]
    created_at: float

    def on(self, config: RunConfig) -> RunConfig:
        """The config with this preset's settings; data, model and name stay."""
        return config.replace(**self.settings)


@dataclass(frozen=True)
class Imported:
    """A preset read from a file, and what of the file was left out, in sentences."""

    preset: Preset
    left_out: tuple[str, ...]


class Presets:
    """The person's own presets of one workspace."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace

    def list(self) -> list[Preset]:
        """Every preset that can be read, by name."""
        found = []
        for preset_id in self.workspace.items("presets"):
            try:
                found.append(self.get(preset_id))
            except StudioError:
                continue  # a damaged file: nothing of it can be used, and it can be deleted by hand
        return sorted(found, key=lambda preset: (preset.name.casefold(), preset.created_at))

    def get(self, preset_id: str) -> Preset:
        """One preset. Raises NotFound, or StudioError when its file is damaged."""
        try:
            data = self._file(preset_id).read_bytes()
        except FileNotFoundError as error:
            raise gone() from error
        return checked(parsed(data), preset_id)[0]

    def save(self, name: str, config: RunConfig) -> Preset:
        """Keep a config's settings under a name.

        Raises:
            ConfigError: The settings have faults; all are named.
            StudioError: The name is missing or taken, or there are too many presets.
        """
        shown = self._free_name(name)
        return self._write(shown, settings_of_run(config.validate()))

    def rename(self, preset_id: str, name: str) -> Preset:
        """Give a preset another name. Raises StudioError when it is missing or taken, NotFound when the preset is gone."""
        preset = self.get(preset_id)
        preset = replace(preset, name=self._free_name(name, besides=preset_id))
        write_json(self._file(preset_id), to_json(preset))
        return preset

    def delete(self, preset_id: str) -> None:
        """Delete a preset. Raises NotFound when it is gone already."""
        file = self._file(preset_id)
        try:
            file.unlink()
            file.parent.rmdir()
        except FileNotFoundError as error:
            raise gone() from error

    def export(self, preset_id: str) -> bytes:
        """The preset as a JSON file that `import_` reads."""
        return json.dumps(to_json(self.get(preset_id)), ensure_ascii=False, indent=1, allow_nan=False).encode()

    def import_(self, data: bytes) -> Imported:
        """Read a preset from a file's bytes and keep it; where its name is taken, a number is added.

        Raises:
            ConfigError: Settings in it cannot be used; every one is named.
            StudioError: It is too large, damaged, of another program, or of a newer version of this one.
        """
        preset, left_out = checked(parsed(data))
        taken = self._names()
        name, number = preset.name, 2
        while name.casefold() in taken:
            name, number = f"{preset.name[:70]} ({number})", number + 1
        return Imported(self._write(name, preset.settings), left_out)

    def _write(self, name: str, settings: Mapping[str, Any]) -> Preset:
        if len(self.workspace.items("presets")) >= MAX_PRESETS:
            raise StudioError("The preset was not saved.", f"There are {MAX_PRESETS} already.", "Delete one you no longer use.")
        folder = self.workspace.new_folder("presets", name)
        preset = Preset(folder.name, name, dict(settings), time.time())
        write_json(self._file(preset.id), to_json(preset))
        return preset

    def _file(self, preset_id: str) -> Path:
        return self.workspace.folder("presets", preset_id) / "preset.json"

    def _names(self, besides: str = "") -> set[str]:
        return {preset.name.casefold() for preset in self.list() if preset.id != besides}

    def _free_name(self, name: Any, besides: str = "") -> str:
        shown = display_name(name, "") if isinstance(name, str) else ""
        if not shown:
            raise StudioError("The preset was not saved.", "It has no name.", "Write a name and try again.")
        if shown.casefold() in self._names(besides):
            raise StudioError("The preset was not saved.", f"There is one called “{shown}” already.", "Write another name.")
        return shown


def gone() -> NotFound:
    """The failure for a preset that does not exist any more."""
    return NotFound("That preset does not exist any more.", "It was deleted.", "Choose another one.")


def to_json(preset: Preset) -> dict[str, Any]:
    """The values of a preset's file."""
    about = {"kind": KIND, "schema_version": SCHEMA_VERSION, "name": preset.name, "created_at": preset.created_at}
    return {**about, "settings": dict(preset.settings)}


def parsed(data: bytes) -> Any:
    """The values of a file's bytes; numbers no setting could hold become infinite, so that they are told as faults."""
    if len(data) > MAX_BYTES:
        raise unread(f"It is larger than {MAX_BYTES // 2**10} kB.", "Choose a preset that this app saved.")
    try:
        whole = json.loads(data.decode("utf-8-sig"), parse_int=lambda text: int(text) if len(text) <= MAX_DIGITS else math.inf)
        json.dumps(whole, ensure_ascii=False).encode()  # halves of letters, which no file can hold
        return whole
    except (ValueError, RecursionError) as error:
        raise unread("It is not whole JSON.", "Choose a preset that this app saved.") from error


def checked(values: Any, preset_id: str = "") -> tuple[Preset, tuple[str, ...]]:
    """The preset in a file's values, and sentences about what was left out. Raises as `Presets.import_` says."""
    if not isinstance(values, dict) or values.get("kind") != KIND or not isinstance(values.get("settings"), dict):
        raise unread("Another program made it, or it holds no settings.", "Choose a preset that this app saved.")
    version = values.get("schema_version")
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise unread("It does not say which version it is.", "Choose a preset that this app saved.")
    if version > SCHEMA_VERSION:
        raise unread("A newer version of this app made it.", "Update this app, then read it again.")
    known = all_settings()
    settings = {name: coerce(known[name], value) for name, value in values["settings"].items() if name in known}
    if faults := [fault for name, value in settings.items() if (fault := known[name].fault(value))]:
        raise ConfigError(faults)
    unknown = [short(display_name(name, "a name that cannot be shown"), 40) for name in values["settings"] if name not in known]
    left_out = [f"“{name}” is no setting of this app, so it was left out." for name in unknown[:MAX_NAMED]]
    if len(unknown) > MAX_NAMED:
        left_out.append(f"{len(unknown) - MAX_NAMED} more were left out for the same reason.")
    created = values.get("created_at")
    moment = created if isinstance(created, (int, float)) and math.isfinite(created) else 0.0
    name = values.get("name")
    return Preset(preset_id, display_name(name, "Preset") if isinstance(name, str) else "Preset", settings, moment), tuple(
        left_out
    )


def unread(why: str, fix: str) -> StudioError:
    """The failure for a file that is no preset."""
    return StudioError("The preset was not read.", why, fix)
