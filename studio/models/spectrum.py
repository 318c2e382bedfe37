"""How much of an adapter was used: the singular values of what it adds to each matrix, without ever making that matrix.

An adapter adds s·B·A to a matrix, with B [out, r], A [r, in] and s = alpha / r (rsLoRA: alpha / sqrt(r), arXiv:2312.03732).
The singular values of B·A follow from Bᵀ·B and A·Aᵀ, which are [r, r].
A new adapter has B = 0 (LoRA paper, arXiv:2106.09685, section 4.1): all values are zero until something is learned.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from studio.errors import StudioError
from studio.models.adapters import MAX_RANK, check_adapter_folder
from studio.models.folder import read_settings

ENERGY = 0.95  # of the sum of squared singular values: what "in use" means here, our own choice
SMALLER, LARGER = 0.25, 0.9  # shares of the rank in use; our own rule, see Spectrum.verdict
LEAST_RANK = 4  # with fewer directions a share says nothing: one of two is already half
MAX_BYTES = 2 * 2**30  # of the adapter file
MAX_MODULES = 20_000
KEY = re.compile(r"(?P<path>[\w.]{1,500})\.lora_A(\.\w{1,100})?\.weight")
KINDS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")  # the order a layer computes them in


@dataclass(frozen=True)
class ModuleSpectrum:
    """What the adapter adds to one matrix.

    `layer` is None where the name tells none; `kind` is the matrix's name; `values` are the singular values, largest first;
    `needed` directions hold 95 % of the energy (the sum of their squares), 0 where nothing was learned.
    """

    layer: int | None
    kind: str
    values: tuple[float, ...]
    needed: int

    @property
    def rank(self) -> int:
        """Directions there are."""
        return len(self.values)

    @property
    def share(self) -> float:
        """The part of the directions that is in use, 0 to 1."""
        return self.needed / self.rank


@dataclass(frozen=True)
class Kind:
    """The matrices of one name together: how many, directions needed in the middle of them, their part of all energy."""

    name: str
    modules: int
    needed: float
    rank: int
    energy: float


@dataclass(frozen=True)
class Spectrum:
    """Every matrix the adapter sits on, by layer and kind. `rank` is the adapter's own; `notes` say what was not counted."""

    rank: int
    modules: tuple[ModuleSpectrum, ...]
    notes: tuple[str, ...] = ()

    @property
    def learned(self) -> list[ModuleSpectrum]:
        """The matrices to which something is added."""
        return [module for module in self.modules if module.needed]

    @property
    def share(self) -> float:
        """The median share of directions in use, over the matrices where something was learned; 0 without any."""
        return median(module.share for module in self.learned) if self.learned else 0.0

    @property
    def needed(self) -> float:
        """The median number of directions in use."""
        return median(module.needed for module in self.learned) if self.learned else 0.0

    @property
    def verdict(self) -> str:
        """ "nothing", "unclear", "smaller", "larger" or "suits".

        Our own rule, with no paper behind it: less than a quarter in use leaves room to spare; more than nine tenths is what
        chance alone fills (random matrices of rank 16 take 0.94), so the adapter may be full.
        """
        if not self.learned:
            return "nothing"
        if self.rank < LEAST_RANK:
            return "unclear"
        return "smaller" if self.share < SMALLER else "larger" if self.share > LARGER else "suits"

    def kinds(self) -> list[Kind]:
        """A summary for each kind of matrix, in the order a layer computes them; other names follow."""
        energies = {kind: 0.0 for kind in sorted({module.kind for module in self.modules}, key=place)}
        for module in self.modules:
            energies[module.kind] += energy(module)
        whole = sum(energies.values()) or 1.0
        found = []
        for kind, part in energies.items():
            mine = [module for module in self.modules if module.kind == kind]
            needed = median(module.needed for module in mine)
            found.append(Kind(kind, len(mine), needed, max(module.rank for module in mine), part / whole))
        return found


def place(kind: str) -> tuple[int, str]:
    """Where a kind stands among the others."""
    return (KINDS.index(kind) if kind in KINDS else len(KINDS), kind)


def energy(module: ModuleSpectrum) -> float:
    """The sum of squared singular values: the squared size of what is added."""
    return math.fsum(value * value for value in module.values)


