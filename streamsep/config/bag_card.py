"""Bag cards: which networks separate together, and how much each counts for which stem.

The bags that come with streamsep name networks of the registry. A bag of one's own is the same
file anywhere else; its members may also be files, found beside it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, model_validator

from streamsep.config.locate import configs_folder
from streamsep.config.model_card import ModelCard, Quality
from streamsep.config.yaml_file import Document, load_yaml

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

__all__ = [
    "BagCard",
    "BagSummary",
    "bag_card_path",
    "join_licences",
    "load_bag_cards",
    "summarise",
]

_Name = Annotated[str, Field(min_length=1)]
_Row = Annotated[tuple[Annotated[float, Field(ge=0, le=1e6)], ...], Field(strict=False)]


class BagCard(Document):
    """A bag of networks.

    Attributes:
        name: what it is called; None for the name of its file.
        description: one line.
        members: a name of the registry or the path of a file each, relative to this one; a
            member may be a bag too.
        weights: a row for every member with a number from 0 for every stem, in the order of the
            networks' stems; None if all count the same.
        segment: samples that the members are given at once when they separate files; None for the
            shortest of what they are given alone.
        licence: terms of the weights; None for those of all members.
        quality: published measurement, or None.
    """

    name: str | None = Field(default=None, pattern=r"^[a-z0-9][a-z0-9_]*$")
    description: str = ""
    members: Annotated[tuple[_Name, ...], Field(strict=False, min_length=1)]
    weights: Annotated[tuple[_Row, ...], Field(strict=False)] | None = None
    segment: int | None = Field(default=None, gt=0)
    licence: str | None = None
    quality: Quality | None = None

    @model_validator(mode="after")
    def _weights_fit(self) -> BagCard:
        if self.weights is None:
            return self
        rows = [len(row) for row in self.weights]
        if len(rows) != len(self.members) or len(set(rows)) > 1 or rows[0] == 0:
            raise ValueError(
                f"key 'weights': got rows of {', '.join(map(str, rows)) or 'no'} numbers, expected "
                f"{len(self.members)}, one for each member, with a number for every stem"
            )
        for column, weights in enumerate(zip(*self.weights, strict=True)):
            if not any(weights):
                raise ValueError(
                    f"key 'weights': column {column + 1} is all 0, so nobody would separate that "
                    "stem; give at least one member a number above 0"
                )
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class BagSummary:
    """What a list of networks says of a bag, in the words of a `ModelCard`.

    Attributes:
        name: what it is called on the command line.
        description: one line.
        members: the cards of its networks, each once.
        licence: terms of the weights of all members.
        quality: published measurement, or None.
    """

    name: str
    description: str
    members: tuple[ModelCard, ...]
    licence: str
    quality: Quality | None
    architecture: Literal["bag"] = "bag"
    url: None = None
    official: Literal[False] = False
    packaged: Literal[False] = False

    @property
    def sources(self) -> tuple[str, ...]:
        """Names of the stems."""
        return self.members[0].sources

    @property
    def sample_rate(self) -> int:
        """Samples per second that the members expect."""
        return self.members[0].sample_rate

    @property
    def channels(self) -> int:
        """Audio channels that the members expect."""
        return self.members[0].channels

    @property
    def size_bytes(self) -> int | None:
        """Size of all files together; None if one of them is unknown."""
        sizes = [card.size_bytes for card in self.members]
        return None if None in sizes else sum(size or 0 for size in sizes)

    @property
    def training(self) -> str:
        """What the members were trained on."""
        return "; ".join(dict.fromkeys(card.training for card in self.members))


def load_bag_cards(folder: Path | None = None) -> dict[str, BagCard]:
    """Read all bag cards of a folder.

    Args:
        folder: holds one YAML file per bag; the ones that come with streamsep if None.

    Returns:
        The cards by the names of their files.

    Raises:
        ConfigError: the folder is missing or a card in it is wrong.
    """
    files = sorted((folder or configs_folder("bags")).glob("*.yaml"))
    return {file.stem: load_yaml(file, BagCard) for file in files}


def bag_card_path(name: str) -> Path:
    """The file of a bag that comes with streamsep."""
    return configs_folder("bags") / f"{name}.yaml"


def summarise(name: str, bag: BagCard, cards: Mapping[str, ModelCard]) -> BagSummary:
    """Describe a bag of the registry.

    Args:
        name: of the bag.
        bag: its card; all of its members are networks of the registry.
        cards: the networks of the registry by name.
    """
    members = tuple(cards[member] for member in dict.fromkeys(bag.members))
    return BagSummary(
        name=name,
        description=bag.description,
        members=members,
        licence=bag.licence or join_licences(card.licence for card in members),
        quality=bag.quality,
    )


def join_licences(licences: Iterable[str]) -> str:
    """The terms of several networks as one line, each said once."""
    return "; ".join(dict.fromkeys(licences))
