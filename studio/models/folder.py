"""Look into a model folder before any library opens it: what it is, how large, and whether loading it could run code."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from studio.errors import StudioError

# Decoder families whose code is in transformers itself and takes plain LoRA on linear layers.
MODEL_TYPES = frozenset(
    {"llama", "mistral", "ministral", "qwen2", "qwen3", "smollm3", "phi", "phi3", "gemma", "gemma2", "gemma3_text", "gpt2"}
    | {"gpt_neox", "olmo", "olmo2", "olmo3", "granite", "stablelm", "starcoder2", "falcon", "helium", "cohere", "cohere2"}
)
TIED_BY_DEFAULT = frozenset({"gpt2", "gemma", "gemma2", "gemma3_text", "falcon", "cohere", "cohere2", "starcoder2"})
PLAIN_MLP = frozenset({"gpt2", "gpt_neox", "phi", "falcon", "starcoder2"})  # two matrices instead of three

MAX_FILES = 2000
MAX_JSON = 4 * 2**20  # bytes of a settings file
MAX_TOKENIZER = 128 * 2**20
MAX_DEPTH = 20
MAX_WEIGHTS = 128 * 2**30
MAX_HEADER = 100 * 2**20  # the safetensors format's own limit
SIZES = {"hidden_size": 65_536, "layers": 1_000, "vocab_size": 4_000_000, "intermediate_size": 1_000_000, "heads": 4_096}
UNSAFE_KEY = re.compile(r"auto_map|trust_remote_code|custom_pipelines|(^|_)kernels?($|_)", re.IGNORECASE)


@dataclass(frozen=True)
class ModelShape:
    """The numbers memory and time follow from. `gated`: the MLP has three matrices; `tied`: head and embedding are one.

    A mixture of experts holds `experts` MLPs a layer and sends each token through `experts_used` of them; others have one.
    `intermediate_size` is that of one MLP.
    """

    hidden_size: int
    layers: int
    vocab_size: int
    intermediate_size: int
    heads: int
    kv_heads: int
    head_dim: int
    tied: bool
    gated: bool = True
    experts: int = 1
    experts_used: int = 1

    @property
    def attention_parameters(self) -> int:
        """Weights of the q, k, v and o projections of one layer."""
        return self.hidden_size * self.head_dim * (2 * self.heads + 2 * self.kv_heads)

    @property
    def mlp_parameters(self) -> int:
        """Weights of the MLP's projections of one layer, those of all its experts."""
        return self.experts * self.hidden_size * self.intermediate_size * (3 if self.gated else 2)

    @property
    def linear_parameters(self) -> int:
        """Weights of all layers' projections: what quantization makes smaller and adapters attach to."""
        return self.layers * (self.attention_parameters + self.mlp_parameters)

    @property
    def parameters(self) -> int:
        """All weights, about: projections, embedding, head unless tied, and norms."""
        embedding = self.vocab_size * self.hidden_size
        return self.linear_parameters + embedding * (1 if self.tied else 2) + (2 * self.layers + 1) * self.hidden_size


@dataclass(frozen=True)
class ModelFacts:
    """What a checked folder holds. `parameters` and `weight_bytes` are counted in the files, not taken from the config."""

    model_type: str
    shape: ModelShape
    parameters: int
    weight_bytes: int
    context: int
    has_chat_template: bool


def check_model_folder(path: Path | str) -> ModelFacts:
    """Refuse a folder that is incomplete, unknown, or could run code or fill the memory when loaded.

    Raises:
        StudioError: names the file and what is wrong with it.
    """
    folder = Path(path)
    if not folder.is_dir():
        raise refused("There is no such folder.", "Type the full path of a folder that holds config.json.")
    model_type, shape, context = check_settings(folder)
    names = _names(folder)
    parameters, weight_bytes = _weights(folder, names)
    if shape.parameters > 2 * parameters:
        raise refused("config.json describes a larger model than the weights are.", "Download the model again.")
    _check_tokenizer(folder, names)
    return ModelFacts(model_type, shape, parameters, weight_bytes, context, has_chat_template(folder))


