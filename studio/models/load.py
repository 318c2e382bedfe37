"""The one loader: training, chat, evaluation and export get their model here, so that they compute the same thing."""

from __future__ import annotations

import contextlib
import logging
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from studio.errors import StudioError
from studio.models.folder import check_model_folder, read_settings
from studio.models.hardware import compute_dtype as fastest_dtype
from studio.models.hardware import device, hardware

__all__ = ["add_adapter", "attach_adapter", "base_label", "check_model_folder", "load_base", "load_tokenizer", "save_adapter"]

QUANTIZATIONS = ("none", "int8", "nf4")
MAX_RANK = 4096
UNPACKED_ROOM = 3  # times what unpacked weights take must be free, so that nobody else runs short
ADAPTER_FILES = ("adapter_config.json", "adapter_model.safetensors")


def load_tokenizer(folder: Path) -> Any:
    """The tokenizer of a model folder; a missing pad token becomes the end token. Asks no network."""
    from transformers import AutoTokenizer  # noqa: PLC0415

    tokenizer = AutoTokenizer.from_pretrained(str(folder), local_files_only=True, trust_remote_code=False)
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token or tokenizer.convert_ids_to_tokens(0)
    return tokenizer


def load_base(folder: Path, quantization: str, *, compute_dtype: str | None = None) -> Any:
    """Load a base model for training or answering: eval mode, no weight trainable, nothing repacked.

    What quantization leaves alone (norms, embedding, head) is held in the compute format.

    Args:
        folder: A transformers folder; it is checked first.
        quantization: "none", "int8" (LLM.int8, arXiv:2208.07339) or "nf4" (double quantized, arXiv:2305.14314).
        compute_dtype: "bfloat16", "float16" or "float32"; None takes the one this computer is fastest in.
    Raises:
        StudioError: The folder or the choice cannot be used.
    """
    if quantization not in QUANTIZATIONS:
        raise StudioError("The model was not loaded.", f"{quantization!r} is not a way of saving memory here.")
    check_model_folder(folder)
    import torch  # noqa: PLC0415
    from transformers import AutoConfig, AutoModelForCausalLM  # noqa: PLC0415

    name = compute_dtype or fastest_dtype()
    dtype = getattr(torch, name)
    config = AutoConfig.from_pretrained(str(folder), local_files_only=True, trust_remote_code=False)
    family = AutoModelForCausalLM._model_mapping[type(config)]
    with quiet():
        model = AutoModelForCausalLM.from_pretrained(
            str(folder),
            config=config,
            dtype=dtype,
            quantization_config=_quantization(quantization, dtype),
            device_map={"": device()},
            attn_implementation="sdpa" if family._supports_sdpa else "eager",
            use_safetensors=True,
            local_files_only=True,
            trust_remote_code=False,
        )
    _keep_plain_forward(model)
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
    """How adapters name this base: the starter's wheel and hash, or a local model's folder name; never a path."""
    with contextlib.suppress(StudioError):
        label = read_settings(Path(folder) / "studio.json").get("label")
        if isinstance(label, str) and label:
            return label[:200]
    return Path(folder).resolve().name


def add_adapter(  # noqa: PLR0913 - the contract's names, all by keyword
    model: Any,
    *,
    r: int,
    lora_alpha: int,
    lora_dropout: float,
    target_modules: str,
    use_rslora: bool,
    use_dora: bool,
    seed: int,
) -> Any:
    """Put a new trainable LoRA adapter (fp32 weights) on a base. The same seed gives the same start.

    Args:
        target_modules: "all-linear" or "attention".
        seed: Fixes the random half of the start; the other half is zero, so the model answers as before.
    Returns:
        A PeftModel in eval mode whose only trainable weights are the adapter's.
    """
    import torch  # noqa: PLC0415
    from peft import LoraConfig, TaskType, get_peft_model  # noqa: PLC0415

    config = LoraConfig(
        task_type=TaskType.CAUSAL_LM,
        r=r,
        lora_alpha=lora_alpha,
        lora_dropout=lora_dropout,
        target_modules=attention_names(model) if target_modules == "attention" else target_modules,
        use_rslora=use_rslora,
        use_dora=use_dora,
        base_model_name_or_path=model.name_or_path,
    )
    with torch.random.fork_rng(devices=[]), quiet():
        torch.manual_seed(seed)
        # drawn on the CPU whatever the device, so that it is the same everywhere
        return get_peft_model(model, config).eval()


