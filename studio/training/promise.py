"""What a run is expected to take, worked out from its exact rows before the model is loaded, and kept beside what it took."""

from __future__ import annotations

import time
from typing import Any

from studio.config import RunConfig
from studio.data.encode import READ_ONLY
from studio.data.token_cache import TokenRows
from studio.models import calibration, hardware
from studio.models.catalog import ModelCatalog
from studio.models.corrections import Corrections
from studio.models.memory import estimate
from studio.models.row_sizes import LEARNED_SHARE, RowSizes
from studio.records import RunStatus
from studio.training.plan import shared_prefix
from studio.workspace import Workspace

LOOKED_AT = 200  # rows in which learned and shared tokens are counted
LENGTHS = 20_000  # of so many rows, evenly picked


def promise(workspace: Workspace, config: RunConfig, sizes: RowSizes, *, process_bytes: int) -> dict[str, Any]:
    """The `promised_` fields of a RunStatus.

    Args:
        process_bytes: What this process held before it began to load the model.
    """
    entry, computer = ModelCatalog(workspace).get(config.model.base_model), hardware.hardware()
    learned, device = Corrections(workspace).now(), "gpu" if computer.accelerator else "cpu"
    found = estimate(
        config,
        entry,
        sizes,
        computer,
        speed=calibration.kept(workspace),
        learned=learned,
        process_bytes=0 if device == "gpu" else process_bytes,
    )
    memory, seconds, _ = learned.factors(device, config.model.quantization)
    return {
        "promised_at": time.time(),
        "promised_bytes": found.total_bytes,
        "promised_bytes_low": found.bytes_low,
        "promised_bytes_high": found.bytes_high,
        "promised_seconds": found.seconds,
        "promised_seconds_low": found.seconds_low,
        "promised_seconds_high": found.seconds_high,
        "promised_memory_factor": memory,
        "promised_time_factor": seconds,
        "promised_device": device,
    }


def row_sizes(train: TokenRows, validation: TokenRows) -> RowSizes:
    """The exact sizes of the rows of a run."""
    some = [train[row] for row in range(0, len(train), len(train) // LOOKED_AT + 1)]
    tokens = sum(len(row.input_ids) for row in some)
    learned = sum(label != READ_ONLY for row in some for label in row.labels)
    return RowSizes(
        rows=len(train),
        validation_rows=len(validation),
        mean_tokens=train.tokens / len(train),
        longest_tokens=max(train.longest, validation.longest),
        shared_tokens=shared_prefix(some) if len(some) > 1 else 0,
        lengths=tuple(train.lengths[:: len(train) // LENGTHS + 1]),
        learned_share=learned / tokens if learned else LEARNED_SHARE,
    )


def kept_promise(status: RunStatus) -> dict[str, Any]:
    """What a run that goes on says of its promise: the memory still holds, the time was broken."""
    return {"promised_at": None} if status.promised_bytes else {}
