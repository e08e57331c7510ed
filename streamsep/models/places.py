"""Where files of weights lie.

There are three places: streamsep's own cache, where downloads go; torch's cache, where torchaudio
and demucs put theirs; and, for the starter, the package itself.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from streamsep.config.bag_card import bag_card_path

if TYPE_CHECKING:
    from streamsep.config import BagSummary, ModelCard

__all__ = ["Places", "default_cache_dir"]

_PACKAGED = Path(__file__).with_name("weights")


def default_cache_dir() -> Path:
    """Folder of downloaded networks: the user's cache folder of this system."""
    from platformdirs import user_cache_path

    return user_cache_path("streamsep") / "models"


class Places:
    """Where to look.

    Args:
        cache_dir: folder of downloads, `default_cache_dir()` if None.
        hub_dir: torch's cache; None asks torch, which takes a second to import.
    """

    def __init__(self, cache_dir: Path | None, hub_dir: Path | None) -> None:
        self.cache_dir = cache_dir or default_cache_dir()
        self._hub_dir = hub_dir

    def find(self, card: ModelCard) -> Path | None:
        """The file of a network, if there is one of the right size."""
        return next((path for path in self._candidates(card) if _is_file_of(card, path)), None)

    def find_bag(self, bag: BagSummary) -> Path | None:
        """The card of a bag, if the files of all its members are there."""
        return bag_card_path(bag.name) if all(map(self.find, bag.members)) else None

    def destination(self, card: ModelCard) -> Path:
        """Where the file of a network is put, or came with the package."""
        return (_PACKAGED if card.packaged else self.cache_dir) / card.filename

    def _candidates(self, card: ModelCard) -> list[Path]:
        if card.packaged:
            return [self.destination(card)]
        folder = "torchaudio/models" if card.format == "torchaudio" else "checkpoints"
        return [self.destination(card), self._hub() / folder / card.filename]

    def _hub(self) -> Path:
        if self._hub_dir is None:
            import torch

            self._hub_dir = Path(torch.hub.get_dir())
        return self._hub_dir


def _is_file_of(card: ModelCard, path: Path) -> bool:
    """Whether a network's file is there; where one may not look there is none."""
    try:
        return path.is_file() and card.accepts_size(path.stat().st_size)
    except OSError:
        return False