def attention_names(model: Any) -> list[str]:
    """Module-name endings of the attention projections, fused ones included ("self_attn.q_proj", "attn.c_attn")."""
    from torch.nn import Linear  # noqa: PLC0415
    from transformers.pytorch_utils import Conv1D  # noqa: PLC0415

    found = set()
    for name, module in model.named_modules():
        parts = name.split(".")
        if isinstance(module, (Linear, Conv1D)) and any("attn" in part or "attention" in part for part in parts[:-1]):
            found.add(".".join(parts[-2:]))
    if not found:
        raise StudioError(
            "The adapter was not made.", "This model names no attention layers this app can find.", "Choose “All layers”."
        )
    return sorted(found)


def attach_adapter(model: Any, folder: Path, *, name: str = "tuned", trainable: bool = False) -> Any:
    """Put a saved adapter on a base (or beside others on a PeftModel).

    Raises:
        StudioError: The folder is incomplete, could run code, or belongs to another model.
    """
    check_adapter_folder(folder)
    from peft import PeftModel  # noqa: PLC0415
    from safetensors import SafetensorError  # noqa: PLC0415

    try:
        with quiet():
            if isinstance(model, PeftModel):
                model.load_adapter(str(folder), adapter_name=name, is_trainable=trainable)
            else:
                model = PeftModel.from_pretrained(model, str(folder), adapter_name=name, is_trainable=trainable)
    except SafetensorError as error:
        raise StudioError("The adapter cannot be used.", "Its file is damaged.", "Train again, or pick another run.") from error
    except (RuntimeError, ValueError, KeyError) as error:
        raise StudioError(
            "The adapter does not fit this model.",
            "It was learned on another one.",
            "Pick the base model the run was made with.",
        ) from error
    return model.eval()


def load_adapter(model: Any, folder: Path, *, name: str = "default") -> None:
    """Give a saved adapter's weights to one of the same shape that the model has. Raises StudioError where they do not fit."""
    check_adapter_folder(folder)
    from peft import load_peft_weights, set_peft_model_state_dict  # noqa: PLC0415
    from safetensors import SafetensorError  # noqa: PLC0415

    try:
        loaded = set_peft_model_state_dict(model, load_peft_weights(str(folder), device="cpu"), adapter_name=name)
        missing = [key for key in loaded.missing_keys if "lora_" in key]
    except (SafetensorError, RuntimeError, ValueError, KeyError) as error:
        raise StudioError(
            "Training did not start.", "The earlier adapter does not fit.", "Start from the model itself."
        ) from error
    if missing or loaded.unexpected_keys:
        raise StudioError("Training did not start.", "The earlier adapter does not fit.", "Start from the model itself.")


def check_adapter_folder(folder: Path) -> None:
    """Refuse an adapter that is not plain LoRA in safetensors. Raises StudioError."""
    missing = [name for name in ADAPTER_FILES if not (Path(folder) / name).is_file()]
    config = {} if missing else read_settings(Path(folder) / "adapter_config.json")
    rank = config.get("r")
    if missing:
        why = f"{missing[0]} is missing."
    elif config.get("peft_type") != "LORA" or config.get("megatron_config") or config.get("loftq_config"):
        why = "It is not a plain LoRA adapter."
    elif not isinstance(rank, int) or not 1 <= rank <= MAX_RANK:
        why = "Its rank is not a sensible number."
    else:
        return
    raise StudioError("The adapter cannot be used.", why, "Train again, or pick another run.")


def save_adapter(model: Any, folder: Path, *, name: str = "default") -> None:
    """Write one adapter as files that plain peft loads: adapter_config.json, adapter_model.safetensors. Asks no network."""
    model.create_or_update_model_card = lambda _: None  # a form with nothing filled in, 50 ms each time
    # "auto" would look the base up on the Hub to see whether its vocabulary grew
    model.save_pretrained(str(folder), selected_adapters=[name], safe_serialization=True, save_embedding_layers=False)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Without the libraries' progress bars, and without a warning about a name that peft 0.21 still uses."""
    from transformers.utils import logging as transformers_logging  # noqa: PLC0415

    shown = transformers_logging.is_progress_bar_enabled()
    transformers_logging.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*is_gradient_checkpointing", category=FutureWarning)
            yield
    finally:
        if shown:
            transformers_logging.enable_progress_bar()
