"""The processes that train together, started by torchrun; or the one that trains alone."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
import torch.distributed
from torch import Tensor

__all__ = ["Team", "join_team"]


@dataclass(frozen=True, slots=True)
class Team:
    """The processes of a run.

    Attributes:
        size: how many there are.
        rank: which one this is, from 0.
        device: where this one computes.
    """

    size: int = 1
    rank: int = 0
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))

    @property
    def leads(self) -> bool:
        """Whether this process writes files and talks to the user."""
        return self.rank == 0

    def sum(self, numbers: Tensor) -> Tensor:
        """The sum of every process' numbers, which have the same shape in all; on the CPU."""
        if self.size == 1:
            return numbers.cpu()
        total = numbers.to(self.device, copy=True)
        torch.distributed.all_reduce(total)
        return total.cpu()

    def gather(self, numbers: Tensor) -> Tensor:
        """Every process' numbers, which have the same shape in all, by rank; on the CPU."""
        rows = torch.zeros(self.size, *numbers.shape, dtype=numbers.dtype)
        rows[self.rank] = numbers
        return self.sum(rows)


def join_team(device: torch.device) -> Team:
    """Meet the other processes if torchrun started this one; all compute on one kind of device."""
    if not torch.distributed.is_torchelastic_launched():
        return Team(device=device)
    backend = "nccl" if device.type == "cuda" else "gloo"
    torch.distributed.init_process_group(backend)
    size, rank = torch.distributed.get_world_size(), torch.distributed.get_rank()
    return Team(size=size, rank=rank, device=device)
