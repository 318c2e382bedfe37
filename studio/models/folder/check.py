"""The checks of a model folder, in the order in which they are cheap: names, settings, weights, tokenizer, and a trial of it."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from studio.models.folder.settings import AGAIN, check_settings, check_tokenizer_settings, read_settings, refused
from studio.models.folder.shape import MODEL_TYPES, ModelShape, shape_of, whole
from studio.models.folder.template import own_template
from studio.models.folder.weights import weights_of

MAX_FILES = 2000
MAX_TOKENIZER = 128 * 2**20
TRIAL_SECONDS = 60.0  # by the clock; the child's own limits are on processor time, see probe.py
LARGE_JSON = frozenset({"tokenizer.json", "vocab.json", "merges.json"})  # looked at by the trial, within its limits


@dataclass(frozen=True)
class ModelFacts:
    """What a checked folder holds. `parameters` and `weight_bytes` are counted in the files, not taken from the config.

    `number_format` is safetensors' name of the format of all weights, such as "BF16"; "mixed" where they differ.
    """

    model_type: str
    shape: ModelShape
    parameters: int
    weight_bytes: int
    context: int
    has_chat_template: bool
    number_format: str


def check_untrusted(path: Path | str) -> ModelFacts:
    """All checks of a folder of unknown origin: `check_model_folder`, then template and tokenizer tried once in a child process.

    Takes a second or two. Whoever lists a model that did not come with this app calls this first.

    Raises:
        StudioError: names the file and what is wrong with it.
    """
    facts = check_model_folder(path)
    _try_out(Path(path))
    return facts


def check_model_folder(path: Path | str) -> ModelFacts:
    """Refuse a folder that is incomplete, unknown, or could run code or fill the memory when loaded. Reads a few small files.

    Raises:
        StudioError: names the file and what is wrong with it.
    """
    folder = Path(path)
    if not folder.is_dir():
        raise refused("There is no such folder.", "Type the full path of a folder that holds config.json.")
    model_type, shape, context = check_description(folder)
    names = _names(folder)
    parameters, weight_bytes, number_format = weights_of(folder, names)
    if shape.parameters > 2 * parameters:
        raise refused("config.json describes a larger model than the weights are.", AGAIN)
    _check_tokenizer(folder, names)
    return ModelFacts(model_type, shape, parameters, weight_bytes, context, bool(own_template(folder)), number_format)


def check_small(folder: Path) -> None:
    """All checks but those of the weights, which need not be here yet. Raises StudioError."""
    check_description(folder)
    _check_tokenizer(folder, _names(folder))
    _try_out(folder)


def check_description(folder: Path) -> tuple[str, ModelShape, int]:
    """Kind, shape and context (tokens) that a folder's settings tell; nothing else has to be in it. Raises StudioError."""
    names = _names(folder)
    _check_kind(names)
    for name in sorted(names):
        if name.endswith(".json") and name not in LARGE_JSON:
            check_settings(folder / name)
    config = read_settings(folder / "config.json")
    model_type = config.get("model_type")
    if not isinstance(model_type, str) or model_type not in MODEL_TYPES:
        if any(config.get(key) for key in ("vision_config", "audio_config")):
            raise refused("It also reads pictures or sound; this app teaches text models.", "Pick its text-only version.")
        raise refused(
            f"Its kind ({str(model_type)[:40]!r}) is not one this app knows.", "Pick a plain text model, such as Llama."
        )
    if config.get("quantization_config") or config.get("compression_config"):
        raise refused("Its weights are already stored in fewer digits.", "Pick the original; this app makes it smaller itself.")
    return model_type, shape_of(config), whole(config, "max_position_embeddings", "n_positions", default=2048)


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


def _check_kind(names: set[str]) -> None:
    """Refuse what is no model of transformers, and say what it is instead."""
    if "adapter_config.json" in names:  # beside a config.json too: transformers would follow it to another model
        raise refused("It holds an adapter, not a whole model.", "Pick the folder of the model the adapter was made for.")
    if any(name.endswith(".gguf") for name in names) and not any(name.endswith(".safetensors") for name in names):
        raise refused("Its weights are a GGUF file, which can be chatted with, not trained.", "Pick the model's original.")
    if "config.json" not in names:
        raise refused("config.json is missing.", "Pick the folder a model was saved in by transformers.")


def _check_tokenizer(folder: Path, names: set[str]) -> None:
    if "tokenizer.json" not in names:
        if any(name in names for name in ("tokenizer.model", "spiece.model", "sentencepiece.bpe.model")):
            raise refused(
                "Its tokenizer is a sentencepiece file alone, which this app cannot read.", "Pick a copy with tokenizer.json."
            )
        raise refused("tokenizer.json is missing, so text cannot be turned into tokens.", "Add the model's tokenizer files.")
    if (folder / "tokenizer.json").stat().st_size > MAX_TOKENIZER:
        raise refused("tokenizer.json is too large.", AGAIN)
    if "tokenizer_config.json" in names:
        check_tokenizer_settings(read_settings(folder / "tokenizer_config.json"))


def _try_out(folder: Path) -> None:
    """Render a stranger's chat template and use its tokenizer once, in a child process with limits."""
    command = [sys.executable, "-m", "studio.models.folder.probe", str(folder)]
    late = False
    try:
        done = subprocess.run(
            command,
            cwd=Path(__file__).parents[3],
            env={**os.environ, "TOKENIZERS_PARALLELISM": "false", "RAYON_NUM_THREADS": "1"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=TRIAL_SECONDS,
            check=False,
        )
        code, said = done.returncode, done.stdout
    except subprocess.TimeoutExpired as error:
        code, said, late = -1, error.stdout or b"", True
    if code == 0:
        return
    part = {b"template": "chat template", b"tokenizer": "tokenizer"}.get(said.split()[-1] if said.split() else b"")
    if part is None:
        raise refused("It could not be looked at.", "Close other programs and add it again.")
    if late or code < 0:  # killed by a limit
        raise refused(f"Its {part} does not come to an end, or fills the memory.", "Pick another model.")
    raise refused(f"Its {part} cannot be used safely.", "Pick another model.")
