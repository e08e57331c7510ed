"""Which networks there are, and the way from a name to a loaded network.

`auto` takes the best official network whose file is at hand, else downloads the best one, else
falls back on the starter and says so: nobody should judge the real network by the small one.

A bag is loaded by loading its members, each of which is anything that has a name here or a file.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

from streamsep.config import BagCard, BagSummary, load_bag_cards, load_model_cards, load_yaml
from streamsep.config.bag_card import bag_card_path, join_licences, summarise
from streamsep.config.network_description import find_description
from streamsep.config.network_name import network_name
from streamsep.errors import (
    CheckpointError,
    ConfigError,
    DownloadError,
    StreamSepError,
    UnknownModelError,
)
from streamsep.home import from_home
from streamsep.models.bag import Bag, Member
from streamsep.models.download import fetch
from streamsep.models.file_segments import (
    USUAL_OVERLAP,
    nearest_on_grid,
    overlap_of_network,
    segment_of_network,
)
from streamsep.models.installed import installed_names, load_installed
from streamsep.models.joint_progress import JointProgress
from streamsep.models.loaded_model import LoadedModel
from streamsep.models.names import is_bag, name_of_bag
from streamsep.models.places import Places, default_cache_dir

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import torch

    from streamsep.config import ModelCard
    from streamsep.models.architectures import Network
    from streamsep.models.tuned import TunedPrecision
    from streamsep.models.tuned.hybrid import TunedHybridDemucs

    Progress = Callable[[int, int | None], None]

__all__ = [
    "AUTO",
    "AvailableModel",
    "LoadedModel",
    "available_models",
    "default_cache_dir",
    "load_model",
    "obtain_model",
]

logger = logging.getLogger(__name__)

AUTO = "auto"
"""The name that stands for the best network at hand."""

_STARTER = "starter"


@dataclass(frozen=True, slots=True)
class AvailableModel:
    """A network or a bag of the registry, and what of it is on this machine.

    Attributes:
        card: what is known about it.
        path: its file; that of a bag is its card, and is there once all members' files are.
    """

    card: ModelCard | BagSummary
    path: Path | None

    @property
    def size_bytes(self) -> int | None:
        """Size of the weights, as far as it is known."""
        if self.path is None or isinstance(self.card, BagSummary):
            return self.card.size_bytes
        return self.path.stat().st_size


def available_models(
    cache_dir: Path | None = None, *, hub_dir: Path | None = None
) -> list[AvailableModel]:
    """List the networks of the registry, best first, and then its bags.

    Args:
        cache_dir: folder of downloads, `default_cache_dir()` if None.
        hub_dir: torch's cache; None asks torch, which takes a second to import.
    """
    places = Places(cache_dir, hub_dir)
    cards = load_model_cards()
    networks = [AvailableModel(card, places.find(card)) for card in cards.values()]
    bags = [summarise(name, bag, cards) for name, bag in load_bag_cards().items()]
    return networks + [AvailableModel(bag, places.find_bag(bag)) for bag in bags]


def load_model(
    name_or_path: str | Path = AUTO,
    *,
    cache_dir: Path | None = None,
    device: str | torch.device = "cpu",
    precision: TunedPrecision | None = None,
    download: bool = True,
    progress: Progress | None = None,
    hub_dir: Path | None = None,
) -> LoadedModel:
    """Load a network or a bag by name or from a file, downloading what is missing.

    Args:
        name_or_path: "auto", a name of the registry, the path of a file of weights, or that of a
            YAML file that describes a bag.
        cache_dir: folder of downloads, `default_cache_dir()` if None.
        device: where the network shall run.
        precision: None for the network as it is. Else it is tuned to separate files on the
            processor where that can be done (see `streamsep.models.tuned`), and computes in
            "float32", "bfloat16", or "auto": bfloat16 if the processor has instructions for it.
        download: False to use only what is on this machine.
        progress: called during downloads with the bytes so far and in all.
        hub_dir: torch's cache; None asks torch.

    Raises:
        UnknownModelError: neither a name of the registry nor a file.
        DownloadError: the file is not here and cannot be fetched.
        CheckpointError: the file is damaged, foreign or unsafe.
        ConfigError: the device cannot be used, or the networks of a bag do not fit together.
    """
    places = Places(cache_dir, hub_dir)
    loader = _Loader(places, device, precision, download=download, progress=progress)
    return loader.load(str(name_or_path))


def obtain_model(
    name_or_path: str | Path = AUTO,
    *,
    cache_dir: Path | None = None,
    progress: Progress | None = None,
    hub_dir: Path | None = None,
) -> str:
    """Download what of a network or a bag is missing here, without loading it.

    Args:
        name_or_path: as of `load_model`.
        cache_dir: folder of downloads, `default_cache_dir()` if None.
        progress: called during downloads with the bytes so far and in all.
        hub_dir: torch's cache; None asks torch.

    Returns:
        What to load: for "auto" the name of the network that it stands for.

    Raises:
        DownloadError: a file is not here and cannot be fetched.
    """
    loader = _Loader(Places(cache_dir, hub_dir), "cpu", None, download=True, progress=progress)
    return loader.obtain(str(name_or_path))


@dataclass(frozen=True, slots=True)
class _Weights:
    """A network from a file of weights, and their terms; None if the file does not say."""

    network: Network | TunedHybridDemucs
    licence: str | None


class _Loader:
    """One call of `load_model`: what there is, where it may lie, and what is loaded already.

    A network that is asked for twice is loaded once, so a bag can tell that it is the same.
    """

    def __init__(
        self,
        places: Places,
        device: str | torch.device,
        precision: TunedPrecision | None,
        *,
        download: bool,
        progress: Progress | None,
    ) -> None:
        self._cards = load_model_cards()
        self._bags = load_bag_cards()
        self._places = places
        self._device = device
        self._precision = precision
        self._download = download
        self._progress = JointProgress(progress)
        self._weights: dict[Path, _Weights] = {}

    def load(self, name: str, beside: Path = Path(), within: tuple[Path, ...] = ()) -> LoadedModel:
        """Load what a name or a path stands for.

        Args:
            name: as in `load_model`.
            beside: folder in which relative paths begin.
            within: the bags that this is a member of, the outermost first.
        """
        if name == AUTO:
            return self._card(*self._best())
        if name in self._cards:
            return self._card(self._cards[name], self._obtain(self._cards[name]))
        if name in self._bags:
            return self._bag(self._bags[name], bag_card_path(name), within, name)
        if installed := load_installed(name, self._device):
            self._warn_of_float32(name)
            return installed
        path = beside / from_home(name)
        try:
            if path.is_file():
                return self._file(path, within)
        except OSError as error:  # a folder that may not be searched, a name too long for a file
            raise CheckpointError(f"cannot read '{path}': {error.strerror}") from error
        raise _unknown(name, [AUTO, *self._cards, *self._bags, *installed_names()])

    def obtain(self, name: str, beside: Path = Path(), within: tuple[Path, ...] = ()) -> str:
        """Download what `load` would, and return what to load; a wrong name is left to `load`."""
        if name == AUTO:
            card, *_ = self._best()
            return card.name
        if name in self._cards:
            self._obtain(self._cards[name])
        elif found := self._find_bag(name, beside):
            bag, path = found
            if path not in within:
                self._expect(bag)
                for member in bag.members:
                    self.obtain(member, path.parent, (*within, path))
        return name

    def _find_bag(self, name: str, beside: Path) -> tuple[BagCard, Path] | None:
        """A bag of the registry or of a file, and where its card is."""
        if name in self._bags:
            return self._bags[name], bag_card_path(name)
        path = beside / from_home(name)
        try:
            return (load_yaml(path, BagCard), path) if is_bag(path) else None
        except OSError:
            return None

    def _best(self) -> tuple[ModelCard, Path, str | None]:
        """The best network that can be had, its file, and a warning if there are better ones."""
        official = [card for card in self._cards.values() if card.official]
        for card in official:
            if path := self._places.find(card):
                return card, path, None
        best, starter = official[0], self._cards[_STARTER]
        try:
            path = self._obtain(best)
        except DownloadError as error:
            small = self._places.find(starter)
            if small is None:
                raise
            warning = _fallback_warning(best, starter, error)
            logger.warning("%s", warning)
            return starter, small, warning
        return best, path, None

    def _obtain(self, card: ModelCard) -> Path:
        """The path of a network's file, after downloading it if need be."""
        if card.architecture == "htdemucs":
            from streamsep.models.htdemucs import check_demucs_installed

            check_demucs_installed()
        path = self._places.find(card)
        if path is not None:
            return path
        destination = self._places.destination(card)
        if card.url is None:
            raise DownloadError(
                f"{card.name} should have come with streamsep and is missing at "
                f"{destination}; reinstall streamsep or choose another network"
            )
        if not self._download:
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
            progress=self._progress.of(card),
        )
        return destination

    def _card(self, card: ModelCard, path: Path, warning: str | None = None) -> LoadedModel:
        network = self._read(path).network
        return LoadedModel(
            separator=network,
            name=card.name,
            path=path,
            licence=card.licence,
            segment=card.segment,
            overlap=overlap_of_network(network),
            device=self._device,
            card=card,
            longest_context=card.longest_context,
            warning=warning,
        )

    def _file(self, path: Path, within: tuple[Path, ...]) -> LoadedModel:
        if is_bag(path):
            return self._bag(load_yaml(path, BagCard), path, within)
        if description := find_description(path):
            from streamsep.models.exported import load_described

            self._warn_of_float32(str(path))
            return load_described(description, self._device)
        weights = self._read(path)
        return LoadedModel(
            separator=weights.network,
            name=network_name(path),
            path=path,
            licence=weights.licence or "unknown",
            segment=segment_of_network(weights.network),
            overlap=overlap_of_network(weights.network),
            device=self._device,
        )

    def _bag(
        self, bag: BagCard, path: Path, within: tuple[Path, ...], name: str | None = None
    ) -> LoadedModel:
        """Load all members of a bag; one of the registry if it has a name."""
        try:
            members = self._members(bag, path, within)
            separator = Bag(_weighted(bag, members))
        except StreamSepError as error:
            raise type(error)(f"{name or path}: {error}") from error
        segment = bag.segment or min(member.segment for member in members)
        segment = nearest_on_grid(segment, separator.stride)
        overlap = max(member.overlap for member in members)
        return LoadedModel(
            separator=separator,
            name=name or name_of_bag(bag, path),
            path=path,
            licence=bag.licence or join_licences(member.licence for member in members),
            segment=segment,
            overlap=overlap if segment * overlap % separator.stride == 0 else USUAL_OVERLAP,
            device=self._device,
            card=summarise(name, bag, self._cards) if name else None,
            warning=next((member.warning for member in members if member.warning), None),
            member_files=tuple(dict.fromkeys(file for each in members for file in each.files)),
        )

    def _members(self, bag: BagCard, path: Path, within: tuple[Path, ...]) -> list[LoadedModel]:
        within = (*within, path.resolve())
        if within[-1] in within[:-1]:
            chain = " → ".join(each.name for each in within[within.index(within[-1]) :])
            raise ConfigError(f"this bag is a member of itself ({chain}); leave it out of one")
        self._expect(bag)
        return [self.load(member, path.parent, within) for member in bag.members]

    def _expect(self, bag: BagCard) -> None:
        """Count what of its members has to be downloaded."""
        cards = [self._cards[member] for member in bag.members if member in self._cards]
        self._progress.expect(card for card in cards if self._places.find(card) is None)

    def _read(self, path: Path) -> _Weights:
        if path not in self._weights:
            if str(self._device) != "cpu":
                self._warn_of_float32(f"{path} on '{self._device}'")
            self._weights[path] = _read_weights(path, self._device, self._precision)
        return self._weights[path]

    def _warn_of_float32(self, what: str) -> None:
        """Say so where a precision was asked for that only networks of ours have on a processor."""
        if self._precision == "bfloat16":
            logger.warning(
                "%s computes in float32: bfloat16 on the processor is for Hybrid Demucs on x86",
                what,
            )


