"""The processes that train one run together, one a device. Without a launcher there is one, and nothing here costs anything.

Each takes its share of a step's rows; the losses and gradients of all are added up. Since a loss is divided by the learned
tokens of the whole step, the sum is what one process would have computed, however the rows fall. The first process alone
holds the run's lock, writes its folder and asks the sample questions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import torch
from accelerate import PartialState
from accelerate.utils import broadcast_object_list, reduce

Item = TypeVar("Item")
Value = TypeVar("Value")


class Ranks:
    """Joins the others, waiting for the last of them. Call before the model is loaded: it chooses this process's device.

    `split`: the base is shared out, so that every pass through it needs all processes (see `training.sharding`).
    """

    def __init__(self) -> None:
        self.state = PartialState(cpu=not torch.cuda.is_available())
        self.count, self.index = self.state.num_processes, self.state.process_index
        self.split = False

    @staticmethod
    def leave() -> None:
        """Part from the others, before the interpreter ends: a thread of the connection that outlives it aborts the process."""
        if torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()

    def take_device(self) -> None:
        """Use this process's device in a new thread too: CUDA keeps the choice by thread."""
        if self.count > 1 and self.state.device.type == "cuda":
            torch.cuda.set_device(self.state.device)

    @property
    def first(self) -> bool:
        """Whether this process is the one that writes."""
        return self.index == 0

    def share(self, rows: Sequence[Item]) -> Sequence[Item]:
        """Every `count`-th of the rows, beginning at another one in each process; may be none."""
        return rows[self.index :: self.count] if self.count > 1 else rows

    def agree(self, value: Value) -> Value:
        """The first process's value, in all of them."""
        return broadcast_object_list([value])[0] if self.count > 1 else value

    def total(self, value: float) -> float:
        """The sum over all processes, the same number in each."""
        if self.count == 1:
            return value
        return float(reduce(torch.tensor(value, dtype=torch.float64, device=self.state.device), reduction="sum"))

    def most(self, value: int) -> int:
        """The largest value of all processes."""
        if self.count == 1:
            return value
        largest = torch.tensor(value, device=self.state.device)
        torch.distributed.all_reduce(largest, torch.distributed.ReduceOp.MAX)
        return int(largest)

    def add_gradients(self, parameters: Sequence[torch.nn.Parameter]) -> None:
        """Give every process the sum of all gradients, in one message. A process without rows adds nothing."""
        if self.count == 1:
            return
        for item in parameters:
            if item.grad is None:
                item.grad = torch.zeros_like(item)
        summed = reduce(torch.cat([item.grad.flatten() for item in parameters]), reduction="sum")
        for item, part in zip(parameters, summed.split([item.numel() for item in parameters]), strict=True):
            item.grad.copy_(part.view_as(item))
