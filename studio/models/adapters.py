"""The small part that learns: put on a base, loaded, checked and saved as plain peft does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from studio.errors import StudioError
from studio.models import initial, words
from studio.models.folder import read_settings
from studio.models.load import quiet
from studio.models.targets import targets

MAX_RANK = 4096
ADAPTER_FILES = ("adapter_config.json", "adapter_model.safetensors")


def add_adapter(  # noqa: PLR0913 - the contract's names, all by keyword
    model: Any,
    *,
    r: int,
    lora_alpha: int,
    lora_dropout: float,
    target_modules: str,
    use_rslora: bool,
    use_dora: bool,
    init_lora_weights: str = "default",
    new_tokens: Mapping[int, Sequence[int]] | None = None,
    seed: int,
    folder: Path | None = None,
) -> Any:
    """Put a new trainable LoRA adapter (fp32 weights) on a base. The same seed gives the same start.

    Args:
        target_modules: "all-linear" or "attention".
        init_lora_weights: "default", "pissa" (only of unquantized bases; twice the rank, experts start plain) or "loftq".
        new_tokens: Ids of new words with the pieces each was written with before, as `words.extend` returns them.
        seed: Fixes the random half of the start; the other half is zero, so the model answers as before.
        folder: The base's folder; only LoftQ needs it.
    Returns:
        A PeftModel in eval mode whose only trainable weights are the adapter's.
    """
    import torch  # noqa: PLC0415
    from peft import LoraConfig, TaskType, get_peft_model  # noqa: PLC0415

    size = {"r": r, "lora_alpha": lora_alpha}
    if init_lora_weights == "pissa":
        size = initial.pissa_shape(r, lora_alpha, use_rslora=use_rslora)
    if new_tokens:
        words.make_room(model, list(new_tokens))
    config = LoraConfig(
        task_type=TaskType.CAUSAL_LM,
        **size,
        lora_dropout=lora_dropout,
        **targets(model, target_modules, r=r, lora_alpha=lora_alpha, plain=not (use_dora or lora_dropout)),
        use_rslora=use_rslora,
        use_dora=use_dora,
        trainable_token_indices=words.places(model, list(new_tokens)) if new_tokens else None,
        base_model_name_or_path=model.name_or_path,
    )
    with torch.random.fork_rng(devices=[]), quiet():
        torch.manual_seed(seed)
        # drawn on the CPU whatever the device, so that it is the same everywhere
        tuned = get_peft_model(model, config).eval()
        if init_lora_weights == "pissa":
            initial.start_from_principal(tuned)
    if init_lora_weights == "loftq":
        initial.start_from_rounding(tuned, folder)
    if new_tokens:
        words.start_rows(tuned, new_tokens)
    return tuned


def attach_adapter(model: Any, folder: Path, *, name: str = "tuned", trainable: bool = False) -> Any:
    """Put a saved adapter on a base (or beside others on a PeftModel).

    Raises:
        StudioError: The folder is incomplete, could run code, or belongs to another model.
    """
    new = words.indices_of(check_adapter_folder(folder))
    from peft import PeftModel  # noqa: PLC0415
    from safetensors import SafetensorError  # noqa: PLC0415

    try:
        with quiet():
            if new:
                words.make_room(model, new)
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
        missing = [key for key in loaded.missing_keys if "lora_" in key or "trainable_tokens" in key]
    except (SafetensorError, RuntimeError, ValueError, KeyError) as error:
        raise StudioError(
            "Training did not start.", "The earlier adapter does not fit.", "Start from the model itself."
        ) from error
    if missing or loaded.unexpected_keys:
        raise StudioError("Training did not start.", "The earlier adapter does not fit.", "Start from the model itself.")


def check_adapter_folder(folder: Path) -> dict[str, Any]:
    """The config of an adapter that is plain LoRA in safetensors. Raises StudioError for any other."""
    missing = [name for name in ADAPTER_FILES if not (Path(folder) / name).is_file()]
    config = {} if missing else read_settings(Path(folder) / "adapter_config.json")
    rank = config.get("r")
    if missing:
        why = f"{missing[0]} is missing."
    elif config.get("peft_type") != "LORA" or config.get("megatron_config") or config.get("loftq_config"):
        why = "It is not a plain LoRA adapter."
    elif not isinstance(rank, int) or not 1 <= rank <= MAX_RANK:
        why = "Its rank is not a sensible number."
    elif words.indices_of(config) is None:
        why = "Its new words are not listed as this app lists them."
    else:
        return config
    raise StudioError("The adapter cannot be used.", why, "Train again, or pick another run.")


def save_adapter(model: Any, folder: Path, *, name: str = "default") -> None:
    """Write one adapter as files that plain peft loads: adapter_config.json, adapter_model.safetensors. Asks no network."""
    model.create_or_update_model_card = lambda _: None  # a form with nothing filled in, 50 ms each time
    # "auto" would look the base up on the Hub to see whether its vocabulary grew
    model.save_pretrained(str(folder), selected_adapters=[name], safe_serialization=True, save_embedding_layers=False)
