"""The one loader: training, chat, evaluation and export get their model here, so that they compute the same thing."""

from __future__ import annotations

import contextlib
import logging
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from studio.errors import StudioError
from studio.models.chat_templates import template_for
from studio.models.folder import check_model_folder, own_template, read_settings, refused
from studio.models.hardware import compute_dtype as fastest_dtype
from studio.models.hardware import device, hardware
from studio.models.hub import FILES

QUANTIZATIONS = ("none", "int8", "nf4")
HALF = {"BF16": "bfloat16", "F16": "float16"}  # safetensors' names of the 16-bit formats, and torch's
PACKED = ("Linear4bit", "Linear8bitLt")  # bitsandbytes' layers
# Warnings of peft 0.21: about a name it uses itself, about ranks of expert weights, which it sets all the same, and about GPT-2's
# layers, which it turns round by itself.
MISTAKEN = (".*is_gradient_checkpointing", "The following .*_pattern keys did not match", "fan_in_fan_out is set to")
UNPACKED_ROOM = 3  # times what unpacked weights take must be free, so that nobody else runs short


def load_tokenizer(folder: Path, chat_template: str = "own", *, adapter: Path | None = None) -> Any:
    """The tokenizer of a model folder, with the one chat template to use. Asks no network.

    A missing pad token becomes the end token.

    Args:
        chat_template: "own", "chatml" or "plain", see `chat_templates`.
        adapter: The folder of an adapter that is to be used; the template it was learned with comes before any other.
    Raises:
        StudioError: The tokenizer cannot be read, or there is no such template.
    """
    from transformers import AutoTokenizer  # noqa: PLC0415

    try:
        tokenizer = AutoTokenizer.from_pretrained(str(folder), local_files_only=True, trust_remote_code=False)
    except (ValueError, OSError, ImportError, KeyError, TypeError) as error:
        why = "Its tokenizer has a form this app cannot read."
        raise StudioError("This model cannot be used.", why, "Pick a copy with another tokenizer.json.") from error
    if not tokenizer.is_fast:
        raise StudioError("This model cannot be used.", "Its tokenizer is not tokenizer.json.", "Pick another model.")
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token or tokenizer.convert_ids_to_tokens(0)
    give_template(tokenizer, folder, chat_template, adapter=adapter)
    return tokenizer


def give_template(tokenizer: Any, folder: Path, chat_template: str, *, adapter: Path | None = None) -> None:
    """Put the chat template of `load_tokenizer`'s arguments in the place of the tokenizer's. Raises StudioError."""
    kept = own_template(adapter) if adapter else ""
    tokenizer.chat_template = kept or template_for(tokenizer, chat_template, own_template(folder))


def load_base(
    folder: Path, quantization: str, *, compute_dtype: str | None = None, on_cpu: bool = False, as_stored: bool = False
) -> Any:
    """Load a base model for training or answering: eval mode, no weight trainable, nothing repacked.

    What quantization leaves alone (norms, embedding, head) is held in the compute format.

    Args:
        folder: A transformers folder; it is checked first.
        quantization: "none", "int8" (LLM.int8, arXiv:2208.07339) or "nf4" (double quantized, arXiv:2305.14314).
        compute_dtype: "bfloat16", "float16" or "float32"; None takes the one this computer is fastest in.
        on_cpu: Leave it in main memory even where there is a graphics card.
        as_stored: Where the files are in 16 bit and it computes in float32, leave linear layers and embeddings in 16 bit (see
            `studio.models.half`). Less memory and the same numbers, but more time for each single token.
    Raises:
        StudioError: The folder or the choice cannot be used.
    """
    if quantization not in QUANTIZATIONS:
        raise StudioError("The model was not loaded.", f"{quantization!r} is not a way of saving memory here.")
    facts = check_model_folder(folder)
    import torch  # noqa: PLC0415
    from transformers import AutoConfig, AutoModelForCausalLM  # noqa: PLC0415

    name = compute_dtype or fastest_dtype()
    dtype = getattr(torch, name)
    half = getattr(torch, HALF.get(facts.number_format, ""), None) if as_stored and dtype is torch.float32 else None
    config = AutoConfig.from_pretrained(str(folder), local_files_only=True, trust_remote_code=False)
    family = AutoModelForCausalLM._model_mapping[type(config)]

    def read(number_format: Any) -> tuple[Any, dict[str, Any]]:
        return AutoModelForCausalLM.from_pretrained(
            str(folder),
            config=config,
            dtype=number_format,
            quantization_config=_quantization(quantization, dtype),
            device_map={"": "cpu" if on_cpu else device()},
            attn_implementation="sdpa" if family._supports_sdpa else "eager",
            use_safetensors=True,
            local_files_only=True,
            trust_remote_code=False,
            ignore_mismatched_sizes=True,  # told below, as missing ones are: both would be filled with random numbers
            output_loading_info=True,
        )

    with quiet():
        # 4-bit layers are made from the format they are made from for answering: from another they would be rounded otherwise
        model, report = read(half if half and quantization == "none" else dtype)
        if half and any(item.dtype == half for item in model.buffers()):  # numbers from the code, which were rounded: Gemma's
            model, report = read(dtype)
    if astray := sorted(report["missing_keys"]) or sorted(item[0] for item in report["mismatched_keys"]):
        raise refused(f"Its weights do not fit its config.json: {astray[0][:80]}.", "Download the model again.")
    if quantization != "none" and not any(type(module).__name__ in PACKED for module in model.modules()):
        # Falcon's layers are of a class of its own, which transformers passes over without an error
        raise refused("Its layers cannot be held in fewer digits.", "Choose “Off, 16 bit” as memory saving.")
    _keep_plain_forward(model)
    if half:
        from studio.models.half import hold  # noqa: PLC0415 - imports torch

        hold(model, half, dtype)
    # peft copies this into adapters, which must not carry this computer's paths
    model.name_or_path = model.config._name_or_path = base_label(folder)
    model.eval().requires_grad_(False)
    return model