def _weighted(bag: BagCard, members: Sequence[LoadedModel]) -> list[Member]:
    rows = bag.weights or [None] * len(members)
    return [
        Member(member.name, member.separator, row)
        for member, row in zip(members, rows, strict=True)
    ]


def _read_weights(
    path: Path, device: str | torch.device, precision: TunedPrecision | None
) -> _Weights:
    # Imported here: listing networks must not take the seconds that importing torch does.
    from streamsep.devices.availability import unusable_in_one_line
    from streamsep.models.checkpoints import read_checkpoint
    from streamsep.models.tuned import tune

    read = read_checkpoint(path)
    network = read.network.requires_grad_(False)
    if precision is not None and str(device) == "cpu":
        return _Weights(tune(network, precision), read.licence)
    with unusable_in_one_line(device):
        return _Weights(network.to(device), read.licence)


def _fallback_warning(best: ModelCard, starter: ModelCard, error: DownloadError) -> str:
    return (
        f"separating with the small built-in network '{starter.name}' ({_expected(starter)}) "
        f"instead of {best.name} ({_expected(best)}): {error}"
    )


def _expected(card: ModelCard) -> str:
    return f"about {card.quality.sdr_db:.1f} dB SDR" if card.quality else "quality not measured"


def _unknown(name: str, known: Sequence[str]) -> UnknownModelError:
    near = get_close_matches(name, known, n=1)
    hint = f"did you mean '{near[0]}'? " if near else ""
    return UnknownModelError(
        f"unknown model '{name}', {hint}expected one of {', '.join(known)}, or the path of a file "
        "of weights or of a bag"
    )
