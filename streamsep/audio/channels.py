"""How audio with any number of channels passes through a network with one or two.

The rule, as the command line's help states it: channels are taken in pairs (1-2, 3-4, ...) and each
pair is separated on its own; a channel left over, which includes the whole of a mono file, is given
to a stereo network twice and its stem is the mean of the network's two channels. A mono network
takes every channel alone.

    6 channels ──► [1 2] [3 4] [5 6]           stems come back with the channels that went in,
    5 channels ──► [1 2] [3 4] [5 5]           in the same order: nothing is mixed down, nothing
    mono       ──► [1 1]                       is lost

The rule keeps additivity: if a network's stems sum to what it was given, the stems that come back
sum to what came in, because a mean of equal channels is that channel.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from streamsep.errors import ConfigError, InputError

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["ChannelLayout"]


@dataclass(frozen=True, slots=True)
class ChannelLayout:
    """The way from C channels of audio to G groups of N network channels, and back.

    Args:
        channels: C, the channels of the audio, at least 1.
        network_channels: N, the channels of the network, 1 or 2.

    Raises:
        ConfigError: If either count is out of its range.
    """

    channels: int
    network_channels: int = 2

    def __post_init__(self) -> None:
        if self.channels < 1:
            raise ConfigError(f"audio with {self.channels} channels: expected at least 1")
        if self.network_channels not in (1, 2):
            raise ConfigError(
                f"a network with {self.network_channels} channels: expected a mono or a stereo one"
            )

    @property
    def groups(self) -> int:
        """G, how many groups are separated side by side."""
        return -(-self.channels // self.network_channels)

    @property
    def has_lone_channel(self) -> bool:
        """Whether the last group holds one channel twice."""
        return self.channels % self.network_channels != 0

    def to_network(self, block: Tensor) -> Tensor:
        """Group the channels of a block.

        Args:
            block: [C, t] float32, t >= 0.

        Returns:
            [G, N, t]; a batch for the network. It may share the block's memory.

        Raises:
            InputError: If the block is not [C, t].
        """
        if block.ndim != 2 or block.shape[0] != self.channels:
            raise InputError(
                f"a block of shape {tuple(block.shape)}: expected [{self.channels}, samples]"
            )
        if self.has_lone_channel:
            block = torch.cat([block, block[-1:]])
        return block.reshape(self.groups, self.network_channels, block.shape[-1])

    def from_network(self, stems: Tensor) -> Tensor:
        """Put the channels of separated groups back in their order.

        Args:
            stems: [G, S, N, t] float32.

        Returns:
            [S, C, t]; it may share the memory of `stems`.

        Raises:
            InputError: If the stems are not [G, S, N, t].
        """
        groups, network_channels = self.groups, self.network_channels
        if stems.ndim != 4 or stems.shape[0] != groups or stems.shape[2] != network_channels:
            raise InputError(
                f"stems of shape {tuple(stems.shape)}: "
                f"expected [{groups}, stems, {network_channels}, samples]"
            )
        count, length = stems.shape[1], stems.shape[3]
        in_order = stems.transpose(0, 1).reshape(count, groups * network_channels, length)
        if not self.has_lone_channel:
            return in_order
        # Written so that the mean of two equal samples is exactly that sample, however large.
        left, right = in_order[:, -2], in_order[:, -1]
        lone = left + (right - left) * 0.5
        return torch.cat([in_order[:, :-2], lone.unsqueeze(1)], dim=1)
