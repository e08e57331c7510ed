"""What a network that is given as a file is called."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["network_name"]

_OF_EVERY_RUN = "network"
"""`streamsep train` writes OUT/network.safetensors, so this name says nothing of the network."""


def network_name(path: Path) -> str:
    """The name of a file of weights, of a bag or of a description, as folders of stems take it.

    It is the file's own without its extension, or that of its folder if the file is called
    `network`: those of two runs must not write over each other's stems.
    """
    if path.stem != _OF_EVERY_RUN:
        return path.stem
    return Path(os.path.normpath(path.absolute())).parent.name or path.stem