def check_settings(folder: Path) -> tuple[str, ModelShape, int]:
    """Kind, shape and context (tokens) of a folder that need not hold its weights yet. Raises StudioError as above."""
    names = _names(folder)
    if "config.json" not in names:
        raise refused("config.json is missing.", "Pick the folder a model was saved in by transformers.")
    for name in sorted(names):
        if name.endswith(".json") and name not in {"tokenizer.json", "vocab.json", "merges.json"}:
            _check_safe(folder / name)
    config = read_settings(folder / "config.json")
    model_type = config.get("model_type")
    if not isinstance(model_type, str) or model_type not in MODEL_TYPES:
        raise refused(
            f"Its kind ({str(model_type)[:40]!r}) is not one this app knows.", "Pick a plain text model, such as Llama."
        )
    if config.get("quantization_config"):
        raise refused("Its weights are already stored in fewer digits.", "Pick the original; this app makes it smaller itself.")
    return model_type, shape_of(config), _whole(config, "max_position_embeddings", "n_positions", default=2048)


def refused(why: str, fix: str) -> StudioError:
    """The error for a folder this app does not load."""
    return StudioError("This model cannot be used.", why, fix)


def shape_of(config: dict[str, Any]) -> ModelShape:
    """The shape that a config.json describes, under any family's names. Raises StudioError on senseless numbers."""
    kind = config.get("model_type")
    hidden = _whole(config, "hidden_size", "n_embd")
    heads = _whole(config, "num_attention_heads", "n_head")
    kv_default = 1 if kind == "falcon" and config.get("multi_query", True) else heads
    shape = ModelShape(
        hidden_size=hidden,
        layers=_whole(config, "num_hidden_layers", "n_layer"),
        vocab_size=_whole(config, "vocab_size"),
        intermediate_size=_whole(config, "intermediate_size", "n_inner", "ffn_hidden_size", default=4 * hidden),
        heads=heads,
        kv_heads=_whole(config, "num_key_value_heads", "num_kv_heads", default=kv_default),
        head_dim=_whole(config, "head_dim", default=max(1, hidden // heads)),
        tied=bool(config.get("tie_word_embeddings", kind in TIED_BY_DEFAULT)),
        gated=kind not in PLAIN_MLP,
    )
    for name, most in SIZES.items():
        if getattr(shape, name) > most:
            raise refused(f"config.json says {name} is {getattr(shape, name)}, more than any real model.", "Pick another folder.")
    return shape


def _whole(config: dict[str, Any], *names: str, default: int | None = None) -> int:
    for name in names:
        value = config.get(name)
        if value is not None:
            if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 2**40:
                raise refused(f"{name} in config.json is not a sensible number.", "Download the model again.")
            return value
    if default is None:
        raise refused(f"{names[0]} is missing from config.json.", "Download the model again.")
    return default


def _names(folder: Path) -> set[str]:
    """Names of the files in the folder (not below it), none of them a link out of it."""
    entries = []
    with os.scandir(folder) as listing:
        for entry in listing:
            entries.append(entry)
            if len(entries) > MAX_FILES:
                raise refused(f"The folder holds more than {MAX_FILES} files.", "Pick the folder of one model.")
    home = folder.resolve()
    for entry in entries:
        if entry.is_symlink() and not Path(entry.path).resolve().is_relative_to(home):
            raise refused(f"{entry.name} is a link to a place outside the folder.", "Copy the real file into the folder.")
    return {entry.name for entry in entries if entry.is_file()}


def read_settings(path: Path) -> dict[str, Any]:
    """A small JSON object of a model folder. Raises StudioError when it is too large, too deep or not an object."""
    try:
        if path.stat().st_size > MAX_JSON:
            raise refused(f"{path.name} is too large for a settings file.", "Download the model again.")
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, ValueError, RecursionError) as error:
        raise refused(f"{path.name} cannot be read.", "Download the model again.") from error
    if not isinstance(values, dict):
        raise refused(f"{path.name} does not hold settings.", "Download the model again.")
    return values


def _check_safe(path: Path) -> None:
    """Refuse settings that would make a loader fetch or run code."""
    for depth, key, value in _walk(read_settings(path)):
        if depth > MAX_DEPTH:
            raise refused(f"{path.name} is nested too deep.", "Download the model again.")
        if UNSAFE_KEY.search(key) and value not in (None, False, {}, []):
            raise refused(f"{path.name} asks to run code of its own ({key[:40]}).", "Pick a model that needs none.")
        # transformers fetches a kernel when an implementation is named like a place on the Hub
        if key.endswith("_implementation") and any("/" in item for item in _texts(value)):
            raise refused(f"{path.name} asks to run code of its own ({key[:40]}).", "Pick a model that needs none.")


def _walk(values: Any) -> Iterator[tuple[int, str, Any]]:
    """(depth, key, value) of everything in nested JSON, without recursion."""
    waiting = [(1, "", values)]
    while waiting:
        depth, key, value = waiting.pop()
        yield depth, key, value
        if depth > MAX_DEPTH:
            continue
        if isinstance(value, dict):
            waiting += [(depth + 1, str(name), item) for name, item in value.items()]
        elif isinstance(value, list):
            waiting += [(depth + 1, key, item) for item in value]


def _texts(value: Any) -> list[str]:
    found = [item for _, _, item in _walk(value)]
    return [item for item in found if isinstance(item, str)]


def _weights(folder: Path, names: set[str]) -> tuple[int, int]:
    """(parameters, bytes) of the safetensors files, every one of them present."""
    index = "model.safetensors.index.json"
    if "model.safetensors" in names:
        files = ["model.safetensors"]
    elif index in names:
        listed = read_settings(folder / index).get("weight_map")
        files = sorted({str(name) for name in listed.values()}) if isinstance(listed, dict) else []
        if missing := [name for name in files if name not in names]:
            raise refused(f"{missing[0][:60]} is missing.", "Download the model again.")
    else:
        files = []
    if not files:
        why = "It has no weights in the safetensors format."
        if any(name.endswith((".bin", ".pt", ".pth", ".pkl", ".ckpt")) for name in names):
            why += " Files such as .bin or .pt can run code when opened, so they are not."
        raise refused(why, "Pick a folder that holds model.safetensors.")
    size = sum((folder / name).stat().st_size for name in files)
    if size > MAX_WEIGHTS:
        raise refused("Its weights are larger than this app loads.", "Pick a smaller model.")
    return sum(_parameters(folder / name) for name in files), size


def _parameters(path: Path) -> int:
    """Numbers stored in a safetensors file, from its header, which must fit the file.

    Format: 8 bytes little-endian header length, JSON header, data (safetensors README).
    """
    size = path.stat().st_size
    with open(path, "rb") as handle:
        length = int.from_bytes(handle.read(8), "little")
        if not 2 <= length <= min(MAX_HEADER, size - 8):
            raise refused(f"{path.name} is damaged.", "Download the model again.")
        try:
            header = json.loads(handle.read(length))
            ends = [about["data_offsets"][1] for name, about in header.items() if name != "__metadata__"]
            shapes = [about["shape"] for name, about in header.items() if name != "__metadata__"]
            total = sum(_product(shape) for shape in shapes)
        except (ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError) as error:
            raise refused(f"{path.name} is damaged.", "Download the model again.") from error
    if max(ends, default=0) != size - 8 - length:
        raise refused(f"{path.name} is cut short or damaged.", "Download the model again.")
    return total


def _product(shape: list[int]) -> int:
    total = 1
    for item in shape:
        total *= int(item)
    return total


def _check_tokenizer(folder: Path, names: set[str]) -> None:
    if "tokenizer.json" not in names:
        raise refused("tokenizer.json is missing, so text cannot be turned into tokens.", "Add the model's tokenizer files.")
    if (folder / "tokenizer.json").stat().st_size > MAX_TOKENIZER:
        raise refused("tokenizer.json is too large.", "Download the model again.")


def has_chat_template(folder: Path) -> bool:
    """Whether the folder of a model says how a conversation is written. Raises StudioError when its settings cannot be read."""
    settings = folder / "tokenizer_config.json"
    return (folder / "chat_template.jinja").is_file() or (
        settings.is_file() and bool(read_settings(settings).get("chat_template"))
    )
