"""What a run was begun with, which cannot change when it is taken up again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from streamsep.config import load_bag_cards, load_model_cards
from streamsep.errors import CheckpointError
from streamsep.home import from_home
from streamsep.models import AUTO
from streamsep.models.installed import installed_names

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Beginning", "check_beginning", "is_same_network", "where_from"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Beginning:
    """What holds from a run's first step to its last.

    Attributes:
        examples_per_step: of all processes together; the numbers of a step's examples follow from
            it, so with others a run would take some examples twice or never.
        start_from: name or file of the network whose weights it began with, see `where_from`; None
            for random ones.
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
    return _place(one) == _place(other)


def where_from(start_from: str | None) -> str | None:
    """What to keep of `start_from`: a name as it is, a file so that it is found from any folder.

    Links stay: the file they lead to may have a name that means nothing, as in a cache.
    """
    if start_from is None or _is_name(start_from):
        return start_from
    return str(from_home(start_from).absolute())


def _place(start_from: str) -> str | Path:
    return start_from if _is_name(start_from) else from_home(start_from).resolve()


def _is_name(start_from: str) -> bool:
    """Whether `load_model` takes something for a name, whatever files there are."""
    names = (AUTO, *load_model_cards(), *load_bag_cards(), *installed_names())
    return start_from in names


def _weights(beginning: Beginning) -> str:
    """What a run began with, in words."""
    if beginning.start_from is None:
        return "random weights"
    return f"the weights of '{beginning.start_from}'"
