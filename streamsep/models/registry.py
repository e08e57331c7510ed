"""Which networks there are, where their files lie, and the way from a name to a loaded network.

A file is looked for in three places: streamsep's own cache, where downloads go; torch's cache,
where torchaudio and demucs put theirs; and, for the starter, the package itself. `auto` takes the
best official network whose file is at hand, else downloads the best one, else falls back on the
starter and says so: nobody should judge the real network by the small one.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

from streamsep.config import ModelCard, load_model_cards
from streamsep.errors import CheckpointError, ConfigError, DownloadError, UnknownModelError
from streamsep.models.download import fetch

if TYPE_CHECKING:
    from collections.abc import Callable

    import torch
    from torch import Tensor

    from streamsep.models.architectures import Network

    Progress = Callable[[int, int | None], None]

__all__ = [
    "AUTO",
    "AvailableModel",
    "LoadedModel",
    "available_models",
    "default_cache_dir",
    "load_model",
]

logger = logging.getLogger(__name__)

AUTO = "auto"
"""The name that stands for the best network at hand."""

_STARTER = "starter"
_DEFAULT_SEGMENT = 216 * 2048  # 10 s at 44.1 kHz
_PACKAGED = Path(__file__).with_name("weights")


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedModel:
    """A network ready for use, and what is known about it; itself a `Separator`.

    Attributes:
        separator: the network on its device, in evaluation mode, without gradients.
        name: its name in the registry, or the name of the file without its extension.
        path: the file it was loaded from.
        licence: terms of the weights.
        segment: samples to give it at once when separating files, a multiple of its stride.
        device: where it computes.
        card: its card, None for a file of one's own.
        warning: one line for the user if this is not the network that was wanted.
    """

    separator: Network
    name: str
    path: Path
    licence: str
    segment: int
    device: str | torch.device = "cpu"
    card: ModelCard | None = None
    warning: str | None = None

    @property
    def sample_rate(self) -> int:
        """Samples per second that it expects."""
        return self.separator.sample_rate

    @property
    def channels(self) -> int:
        """Audio channels that it expects."""
        return self.separator.channels

    @property
    def sources(self) -> tuple[str, ...]:
        """Names of the stems, in the order of the output."""
        return self.separator.sources

    @property
    def stride(self) -> int:
        """Samples by which a segment may move without changing how the network sees it."""
        return self.separator.stride

    def __call__(self, mix: Tensor) -> Tensor:
        """Separate float32 mix [B, C, T], wherever it lies, into [B, S, C, T] on the device."""
        estimate: Tensor = self.separator(mix.to(self.device))
        return estimate


@dataclass(frozen=True, slots=True)
class AvailableModel:
    """A network of the registry, and its file if it is on this machine."""

    card: ModelCard
    path: Path | None


def default_cache_dir() -> Path:
    """Folder of downloaded networks: the user's cache folder of this system."""
    from platformdirs import user_cache_path

    return user_cache_path("streamsep") / "models"


def available_models(
    cache_dir: Path | None = None, *, hub_dir: Path | None = None
) -> list[AvailableModel]:
    """List the networks of the registry, best first.

    Args:
        cache_dir: folder of downloads, `default_cache_dir()` if None.
        hub_dir: torch's cache; None asks torch, which takes a second to import.
    """
    places = _Places(cache_dir, hub_dir)
    return [AvailableModel(card, places.find(card)) for card in load_model_cards().values()]


def load_model(
    name_or_path: str | Path = AUTO,
    *,
    cache_dir: Path | None = None,
    device: str | torch.device = "cpu",
    download: bool = True,
    progress: Progress | None = None,
    hub_dir: Path | None = None,
) -> LoadedModel:
    """Load a network by name or from a file, downloading it if it is missing.

    Args:
        name_or_path: "auto", a name of the registry, or the path of a file of weights.
        cache_dir: folder of downloads, `default_cache_dir()` if None.
        device: where the network shall run.
        download: False to use only what is on this machine.
        progress: called during a download with the bytes so far and in all.
        hub_dir: torch's cache; None asks torch.

    Raises:
        UnknownModelError: neither a name of the registry nor a file.
        DownloadError: the file is not here and cannot be fetched.
        CheckpointError: the file is damaged, foreign or unsafe.
        ConfigError: the device cannot be used.
    """
    places = _Places(cache_dir, hub_dir)
    cards = load_model_cards()
    name = str(name_or_path)
    if name == AUTO:
        return _load_best(cards, places, device, download=download, progress=progress)
    if name in cards:
        path = _obtain(cards[name], places, download=download, progress=progress)
        return _load_card(cards[name], path, device)
    path = Path(name_or_path).expanduser()
    try:
        if path.is_file():
            return _load_file(path, device)
    except OSError as error:  # a folder that may not be searched, a name too long for a file
        raise CheckpointError(f"cannot read '{path}': {error.strerror}") from error
    raise _unknown(name, cards)


