"""The models a person can start from: the starter and published ones, known before they are here, and those on this computer."""

from __future__ import annotations

import hashlib
import re
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from studio.errors import NotFound, StudioError
from studio.models.fetch import is_ready
from studio.models.folder import ModelShape, check_untrusted, refused, shape_of
from studio.models.hub import FILES
from studio.models.published import Published, find, published
from studio.models.starter import STARTER, STARTER_CONFIG, STARTER_ID
from studio.workspace import Workspace, disk_used, display_name, read_json, sha256_file, slug, write_json

STARTER_REPO = "HuggingFaceTB/SmolLM2-135M-Instruct"  # whose weights the starter's were made from
DAMAGED = (KeyError, TypeError, AttributeError)  # what reading a damaged note raises
LICENCE_LINE = re.compile(r"^license:\s*[\"']?([A-Za-z0-9.+_-]{1,40})", re.MULTILINE)


@dataclass(frozen=True)
class ModelEntry:
    """One model to start from. `trouble` says why it cannot be used now; empty when it is ready or can be fetched.

    `parameters` counts weights, `download_bytes` what is still to be fetched (0 when nothing is), `context` tokens.
    `origin`: "starter", "published" (on the list), "hub" (fetched from there or looked at) or "local" (a registered folder).
    `licence` is empty when nobody says; `allows` says in a sentence what it permits. `repo` is its name on the Hub and
    `revision` the commit that was fetched. `gated`: its publisher wants to be asked first; None when nobody says.
    `settings` are recommended settings by name. `number_format` is that of `ModelFacts`, "" before the files are here.
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
    repo: str = ""
    revision: str = ""
    gated: bool | None = None
    family: str = ""
    settings: dict[str, Any] = field(default_factory=dict)
    allows: str = ""
    number_format: str = ""


class ModelCatalog:
    """Lists, finds and registers models of one workspace. Quick: reads a few small files, no weights."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace

    def entries(self) -> list[ModelEntry]:
        """The starter first, then by title those of the Hub (here, on their way, or looked at) and registered folders."""
        found = []
        for item in self.workspace.items("models"):
            if item != STARTER_ID and (self.workspace.root / "models" / item / "model.json").is_file():
                try:
                    found.append(self._noted(item))
                except (StudioError, *DAMAGED):
                    continue  # a damaged note; the folder can be registered again, or the model fetched again
        return [self._starter(), *sorted(found, key=lambda entry: entry.title.lower())]

    def published_entries(self) -> list[ModelEntry]:
        """The published models that `entries` does not list, smallest first."""
        here = {entry.id for entry in self.entries()}
        return [_published(item) for item in sorted(published(), key=lambda item: item.parameters) if item.id not in here]

    def get(self, model_id: str) -> ModelEntry:
        """One entry, a published model that is not here among them. Raises NotFound."""
        if model_id == STARTER_ID:
            return self._starter()
        try:
            return self._noted(model_id)
        except (StudioError, *DAMAGED) as error:
            if item := next((item for item in published() if item.id == model_id), None):
                return _published(item)
            if isinstance(error, StudioError):
                raise
            raise NotFound("That model does not exist any more.", "Its note is damaged.", "Add its folder again.") from error

    def folder(self, model_id: str) -> Path:
        """The folder to load from. Raises NotFound or StudioError with the reason when it is not ready."""
        entry = self.get(model_id)
        if entry.trouble:
            again = "Remove it and fetch it" if entry.origin == "hub" else "Add its folder"
            raise StudioError("This model cannot be used.", entry.trouble, f"{again} again, or pick another model.")
        if not entry.ready:
            raise StudioError("This model is not here yet.", "It has to be fetched first.", "Start training; that fetches it.")
        if model_id == STARTER_ID:
            return self.workspace.folder("models", STARTER_ID)
        return self._place(model_id, read_json(self._note(model_id)))

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
                    "number_format": facts.number_format,
                    "weight_bytes": facts.weight_bytes,
                    "context": facts.context,
                    "has_chat_template": facts.has_chat_template,
                    "shape": asdict(facts.shape),
                },
            )
        return self.get(model_id)

    def forget(self, model_id: str) -> None:
        """Take a registered folder off the list; the folder itself is not touched. Raises NotFound, also for any other model."""
        note, others = self._note(model_id), {entry.id for entry in self.entries() if entry.origin != "local"}
        if model_id in others or not note.is_file():
            raise NotFound("That folder is not on the list.", "It was taken off already.", "")
        note.unlink()
        note.parent.rmdir()

    def size(self, model_id: str) -> int:
        """Bytes that are here of a model of the Hub, all of it or a part, and that removing it would free; 0 for any other."""
        return disk_used(self.workspace.folder("models", model_id)) if self.get(model_id).origin == "hub" else 0

    def _starter(self) -> ModelEntry:
        ready = is_ready(self.workspace)
        shape = shape_of({**STARTER_CONFIG, "model_type": "llama"})
        return ModelEntry(
            id=STARTER_ID,
            title="SmolLM2 135M Instruct",
            summary="Small and quick; works on any computer. Its weights come from a 4-bit copy (Q4_1) of the publisher's.",
            licence="Apache-2.0",
            parameters=shape.parameters,
            shape=shape,
            download_bytes=0 if ready else STARTER.size,
            origin="starter",
            ready=ready,
            context=STARTER_CONFIG["max_position_embeddings"],
            has_chat_template=True,
            gated=False,
            **_said_of(find(STARTER_REPO)),
        )

    def _note(self, model_id: str) -> Path:
        """Where what is known of a model on this computer is written; the file may not exist."""
        return self.workspace.folder("models", model_id) / "model.json"

    def _place(self, model_id: str, note: dict[str, Any]) -> Path:
        """Where the model's files lie: beside its note when fetched from the Hub, else in the registered folder."""
        return self._note(model_id).parent / FILES if note.get("origin") == "hub" else Path(note["path"])

    def _noted(self, model_id: str) -> ModelEntry:
        """A model by its note: a registered folder, or one of the Hub that is here, on its way, or was looked at."""
        note = read_json(self._note(model_id))
        wanted = note.get("origin") == "hub" and not is_ready(self.workspace, model_id)  # not here yet, or not all of it
        trouble = "" if wanted else _trouble(note, self._place(model_id, note) / "config.json")
        ready = not wanted and not trouble
        origin, repo, gated = note.get("origin", "local"), note.get("repo", ""), note.get("gated")
        known = find(repo) if repo else None
        summary = f"From {repo} on the Hugging Face Hub." if repo else f"A folder on this computer ({note['model_type']})."
        return ModelEntry(
            id=model_id,
            title=known.title if known else note["title"],
            summary=trouble or (known.strengths if known else "") or summary,
            licence=note["licence"] or (known.licence if known else ""),
            parameters=note["parameters"],
            number_format=note.get("number_format", ""),
            shape=ModelShape(**note["shape"]),
            download_bytes=0 if ready or trouble else note["download_bytes"],
            origin=origin,
            ready=ready,
            context=note["context"],
            has_chat_template=note["has_chat_template"] or bool(known and not ready),
            trouble=trouble,
            repo=repo,
            revision=note.get("revision", ""),
            gated=None if gated is None else bool(gated),
            **_said_of(known),
        )


