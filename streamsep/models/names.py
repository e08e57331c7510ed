"""What networks are called: by whoever asks for one, and once they are loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streamsep.config import BagCard, load_bag_cards, load_model_cards, load_yaml
from streamsep.config.network_description import describes_network
from streamsep.config.network_name import network_name
from streamsep.errors import ConfigError
from streamsep.home import from_home
from streamsep.models.installed import installed_names

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["is_bag", "is_listed", "loaded_name", "name_of_bag"]


def is_listed(name: str) -> bool:
    """Whether a name alone leads to a network, in any folder: 'auto' does not say to which."""
    return name in load_model_cards() or name in load_bag_cards() or name in installed_names()


def is_bag(path: Path) -> bool:
    """Whether a file describes a bag.

    Raises:
        ConfigError: it is a YAML file that cannot be read.
        OSError: its folder may not be searched.
    """
    return path.suffix in (".yaml", ".yml") and path.is_file() and not describes_network(path)


def name_of_bag(bag: BagCard, path: Path) -> str:
    """What the bag of a file is called: as its card says, else as the file."""
    return bag.name or network_name(path)


def loaded_name(name_or_path: str) -> str:
    """What a network will be called once it is loaded. Nothing is loaded to find out.

    Args:
        name_or_path: as of `load_model`, but "auto". What `load_model` would refuse is called like
            its file.
    """
    if is_listed(name_or_path):
        return name_or_path
    path = from_home(name_or_path)
    try:
        if is_bag(path):
            return name_of_bag(load_yaml(path, BagCard), path)
    except (ConfigError, OSError):
        pass  # whoever loads it says what is wrong
    return network_name(path)