class _Places:
    """Where files of weights may lie."""

    def __init__(self, cache_dir: Path | None, hub_dir: Path | None) -> None:
        self.cache_dir = cache_dir or default_cache_dir()
        self._hub_dir = hub_dir

    def find(self, card: ModelCard) -> Path | None:
        """The file of a network, if there is one of the right size."""
        for path in self._candidates(card):
            if path.is_file() and card.accepts_size(path.stat().st_size):
                return path
        return None

    def _candidates(self, card: ModelCard) -> list[Path]:
        if card.packaged:
            return [_PACKAGED / card.filename]
        folder = "torchaudio/models" if card.format == "torchaudio" else "checkpoints"
        return [self.cache_dir / card.filename, self._hub() / folder / card.filename]

    def _hub(self) -> Path:
        if self._hub_dir is None:
            import torch

            self._hub_dir = Path(torch.hub.get_dir())
        return self._hub_dir


def _load_best(
    cards: dict[str, ModelCard],
    places: _Places,
    device: str | torch.device,
    *,
    download: bool,
    progress: Progress | None,
) -> LoadedModel:
    official = [card for card in cards.values() if card.official]
    for card in official:
        if path := places.find(card):
            return _load_card(card, path, device)
    best = official[0]
    try:
        path = _obtain(best, places, download=download, progress=progress)
    except DownloadError as error:
        starter = places.find(cards[_STARTER])
        if starter is None:
            raise
        warning = _fallback_warning(best, cards[_STARTER], error)
        logger.warning("%s", warning)
        return _load_card(cards[_STARTER], starter, device, warning)
    return _load_card(best, path, device)


def _obtain(card: ModelCard, places: _Places, *, download: bool, progress: Progress | None) -> Path:
    """The path of a network's file, after downloading it if need be."""
    path = places.find(card)
    if path is not None:
        return path
    destination = places.cache_dir / card.filename
    if card.url is None:
        raise DownloadError(
            f"{card.name} should have come with streamsep and is missing at "
            f"{_PACKAGED / card.filename}; reinstall streamsep or choose another network"
        )
    if not download:
        raise DownloadError(
            f"{card.name} is not on this machine and downloads are off; allow them or put "
            f"{card.url} at {destination} by hand"
        )
    logger.info("downloading %s from %s", card.name, card.url)
    fetch(
        card.url,
        destination,
        sha256=card.sha256,
        size_bytes=card.exact_size_bytes,
        progress=progress,
    )
    return destination


def _load_card(
    card: ModelCard, path: Path, device: str | torch.device, warning: str | None = None
) -> LoadedModel:
    return LoadedModel(
        separator=_load_network(path, device),
        name=card.name,
        path=path,
        licence=card.licence,
        segment=card.segment,
        device=device,
        card=card,
        warning=warning,
    )


def _load_file(path: Path, device: str | torch.device) -> LoadedModel:
    from streamsep.models.checkpoints import read_header

    header = read_header(path)
    return LoadedModel(
        separator=_load_network(path, device),
        name=path.stem,
        path=path,
        licence=header.licence if header else "unknown",
        segment=_DEFAULT_SEGMENT,
        device=device,
    )


def _load_network(path: Path, device: str | torch.device) -> Network:
    # Imported here: listing networks must not take the seconds that importing torch does.
    from streamsep.models.checkpoints import load_checkpoint

    network = load_checkpoint(path)
    try:
        return network.to(device).requires_grad_(False)
    except (RuntimeError, AssertionError) as error:
        # torch raises either for a device that it was not built for or that is not there.
        reason = str(error).partition("\n")[0]
        raise ConfigError(f"device '{device}' cannot be used here: {reason}") from error


def _fallback_warning(best: ModelCard, starter: ModelCard, error: DownloadError) -> str:
    return (
        f"separating with the small built-in network '{starter.name}' ({_expected(starter)}) "
        f"instead of {best.name} ({_expected(best)}): {error}"
    )


def _expected(card: ModelCard) -> str:
    return f"about {card.quality.sdr_db:.1f} dB SDR" if card.quality else "quality not measured"


def _unknown(name: str, cards: dict[str, ModelCard]) -> UnknownModelError:
    known = ", ".join([AUTO, *cards])
    near = get_close_matches(name, [AUTO, *cards], n=1)
    hint = f"did you mean '{near[0]}'? " if near else ""
    return UnknownModelError(
        f"unknown model '{name}', {hint}expected one of {known}, or the path of a file of weights"
    )
