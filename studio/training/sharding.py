"""The base split over the processes of a run, for models that no single device holds: FSDP (arXiv:2304.11277) with QLoRA.

Switched on by `accelerate launch --config_file assets/fsdp.yaml`. As those who joined FSDP and QLoRA document it (peft's and
bitsandbytes' guides to FSDP-QLoRA), every layer is a unit that travels in 4 bit, and its memory is given back after use.
Adapters are small, so each process keeps them whole: checkpoints, optimizer and the sum of gradients are as without it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import torch

from studio.data.encode import READ_ONLY, Encoded
from studio.errors import StudioError
from studio.training.ranks import Ranks
from studio.training.step import Batch, Extras, PaddedStep

SWITCH = "ACCELERATE_USE_FSDP"  # set by accelerate's launcher


def wanted() -> bool:
    """Whether the launcher was told to split the base."""
    return os.environ.get(SWITCH, "").lower() in ("1", "true")


def shard(model: Any, quantization: str, ranks: Ranks) -> str:
    """Leave this process its share of every frozen weight. Returns a sentence with what is left.

    Args:
        model: A PeftModel, on the CPU or on this process's device. Its trainable weights stay whole.
    Raises:
        StudioError: The base is in 8 bit, whose layers keep their weights where FSDP does not find them.
    """
    from torch.distributed.device_mesh import init_device_mesh  # noqa: PLC0415
    from torch.distributed.fsdp import fully_shard  # noqa: PLC0415

    if quantization == "int8":
        raise StudioError(
            "Training did not start.", "A model in 8 bit cannot be split over several processes.", "Choose 4 bit, or Off."
        )
    device = ranks.state.device
    whole = sum(held(item) for item in model.parameters())
    split = {
        "mesh": init_device_mesh(device.type, (ranks.count,)),
        "ignored_params": {item for item in model.parameters() if item.requires_grad},
        "reshard_after_forward": True,
    }
    for layer in decoder_layers(model):
        fully_shard(layer.to(device), **split)  # one after the other, so that a device never holds them all
    fully_shard(model.to(device), **split)
    here = sum(held(item) for item in model.parameters())
    return f"base split over {ranks.count} processes: {here:,} of {whole:,} bytes of weights are held here"


def decoder_layers(model: Any) -> Sequence[Any]:
    """The longest list of modules in a model: its layers."""
    lists = [module for module in model.modules() if isinstance(module, torch.nn.ModuleList)]
    return max(lists, key=len, default=())


def held(parameter: Any) -> int:
    """Bytes of a parameter in this process."""
    local = parameter.to_local() if hasattr(parameter, "to_local") else parameter
    return local.numel() * local.element_size()


class SplitStep(PaddedStep):
    """The padded step where every pass through the model needs all processes: each makes as many as the others.

    Openings are not shared, since whether they are could differ between processes.
    """

    def __init__(self, model: Any, accelerator: Any, ranks: Ranks, *, batch: int, pad_id: int, extras: Extras) -> None:
        super().__init__(model, accelerator, batch=batch, pad_id=pad_id, extras=extras)
        self.ranks, self.can_share = ranks, False

    def batches(self, rows: Sequence[Encoded]) -> Iterator[Batch]:
        """The rows as batches, and then empty ones until every process has as many."""
        made = list(super().batches(rows))
        missing = self.ranks.most(len(made)) - len(made)  # asked before the first pass: all processes ask at the same point
        yield from made
        nothing = Encoded((self.pad_id, self.pad_id), (READ_ONLY, READ_ONLY))
        for _ in range(missing):
            yield from (replace(batch, rows=0) for batch in super().batches([nothing]))

    def shrink(self, rows: Sequence[Encoded]) -> bool:
        """Never: the other processes would wait for passes that this one has left out."""
        return False
