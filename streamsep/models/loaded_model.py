"""A network ready for use, and what is known about it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

from streamsep.errors import ConfigError
from streamsep.models.bag import Bag
from streamsep.separator import separate_within, surroundings_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import torch
    from torch import Tensor

    from streamsep.config import BagSummary, ModelCard
    from streamsep.engine import Separator
    from streamsep.engine.separator import SegmentFollower

__all__ = ["LoadedModel"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedModel:
    """A network or a bag of them, ready for use; itself a `Separator`.

    Attributes:
        separator: the network on its device, in evaluation mode, without gradients; or a bag.
        name: its name in the registry, or that of its file (see `network_name`).
        path: the file it was loaded from; that of a bag says which members it has.
        licence: terms of the weights.
        segment: samples to give it at once when separating files, a multiple of its stride.
        overlap: share of such a segment that the next one covers too.
        device: where it computes.
        card: its card, None for a file of one's own.
        warning: one line for the user if this is not the network that was wanted.
        longest_context: samples of context in a live stream beyond which its stems get no better;
            None if nobody knows.
        member_files: the files of a bag's members, or the program that a file describes.
    """

    separator: Separator
    name: str
    path: Path
    licence: str
    segment: int
    overlap: float = 0.25
    device: str | torch.device = "cpu"
    card: ModelCard | BagSummary | None = None
    warning: str | None = None
    longest_context: int | None = None
    member_files: tuple[Path, ...] = ()

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

    @property
    def files(self) -> tuple[Path, ...]:
        """All files that what it computes depends on."""
        return (self.path, *self.member_files)

    def restrict(self, wanted: Sequence[str]) -> LoadedModel:
        """The least of it that still gives some of its stems.

        A bag leaves out the other stems and the members that only they need; a single network
        makes all of its stems at once and stays as it is.

        Args:
            wanted: names of some of its stems, in any order.

        Raises:
            ConfigError: there is no such stem.
        """
        if isinstance(self.separator, Bag):
            return replace(self, separator=self.separator.restrict(wanted))
        return self

    def moved_to(self, device: str | torch.device) -> LoadedModel:
        """The same on another device; networks move, so this one must not be used any more.

        Raises:
            ConfigError: it is an exported program, which stays where it was loaded.
        """
        return replace(self, separator=_moved(self.separator, device), device=device)

    def __call__(self, mix: Tensor) -> Tensor:
        """Separate float32 mix [B, C, T], wherever it lies, into [B, S, C, T] on the device."""
        return self.separator(mix.to(self.device))

    @property
    def surroundings(self) -> int:
        """Samples on either side of a segment that it makes use of; 0 for none."""
        return surroundings_of(self.separator)

    def separate_within(self, mix: Tensor, start: int, length: int) -> Tensor:
        """Separate a part of mix [B, C, T], aware of the rest, into [B, S, C, length]."""
        return separate_within(self.separator, mix.to(self.device), start, length)

    def follow(self, *, segment: int, hop: int, wanted: slice) -> SegmentFollower | None:
        """Follow a live stream, if the network can; see `HybridDemucs.follow`."""
        follow = getattr(self.separator, "follow", None)
        return follow(segment=segment, hop=hop, wanted=wanted) if follow else None


def _moved(separator: Separator, device: str | torch.device) -> Separator:
    from torch import nn

    if isinstance(separator, Bag):
        members = [
            replace(member, separator=_moved(member.separator, device))
            for member in separator.members
        ]
        return Bag(members, separator.sources)
    if isinstance(separator, nn.Module):
        return cast("Separator", separator.to(device))
    raise ConfigError(
        f"an exported program cannot be moved to '{device}' once it is loaded; "
        f"load it there, with --device {device}"
    )
