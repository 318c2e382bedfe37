"""The safetensors files of a model folder, from their headers: all there, whole, and of a size this app loads."""

from __future__ import annotations

import json
import math
from pathlib import Path

from studio.models.folder.settings import AGAIN, read_settings, refused

MAX_WEIGHTS = 128 * 2**30
MAX_HEADER = 100 * 2**20  # the safetensors format's own limit
INDEX = "model.safetensors.index.json"
CAN_RUN_CODE = (".bin", ".pt", ".pth", ".pkl", ".ckpt")


def weights_of(folder: Path, names: set[str]) -> tuple[int, int, str]:
    """(parameters, bytes, number format) of the safetensors files, every one of them present. Raises StudioError.

    The format is safetensors' name of it, such as "BF16", where all weights are in one, else "mixed".
    """
    if "model.safetensors" in names:
        files = ["model.safetensors"]
    elif INDEX in names:
        listed = read_settings(folder / INDEX).get("weight_map")
        files = sorted({str(name) for name in listed.values()}) if isinstance(listed, dict) else []
        if missing := [name for name in files if name not in names]:
            raise refused(f"{missing[0][:60]} is missing.", AGAIN)
    else:
        files = []
    if not files:
        raise _none(names)
    size = sum((folder / name).stat().st_size for name in files)
    if size > MAX_WEIGHTS:
        raise refused("Its weights are larger than this app loads.", "Pick a smaller model.")
    counts, formats = zip(*(_numbers(folder / name) for name in files), strict=True)
    every = set().union(*formats)
    return sum(counts), size, every.pop() if len(every) == 1 else "mixed"


def _none(names: set[str]) -> Exception:
    """The refusal of a folder whose weights this app does not read."""
    kept = [name for name in sorted(names) if name.endswith(".safetensors")]
    if kept and "-of-" in kept[0]:
        return refused(f"Its weights are in parts, and the list of them is missing ({INDEX}).", AGAIN)
    if kept:
        return refused(f"Its weights are named {kept[0][:60]}, not model.safetensors.", "Pick a folder saved by transformers.")
    why = "It has no weights in the safetensors format."
    if any(name.endswith(CAN_RUN_CODE) for name in names):
        why += " Files such as .bin or .pt can run code when opened, so they are not."
    return refused(why, "Pick a folder that holds model.safetensors.")


def _numbers(path: Path) -> tuple[int, set[str]]:
    """(how many numbers a safetensors file stores, their formats), from its header, which must fit the file.

    Format: 8 bytes little-endian header length, JSON header, data (safetensors README).
    """
    size = path.stat().st_size
    with open(path, "rb") as handle:
        length = int.from_bytes(handle.read(8), "little")
        if not 2 <= length <= min(MAX_HEADER, size - 8):
            raise refused(f"{path.name} is damaged.", AGAIN)
        try:
            header = json.loads(handle.read(length))
            tensors = [about for name, about in header.items() if name != "__metadata__"]
            ends = [about["data_offsets"][1] for about in tensors]
            total = sum(math.prod(map(int, about["shape"])) for about in tensors)
            formats = {str(about["dtype"]) for about in tensors}
        except (ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError) as error:
            raise refused(f"{path.name} is damaged.", AGAIN) from error
    if max(ends, default=0) != size - 8 - length:
        raise refused(f"{path.name} is cut short or damaged.", AGAIN)
    return total, formats