def spectrum(adapter_folder: Path) -> Spectrum:
    """Look at a saved adapter. Takes r·r numbers a matrix and one pair of thin factors at a time.

    Raises:
        StudioError: The folder is no plain LoRA adapter, its file is damaged or too large, or its numbers are not finite.
    """
    folder = Path(adapter_folder)
    check_adapter_folder(folder)
    config = read_settings(folder / "adapter_config.json")
    file = folder / "adapter_model.safetensors"
    if file.stat().st_size > MAX_BYTES:
        raise unusable(f"Its file is larger than {MAX_BYTES // 2**30} GB.")
    from safetensors import SafetensorError  # noqa: PLC0415

    left_out = 0
    found: list[ModuleSpectrum] = []
    try:
        for path, down, up in factors(file):
            if down is None or up is None:
                left_out += 1
                continue
            with np.errstate(over="ignore"):  # what overflows is refused below
                values = strength(config, path, len(down)) * singular_values(down, up)
            if not np.isfinite(values).all():
                raise unusable("It holds numbers that are not finite.")
            found.append(ModuleSpectrum(layer_of(path), path.rsplit(".", 1)[-1], tuple(map(float, values)), in_use(values)))
    except (SafetensorError, OSError, ValueError, KeyError, TypeError, np.linalg.LinAlgError) as error:
        raise unusable("Its file is damaged.") from error
    if not found:
        raise unusable("It holds no LoRA matrices.")
    found.sort(key=lambda module: (-1 if module.layer is None else module.layer, place(module.kind)))
    return Spectrum(config["r"], tuple(found), tuple(notes(config, left_out)))


def factors(file: Path) -> Iterator[tuple[str, Any, Any]]:
    """(path of the matrix, A [r, in], B [out, r]) in float64 for every LoRA pair; None twice where they do not fit together."""
    from safetensors import safe_open  # noqa: PLC0415

    with safe_open(file, framework="np") as opened:
        keys = set(opened.keys())
        pairs = {key: key.replace(".lora_A", ".lora_B") for key in keys if KEY.fullmatch(key)}
        kinds = {opened.get_slice(key).get_dtype() for key in pairs}
    if len(pairs) > MAX_MODULES:
        raise unusable("It has more matrices than any model this app opens.")
    # numpy knows no bfloat16; torch does, and where such a file is looked at it is needed anyway
    with safe_open(file, framework="pt" if "BF16" in kinds else "np") as opened:
        for key in sorted(pairs):
            path = KEY.fullmatch(key)["path"]
            shapes = [opened.get_slice(name).get_shape() if name in keys else [] for name in (key, pairs[key])]
            if any(len(shape) != 2 for shape in shapes) or shapes[0][0] != shapes[1][1] or not 1 <= shapes[0][0] <= MAX_RANK:
                yield path, None, None
                continue
            down, up = (opened.get_tensor(name) for name in (key, pairs[key]))
            if "BF16" in kinds:
                down, up = down.float().numpy(), up.float().numpy()
            yield path, np.asarray(down, np.float64), np.asarray(up, np.float64)


def singular_values(down: Any, up: Any) -> Any:
    """The r largest singular values of up·down, largest first: `down` is A [r, in], `up` is B [out, r].

    Their squares are the eigenvalues of H·(A·Aᵀ)·Hᵀ with Hᵀ·H = Bᵀ·B, all [r, r]. Values under 1e-8 of the largest are lost
    in rounding. The way through two QR decompositions keeps them, but took 40 times the time of a core here (3.7 s against
    0.08 s for the 210 matrices of the starter at rank 16).
    """
    if not (np.isfinite(down).all() and np.isfinite(up).all()):
        return np.full(len(down), np.nan)
    squares, directions = np.linalg.eigh(up.T @ up)
    half = directions * np.sqrt(np.clip(squares, 0.0, None))
    return np.sqrt(np.clip(np.linalg.eigvalsh(half.T @ (down @ down.T) @ half), 0.0, None))[::-1]


def in_use(values: Any) -> int:
    """How many of the values, largest first, hold 95 % of the sum of squares; 0 where all are zero."""
    largest = float(values[0])
    if not largest:
        return 0
    held = np.cumsum((values / largest) ** 2)
    return int(np.searchsorted(held, ENERGY * held[-1]) + 1)


def strength(config: dict[str, Any], path: str, rank: int) -> float:
    """s of s·B·A. A strength given to single layers is found by the end of their names, as peft's plain patterns are."""
    alpha = config.get("lora_alpha", rank)
    pattern = config.get("alpha_pattern")
    for name, own in pattern.items() if isinstance(pattern, dict) else ():
        if path == name or path.endswith(f".{name}"):
            alpha = own
    return float(alpha) / (math.sqrt(rank) if config.get("use_rslora") else rank)


def layer_of(path: str) -> int | None:
    """The number of the layer: the first part of the name that is one ("model.layers.3.mlp.up_proj" is 3)."""
    return next((int(part) for part in path.split(".") if part.isdecimal() and len(part) < 6), None)


def notes(config: dict[str, Any], left_out: int) -> list[str]:
    """What the picture does not count, in sentences."""
    found = []
    if config.get("use_dora"):
        found.append("It was learned with DoRA. The sizes it learned apart are not counted.")
    if left_out:
        found.append(f"{left_out} of its matrices have another form and are not counted.")
    return found


def unusable(why: str) -> StudioError:
    """The failure for an adapter that cannot be looked at."""
    return StudioError("The picture of the adapter was not made.", why, "Train again, or pick another run.")
