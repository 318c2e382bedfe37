"""The adapter as a zip that works elsewhere: plain PEFT files, the tokenizer, how to use them, and where they are from."""

from __future__ import annotations

import json
import os
import secrets
import zipfile
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from studio.config import RunConfig
from studio.data.render import Renderer
from studio.errors import StudioError
from studio.export.howto import howto
from studio.models.catalog import ModelEntry
from studio.models.load import load_tokenizer
from studio.models.starter import STARTER, STARTER_ID
from studio.records import Dataset, RunStatus
from studio.runs import RunStore
from studio.workspace import Workspace, slug, sync_folder

ADAPTER_FILES = ("adapter_config.json", "adapter_model.safetensors")
TEMPLATE_FILE = "chat_template.jinja"
TOKENIZER_FILES = (TEMPLATE_FILE, "special_tokens_map.json", "tokenizer.json", "tokenizer_config.json")
LARGEST_TOKENIZER = 20 * 2**20  # bytes of a file that still counts as small
LIBRARIES = ("torch", "transformers", "peft", "bitsandbytes", "gguf", "safetensors")
STAMP = (1980, 1, 1, 0, 0, 0)  # the zip format's first moment, so that the same run gives the same bytes


def adapter_zip(run_dir: Path, base: ModelEntry, base_folder: Path | None = None, dataset: Dataset | None = None) -> Path:
    """Write exports/<name>-adapter.zip of a run and return its path. The same run gives the same bytes again.

    Args:
        run_dir: <workspace>/runs/<id>.
        base: The catalogue's entry of the model the run started from.
        base_folder: Its folder, for the tokenizer; None when it is not on this computer.
        dataset: What it learned from, for studio.json; None when it was deleted.
    Raises:
        StudioError: There is no adapter, or no room on the disk.
    """
    run_dir = Path(run_dir).resolve()
    workspace = Workspace(run_dir.parent.parent)
    runs = RunStore(workspace)
    config, status, folder = runs.config(run_dir.name), runs.status(run_dir.name), runs.adapter(run_dir.name)
    if folder is None or not all((folder / name).is_file() for name in ADAPTER_FILES):
        raise StudioError("There is nothing to download.", "This run kept no adapter.", "Train it further first.")
    files = {name: folder / name for name in ADAPTER_FILES}
    source = folder if (folder / "tokenizer.json").is_file() else base_folder  # its own, where it learned new words
    files |= tokenizer_files(source) if source else {}
    if (folder / TEMPLATE_FILE).is_file():  # the one it was learned with, before the base's own
        files[TEMPLATE_FILE] = folder / TEMPLATE_FILE
    about = provenance(config, status, base, dataset)
    question = next((sample.prompt for sample in runs.samples(run_dir.name)), "What can you do?")
    held = {"tokenizer": "tokenizer.json" in files, "template": TEMPLATE_FILE in files}
    texts = {
        "HOW-TO.md": howto(about, question, **held, folds=source is not None and _folds(config, source, folder)),
        "studio.json": json.dumps(about, ensure_ascii=False, indent=1, sort_keys=True, allow_nan=False) + "\n",
    }
    workspace.require_space(2 * sum(path.stat().st_size for path in files.values()), "for the zip")
    target = run_dir / "exports" / f"{slug(config.name)}-adapter.zip"
    target.parent.mkdir(exist_ok=True)
    staging = target.with_name(f".staging-{secrets.token_hex(3)}.zip")
    try:
        write_zip(staging, files, texts)
        os.replace(staging, target)
        sync_folder(target.parent)
    finally:
        staging.unlink(missing_ok=True)
    return target


def _folds(config: RunConfig, source: Path, adapter: Path) -> bool:
    """Whether the system prompt of a run stands in the question, since the chat template has no system turns."""
    if not config.data.system_prompt.strip() or not (source / "tokenizer.json").is_file():
        return False
    return Renderer(load_tokenizer(source, config.model.chat_template, adapter=adapter)).folds


def tokenizer_files(folder: Path) -> dict[str, Path]:
    """The tokenizer's files that are there and small, by name."""
    found = {name: folder / name for name in TOKENIZER_FILES}
    return {name: path for name, path in found.items() if path.is_file() and path.stat().st_size <= LARGEST_TOKENIZER}


def write_zip(target: Path, files: Mapping[str, Path], texts: Mapping[str, str]) -> None:
    """Write files and texts in the order of their names, without times or owners, and sync to the disk."""
    with open(target, "wb") as handle:
        with zipfile.ZipFile(handle, "w") as archive:
            for name in sorted([*files, *texts]):
                item = zipfile.ZipInfo(name, date_time=STAMP)
                item.external_attr = 0o644 << 16
                # weights are random to a packer: trying would only cost time
                item.compress_type = zipfile.ZIP_STORED if name.endswith(".safetensors") else zipfile.ZIP_DEFLATED
                if name in texts:
                    archive.writestr(item, texts[name])
                    continue
                with open(files[name], "rb") as source, archive.open(item, "w") as out:
                    while piece := source.read(2**20):
                        out.write(piece)
        handle.flush()
        os.fsync(handle.fileno())


def provenance(config: RunConfig, status: RunStatus, base: ModelEntry, dataset: Dataset | None) -> dict[str, Any]:
    """What studio.json says: where the adapter is from and how well it did. Ids and hashes, no paths, no clock but the run's."""
    wheel = None
    if base.id == STARTER_ID:
        names = ("project", "version", "file", "sha256", "member", "member_sha256")
        wheel = {name: getattr(STARTER, name) for name in names}
    settings = config.to_json()
    return {
        "schema_version": 1,
        "name": config.name,
        "base": {"id": base.id, "title": base.title, "licence": base.licence, "wheel": wheel},
        "system_prompt": config.data.system_prompt,
        "dataset": {
            "name": dataset.name if dataset else "",
            "rows_sha256": config.data.dataset_sha256,
            "rows": status.train_rows,
            "provenance": dataset.provenance if dataset else {},
        },
        "settings": {**settings["adapter"], **settings["training"], **settings["model"], "max_length": config.data.max_length},
        "result": {
            "step": status.adapter_step,
            "validation_loss_before": status.base_validation_loss,
            "validation_loss": status.best_validation_loss,
            "validation_rows": status.validation_rows,
            "compute_dtype": status.compute_dtype,
            "finished_at": status.finished_at,
        },
        "versions": versions(),
    }


def versions() -> dict[str, str]:
    """The libraries in use here, by name; what is not installed is left out."""
    found = {}
    for name in LIBRARIES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