def _trouble(note: dict[str, Any], config: Path) -> str:
    """What is wrong with a model that is on this computer; empty when nothing is."""
    if not config.is_file():
        return f"Its folder {config.parent} is missing."
    if sha256_file(config) != note["config_sha256"]:
        return f"Its config.json changed since it was {'fetched' if note.get('origin') == 'hub' else 'added'}."
    return ""


def _published(item: Published) -> ModelEntry:
    return ModelEntry(
        id=item.id,
        title=item.title,
        summary=item.strengths,
        licence=item.licence,
        parameters=item.parameters,
        shape=item.shape,
        download_bytes=item.download_bytes,
        origin="published",
        ready=False,
        context=item.context,
        has_chat_template=True,  # only chat models are on the list
        repo=item.repo,
        gated=item.gated,
        **_said_of(item),
    )


def _said_of(item: Published | None) -> dict[str, Any]:
    """What only the list of published models says."""
    return {"family": item.family, "settings": item.settings, "allows": item.allows} if item else {}


def _licence(folder: Path) -> str:
    """What the folder's model card says of its licence; empty when it says nothing."""
    try:
        with open(folder / "README.md", encoding="utf-8", errors="replace") as handle:
            found = LICENCE_LINE.search(handle.read(8192))
    except OSError:
        return ""
    return found.group(1) if found else ""
