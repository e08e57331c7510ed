"""What a run was begun with, which cannot change when it is taken up again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from streamsep.errors import CheckpointError
from streamsep.home import from_home

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Beginning", "check_beginning", "is_same_network"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Beginning:
    """What holds from a run's first step to its last.

    Attributes:
        examples_per_step: of all processes together; the numbers of a step's examples follow from
            it, so with others a run would take some examples twice or never.
        start_from: name or file of the network whose weights it began with; None for random ones.
        licence: terms of that network's weights; None without one, or where they are not known.
    """

    examples_per_step: int
    start_from: str | None
    licence: str | None


def check_beginning(begun: Beginning, wanted: Beginning, path: Path) -> None:
    """Make sure that a run goes on as it began.

    Args:
        begun: what its checkpoint says.
        wanted: what it is to go on with; the licence does not count.
        path: of the checkpoint, for messages.

    Raises:
        CheckpointError: it would not.
    """
    if not is_same_network(begun.start_from, wanted.start_from):
        raise CheckpointError(
            f"{path} holds a run that began with {_weights(begun)}, now it is to begin with "
            f"{_weights(wanted)}; take another --out, or begin as that run did"
        )
    if begun.examples_per_step != wanted.examples_per_step:
        raise CheckpointError(
            f"{path} holds a run with {begun.examples_per_step} examples per step, got "
            f"{wanted.examples_per_step}; choose batch_size and the number of processes so that "
            f"their product is {begun.examples_per_step} again, or take another --out"
        )


def is_same_network(one: str | None, other: str | None) -> bool:
    """Whether two names or files of networks, as `start_from` gives them, mean the same one."""
    if one is None or other is None:
        return one is other
    return one == other or _file(one) == _file(other)


def _file(name: str) -> Path:
    return from_home(name).resolve()


def _weights(beginning: Beginning) -> str:
    """What a run began with, in words."""
    if beginning.start_from is None:
        return "random weights"
    return f"the weights of '{beginning.start_from}'"
