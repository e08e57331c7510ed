"""The processes that train together, started by torchrun; or the one that trains alone."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch
import torch.distributed
from torch import Tensor

from streamsep.errors import TrainingError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["Team", "join_team", "losses_explained"]


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

    def meet(self) -> None:
        """Wait until every process is here."""
        self.sum(torch.zeros(1))

    def follow_leader(self, tensors: Iterable[Tensor]) -> None:
        """Give tensors on the team's device the numbers that they have in the process that leads.

        Args:
            tensors: as many, and of the same shapes, in all processes; changed in place.
        """
        if self.size == 1:
            return
        for tensor in tensors:
            torch.distributed.broadcast(tensor, src=0)

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


@contextmanager
def losses_explained() -> Iterator[None]:
    """Say in one line that another process of the team is gone.

    Raises:
        TrainingError: it is.
    """
    try:
        yield
    except RuntimeError as error:
        if not _is_loss(error):
            raise
        reason = str(error).partition("\n")[0]
        raise TrainingError(
            "another process of this run has ended, or can no longer be reached, and without it "
            f"this one cannot go on ({reason:.120}); see what that one said, then start all again: "
            "they go on from the last checkpoint"
        ) from error


def _is_loss(error: RuntimeError) -> bool:
    """Whether torch says that processes cannot talk to each other."""
    # NCCL and the meeting place have errors of their own; gloo's are known by its source files.
    return isinstance(error, torch.distributed.DistError) or "/gloo/" in str(error)
