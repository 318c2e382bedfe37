"""Checkpoints: everything a run needs to go on, as safetensors and JSON, whole or not there at all.

    checkpoints/step-00000120/ adapter.safetensors optimizer.safetensors rng.safetensors state.json manifest.json

The manifest (size and SHA-256 of every file) is written last; the folder is staged, synced and renamed.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from studio.errors import StudioError
from studio.models import adapters
from studio.workspace import read_json, sha256_file, sync_folder, sync_tree, write_json

MANIFEST = "manifest.json"
KEPT = 2  # newest checkpoints kept; an older one is there in case the newest is damaged


def trainable(model: torch.nn.Module) -> dict[str, torch.nn.Parameter]:
    """The parameters that learn, by name, in a fixed order."""
    return {name: item for name, item in sorted(model.named_parameters()) if item.requires_grad}


def save(folder: Path, model: torch.nn.Module, optimizer: torch.optim.Optimizer, state: dict[str, Any]) -> Path:
    """Write one checkpoint into `folder` (a run's checkpoints/). `state["step"]` names it. Returns its path."""
    folder.mkdir(exist_ok=True)
    target = folder / f"step-{state['step']:08d}"
    staging = folder / f".staging-{target.name}-{secrets.token_hex(3)}"
    staging.mkdir()
    try:
        parameters = trainable(model)
        save_file({name: item.detach().cpu().contiguous() for name, item in parameters.items()}, staging / "adapter.safetensors")
        save_file(_moments(parameters, optimizer), staging / "optimizer.safetensors")
        save_file(random_states(), staging / "rng.safetensors")
        write_json(staging / "state.json", {"schema_version": 1, **state}, durable=False)
        write_json(staging / MANIFEST, _manifest(sorted(staging.iterdir())), durable=False)
        sync_tree(staging)
        shutil.rmtree(target, ignore_errors=True)
        os.replace(staging, target)
        sync_folder(folder)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return target


def _manifest(files: Iterable[Path]) -> dict[str, Any]:
    return {"schema_version": 1, "files": {path.name: [path.stat().st_size, sha256_file(path)] for path in files}}


def _moments(parameters: dict[str, torch.nn.Parameter], optimizer: torch.optim.Optimizer) -> dict[str, torch.Tensor]:
    tensors = {}
    for name, item in parameters.items():
        for key, value in optimizer.state.get(item, {}).items():
            # a copy of each, since the 8-bit optimizer's tables are one tensor for all and a file holds a tensor once
            shared = key.startswith("qmap")
            tensors[f"{name}::{key}"] = torch.as_tensor(value.clone() if shared else value).detach().cpu().contiguous()
    return tensors


def random_states() -> dict[str, torch.Tensor]:
    """Where the random numbers of every device stand."""
    states = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        states |= {f"cuda-{index}": state for index, state in enumerate(torch.cuda.get_rng_state_all())}
    return states


def set_random_states(states: dict[str, torch.Tensor]) -> None:
    """Go back to what `random_states` returned."""
    torch.set_rng_state(states["cpu"])
    if torch.cuda.is_available():
        for index in range(torch.cuda.device_count()):
            if f"cuda-{index}" in states:
                torch.cuda.set_rng_state(states[f"cuda-{index}"], index)


def verified(path: Path) -> bool:
    """Whether every file of a checkpoint is there, with the size and hash its manifest names, and nothing else is in that."""
    try:
        noted = read_json(path / MANIFEST)
        return bool(noted["files"]) and noted == _manifest(path / name for name in noted["files"])
    except (StudioError, OSError, KeyError, TypeError, ValueError):
        return False


def newest(folder: Path) -> tuple[Path | None, list[Path]]:
    """The newest checkpoint that verifies, and the newer ones that were passed over as damaged."""
    damaged = []
    for path in sorted(folder.glob("step-*"), reverse=True):
        if verified(path):
            return path, damaged
        damaged.append(path)
    return None, damaged


def restore(path: Path, model: torch.nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Any]:
    """Load a checkpoint into model, optimizer and random states. Returns what was passed to `save` as state."""
    parameters = trainable(model)
    weights = load_file(path / "adapter.safetensors")
    if weights.keys() != parameters.keys():
        raise StudioError("The run cannot go on.", "Its checkpoint belongs to other settings.", "Start a new run.")
    with torch.no_grad():
        for name, item in parameters.items():
            item.copy_(weights[name])
    moments: dict[str, dict[str, torch.Tensor]] = {}
    for key, value in load_file(path / "optimizer.safetensors").items():
        name, kind = key.split("::")
        moments.setdefault(name, {})[kind] = value
    for name, item in parameters.items():
        if name in moments:
            optimizer.state[item] = {
                kind: _count(value) if kind == "step" else value.to(item.device) for kind, value in moments[name].items()
            }
    set_random_states(load_file(path / "rng.safetensors"))
    return read_json(path / "state.json")


def _count(step: torch.Tensor) -> torch.Tensor | int:
    """How often a weight was changed: PyTorch counts in a float tensor, bitsandbytes in a plain number."""
    return step if step.is_floating_point() else int(step)


def prune(folder: Path, *, keep: int = KEPT, spare: Sequence[Path] = ()) -> None:
    """Delete all but the newest `keep` checkpoints, `spare` ones excepted, and what a crash left half-written."""
    for path in sorted(folder.glob("step-*"), reverse=True)[keep:]:
        if path not in spare:
            shutil.rmtree(path, ignore_errors=True)
    for path in folder.glob(".staging-*"):
        shutil.rmtree(path, ignore_errors=True)


def save_adapter(folder: Path, model: Any, chat_template: str, *, tokenizer: Any = None) -> None:
    """Write the adapter as plain PEFT files, and beside it the chat template it was learned with.

    The first time the folder appears whole; later its files are replaced one by one.

    Args:
        tokenizer: Written beside the adapter, where it brings new words.
    """
    staging = folder.with_name(f".staging-adapter-{secrets.token_hex(3)}")
    try:
        adapters.save_adapter(model, staging)
        if tokenizer is not None:
            tokenizer.save_pretrained(str(staging))
        (staging / "chat_template.jinja").write_text(chat_template, encoding="utf-8")
        sync_tree(staging)
        if folder.exists():
            for path in staging.iterdir():
                os.replace(path, folder / path.name)
            sync_folder(folder)
        else:
            os.replace(staging, folder)
            sync_folder(folder.parent)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
