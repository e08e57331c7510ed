"""What the processes of a run have in common before they compute together.

Every process reads the configuration, the songs and the checkpoint for itself. Where they lie on
different machines, these may differ unnoticed: examples would be taken twice or never, and
processes that do not make the same number of steps wait for each other for ever.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import torch

from streamsep.errors import TrainingError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from streamsep.training.team import Team

__all__ = ["check_agreement"]


def check_agreement(team: Team, facts: Mapping[str, int | str]) -> None:
    """Make sure that something is the same in all processes of a team; all must ask.

    Args:
        team: the processes.
        facts: what must be the same, by a name for the message; the same names in all.

    Raises:
        TrainingError: it is not, in all processes at once.
    """
    known = team.gather(torch.tensor([_number(fact) for fact in facts.values()]))
    for (name, fact), numbers in zip(facts.items(), known.T.tolist(), strict=True):
        for rank, number in enumerate(numbers):
            if number == numbers[0]:
                continue
            what = f": {numbers[0]} in process 0, {number} in process {rank}"
            raise TrainingError(
                f"the processes of this run differ in {name}"
                f"{what if isinstance(fact, int) else ''}; give all of them the same "
                "configuration, the same songs and one OUT, in a folder that all machines share"
            )


def _number(fact: int | str) -> int:
    """A number to compare instead of a fact, which fits into 64 bits."""
    if isinstance(fact, int):
        return fact
    return int.from_bytes(hashlib.sha256(fact.encode()).digest()[:8], signed=True)
