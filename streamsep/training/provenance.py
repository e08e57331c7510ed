"""What the file of a trained network says of where it comes from.

The author of a configuration knows its licence and can say in a sentence what it is for. Which
songs it was given, and, where another network was to be gone on from, which one that was, only the
run knows.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from streamsep.config.network_name import network_name
from streamsep.training.beginning import is_same_network

if TYPE_CHECKING:
    from streamsep.config.training import TrainingConfig
    from streamsep.training.beginning import Beginning

__all__ = ["licence_of", "note_of"]


def licence_of(config: TrainingConfig, beginning: Beginning) -> str:
    """The terms of a run's weights.

    Args:
        config: as its file says, without the options that replaced something in it.
        beginning: of the run.

    Returns:
        The configuration's licence, if the run began as it says; else that of the network that was
        begun with comes first, because what derives from a network is bound by its terms.
    """
    if is_same_network(beginning.start_from, config.start_from):
        return config.licence
    if beginning.licence == config.licence:
        return config.licence
    terms = beginning.licence or "terms unknown"
    return f"{terms} (of {_start(beginning)}, which it derives from); {config.licence}"


def note_of(
    config: TrainingConfig, beginning: Beginning, *, name: str, songs: str, steps: int
) -> str:
    """How a run's weights came about, in a sentence or two.

    Args:
        config: as its file says, without the options that replaced something in it.
        beginning: of the run; what the configuration says of itself is left out where the run began
            with another network, because it may be about that one.
        name: of the configuration.
        songs: name of their folder.
        steps: that were made.
    """
    facts = f"'{name}', {steps} steps from {_start(beginning)}, songs of '{songs}'"
    if is_same_network(beginning.start_from, config.start_from):
        return f"{config.note.rstrip().removesuffix('.')} ({facts})"
    return facts


def _start(beginning: Beginning) -> str:
    """What a run began with; of a file only the name, because its folders are nobody's business."""
    if beginning.start_from is None:
        return "random weights"
    return f"'{network_name(Path(beginning.start_from))}'"
