"""What an exception in the middle of a step means: too little memory, a device that can no longer be trusted, or neither."""

from __future__ import annotations

import errno

from studio.errors import StudioError

NO_MEMORY = ("out of memory", "can't allocate memory", "cannot allocate memory", "defaultcpuallocator")
# After these every further call on the device fails or lies; only a new process helps (CUDA C++ guide, "Error handling")
BROKEN_DEVICE = (
    "device-side assert",
    "illegal memory access",
    "unspecified launch failure",
    "misaligned address",
    "uncorrectable ecc",
)

DISK_TROUBLE = {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS}


class DeviceBroken(StudioError):
    """The graphics card must not be read from any more, not even to save."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory ran out, on the GPU or in main memory."""
    said = str(error).lower()
    return isinstance(error, MemoryError) or isinstance(error, RuntimeError) and any(sign in said for sign in NO_MEMORY)


def is_device_broken(error: BaseException) -> bool:
    """Whether the error says that the device's context is poisoned."""
    return isinstance(error, RuntimeError) and any(sign in str(error).lower() for sign in BROKEN_DEVICE)


def is_disk_trouble(error: BaseException) -> bool:
    """Whether the disk is full or failing."""
    return isinstance(error, OSError) and error.errno in DISK_TROUBLE


def disk_trouble(error: OSError) -> StudioError:
    """The error for a disk that took no more."""
    return StudioError(
        "Training paused: it could not be saved.",
        f"The disk said: {error.strerror}. What was saved before is whole.",
        "Make room on the disk, then go on.",
    )


def too_little_memory() -> StudioError:
    """Even one example alone does not fit."""
    return StudioError(
        "Training stopped: the memory is full.",
        "Even a single example did not fit any more.",
        "Choose 4 bit, a smaller rank or shorter examples, close other programs, and go on.",
    )


def device_broken() -> DeviceBroken:
    """The error for a poisoned device."""
    return DeviceBroken(
        "The graphics card stopped answering.",
        "Its driver reported an error that only a restart clears.",
        "Close the app and start it again, then go on with this run from its last checkpoint.",
    )


def diverged(step: int) -> StudioError:
    """The error for a loss or gradient that is not a number, or a loss worse than blind guessing."""
    return StudioError(
        f"Training stopped at step {step}.",
        "The numbers ran away: the learning rate is too high for these examples.",
        "Set a lower learning rate and train again. What was learned before is kept.",
    )
