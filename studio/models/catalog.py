"""The models a person can start from: the starter, known before it is here, and folders registered on this computer."""

from __future__ import annotations

import hashlib
import re
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from studio.errors import NotFound, StudioError
from studio.models.fetch import is_ready, registered_folder
from studio.models.folder import ModelShape, check_untrusted, refused, shape_of
from studio.models.starter import STARTER, STARTER_CONFIG, STARTER_ID
from studio.workspace import Workspace, display_name, read_json, sha256_file, slug, write_json

LICENCE_LINE = re.compile(r"^license:\s*[\"']?([A-Za-z0-9.+_-]{1,40})", re.MULTILINE)


@dataclass(frozen=True)
class ModelEntry:
    """One model to start from. `trouble` says why it cannot be used now; empty when it is ready or can be fetched.

    `parameters` counts weights, `download_bytes` what is still to be fetched (0 when nothing is), `context` tokens.
    `licence` is empty when nobody says.
    """

    id: str
    title: str
    summary: str
    licence: str
    parameters: int
    shape: ModelShape
    download_bytes: int
    origin: str
    ready: bool
    context: int
    has_chat_template: bool
    trouble: str = ""


class ModelCatalog:
    """Lists, finds and registers models of one workspace. Quick: reads a few small files, no weights."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace

    def entries(self) -> list[ModelEntry]:
        """The starter first, then registered folders by title."""
        found = []
        for item in self.workspace.items("models"):
            if item != STARTER_ID and (self.workspace.root / "models" / item / "model.json").is_file():
                try:
                    found.append(self._local(item))
                except (StudioError, KeyError, TypeError):
                    continue  # a damaged note about a folder; the folder can be registered again
        return [self._starter(), *sorted(found, key=lambda entry: entry.title.lower())]

    def get(self, model_id: str) -> ModelEntry:
        """One entry. Raises NotFound."""
        if model_id == STARTER_ID:
            return self._starter()
        try:
            return self._local(model_id)
        except (KeyError, TypeError) as error:
            raise NotFound("That model does not exist any more.", "Its note is damaged.", "Add its folder again.") from error

    def folder(self, model_id: str) -> Path:
        """The folder to load from. Raises NotFound or StudioError with the reason when it is not ready."""
        entry = self.get(model_id)
        if entry.trouble:
            raise StudioError("This model cannot be used.", entry.trouble, "Add its folder again, or pick another model.")
        if not entry.ready:
            raise StudioError("This model is not here yet.", "It has to be fetched first.", "Start training; that fetches it.")
        return (
            self.workspace.folder("models", STARTER_ID) if model_id == STARTER_ID else registered_folder(self.workspace, model_id)
        )

    def register_local(self, path: str) -> ModelEntry:
        """Add a transformers folder on this computer; it stays where it is. Adding it again gives the same id.

        Raises StudioError that names what is wrong with the folder.
        """
        if not isinstance(path, str) or not path.strip() or len(path) > 4096 or "\0" in path:
            raise refused("That is not the path of a folder.", "Type the full path of a folder that holds config.json.")
        folder = Path(path.strip()).expanduser()
        if not folder.is_absolute():
            raise refused("The path does not begin at the top.", "Type the full path of a folder that holds config.json.")
        folder = folder.resolve()
        facts = check_untrusted(folder)
        title = display_name(folder.name, "Local model")
        model_id = f"{slug(title)}-{hashlib.sha256(str(folder).encode()).hexdigest()[:6]}"
        with self.workspace.staged("models", model_id) as staging:
            write_json(
                staging / "model.json",
                {
                    "schema_version": 1,
                    "id": model_id,
                    "title": title,
                    "path": str(folder),
                    "config_sha256": sha256_file(folder / "config.json"),
                    "licence": _licence(folder),
                    "registered_at": time.time(),
                    "model_type": facts.model_type,
                    "parameters": facts.parameters,
                    "weight_bytes": facts.weight_bytes,
                    "context": facts.context,
                    "has_chat_template": facts.has_chat_template,
                    "shape": asdict(facts.shape),
                },
            )
        return self.get(model_id)

    def forget(self, model_id: str) -> None:
        """Take a registered folder off the list; the folder itself is not touched."""
        note = self.workspace.folder("models", model_id) / "model.json"
        if model_id == STARTER_ID or not note.is_file():
            raise NotFound("That model is not on the list.", "It was taken off already.", "")
        note.unlink()
        note.parent.rmdir()

    def _starter(self) -> ModelEntry:
        ready = is_ready(self.workspace)
        shape = shape_of({**STARTER_CONFIG, "model_type": "llama"})
        return ModelEntry(
            id=STARTER_ID,
            title="SmolLM2 135M Instruct",
            summary="Small and quick; works on any computer.",
            licence="Apache-2.0",
            parameters=shape.parameters,
            shape=shape,
            download_bytes=0 if ready else STARTER.size,
            origin="starter",
            ready=ready,
            context=STARTER_CONFIG["max_position_embeddings"],
            has_chat_template=True,
        )

    def _local(self, model_id: str) -> ModelEntry:
        note = read_json(self.workspace.folder("models", model_id) / "model.json")
        config, trouble = Path(note["path"]) / "config.json", ""
        if not config.is_file():
            trouble = f"Its folder {note['path']} is missing."
        elif sha256_file(config) != note["config_sha256"]:
            trouble = "Its config.json changed since it was added."
        return ModelEntry(
            id=model_id,
            title=note["title"],
            summary=trouble or f"A folder on this computer ({note['model_type']}).",
            licence=note["licence"],
            parameters=note["parameters"],
            shape=ModelShape(**note["shape"]),
            download_bytes=0,
            origin="local",
            ready=not trouble,
            context=note["context"],
            has_chat_template=note["has_chat_template"],
            trouble=trouble,
        )


def _licence(folder: Path) -> str:
    """What the folder's model card says of its licence; empty when it says nothing."""
    try:
        with open(folder / "README.md", encoding="utf-8", errors="replace") as handle:
            found = LICENCE_LINE.search(handle.read(8192))
    except OSError:
        return ""
    return found.group(1) if found else ""