def _quantization(choice: str, dtype: Any) -> Any:
    from transformers import BitsAndBytesConfig  # noqa: PLC0415

    if choice == "nf4":
        return BitsAndBytesConfig(
            load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True, bnb_4bit_compute_dtype=dtype
        )
    if choice == "int8":
        # says on every layer of every call that it casts
        logging.getLogger("bitsandbytes.autograd._functions").setLevel(logging.ERROR)
        return BitsAndBytesConfig(load_in_8bit=True)
    return None


def _keep_plain_forward(model: Any) -> None:
    """Stop bitsandbytes from repacking 4-bit weights in place at the first evaluation.

    On CPUs with avx512_bf16 it would, and training from then on has wrong or no gradients (measured; see the test).
    """
    from bitsandbytes.nn import Linear4bit  # noqa: PLC0415

    for module in model.modules():
        if isinstance(module, Linear4bit):
            module.support_avx512bf16_for_cpu = False


def unpack(model: Any) -> dict[str, Any]:
    """Replace 4-bit layers by plain ones that hold the very numbers the 4-bit ones compute with, unpacked once.

    For answering on a CPU, where unpacking every weight for every token takes most of the time. Costs the memory that
    4 bit saved; the answers are the same. Returns the layers that were replaced, by name.
    """
    import torch  # noqa: PLC0415
    from bitsandbytes.functional import dequantize_4bit  # noqa: PLC0415

    replaced = packed_layers(model)
    for name, module in replaced.items():
        weight = dequantize_4bit(module.weight.data, module.weight.quant_state).to(module.compute_dtype)
        plain = torch.nn.Linear(module.in_features, module.out_features, bias=False, device="meta")
        plain.weight = torch.nn.Parameter(weight, requires_grad=False)
        plain.bias = module.bias
        model.set_submodule(name, plain)
    return replaced


def packed_layers(model: Any) -> dict[str, Any]:
    """The model's 4-bit layers, by name."""
    from bitsandbytes.nn import Linear4bit  # noqa: PLC0415

    return {name: module for name, module in model.named_modules() if isinstance(module, Linear4bit)}


def room_to_unpack(model: Any) -> bool:
    """Whether the model has 4-bit layers, lives on a CPU, and several times the memory its unpacked weights take is free."""
    if device() != "cpu":
        return False
    size = sum(
        module.in_features * module.out_features * module.compute_dtype.itemsize for module in packed_layers(model).values()
    )
    return 0 < size * UNPACKED_ROOM < hardware().memory_free


@contextlib.contextmanager
def unpacked(model: Any) -> Iterator[None]:
    """`unpack` for the length of the block, where there is room; the 4-bit layers are back afterwards."""
    replaced = unpack(model) if room_to_unpack(model) else {}
    try:
        yield
    finally:
        for name, module in replaced.items():
            model.set_submodule(name, module)


def base_label(folder: Path) -> str:
    """How adapters name this base: the starter's wheel and hash, its name on the Hub, or its folder's name; never a path."""
    folder = Path(folder).resolve()
    notes = [(folder / "studio.json", "label")]
    if folder.name == FILES:
        notes.append((folder.parent / "model.json", "repo"))
    for note, key in notes:
        with contextlib.suppress(StudioError):
            label = read_settings(note).get(key)
            if isinstance(label, str) and label:
                return label[:200]
    return folder.name


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Without the libraries' progress bars and without warnings that say nothing here, see `MISTAKEN`."""
    from transformers.utils import logging as transformers_logging  # noqa: PLC0415

    shown = transformers_logging.is_progress_bar_enabled()
    transformers_logging.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            for message in MISTAKEN:
                warnings.filterwarnings("ignore", message=message)
            yield
    finally:
        if shown:
            transformers_logging.enable_progress_bar()
