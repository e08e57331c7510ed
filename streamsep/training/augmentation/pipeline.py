"""All changes in their order.

The published changes keep the order that they were published in: repitch, shift, channels, sign,
scale, remix. Those that colour a sound come before the shift, as they would in a studio; silence
and the treble lost in a lossy file come after everything that a mixing desk does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from streamsep.training.augmentation.change import PerStem, Sometimes
from streamsep.training.augmentation.channels import MakeMono, SwapChannels
from streamsep.training.augmentation.colour import Drive, Lowpass, Tilt
from streamsep.training.augmentation.level import DropStem, FlipSign, Gain, Scale
from streamsep.training.augmentation.remix import RemixGroups
from streamsep.training.augmentation.repitch import Repitch
from streamsep.training.augmentation.shift import Shift
from streamsep.training.augmentation.varispeed import Varispeed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.random import Generator
    from torch import Tensor

    from streamsep.config.training import AugmentationConfig
    from streamsep.training.augmentation.change import Change, StemChange

__all__ = ["Augmentation"]

UNITY = (1.0, 1.0)
UNITY_DB = (0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Augmentation:
    """What happens to an example, and then to the batch that it comes to lie in.

    Attributes:
        changes: of an example, in order.
        remix: of a batch; None for no change.
    """

    changes: tuple[Change, ...]
    remix: RemixGroups | None

    @classmethod
    def from_config(cls, config: AugmentationConfig, sample_rate: int) -> Augmentation:
        """The changes a configuration asks for.

        Raises:
            MissingToolError: it asks for one whose library is not installed.
        """
        remix = RemixGroups(config.remix_group) if config.remix_group > 1 else None
        return cls(tuple(_asked_for(config, sample_rate)), remix)

    def needs(self, length: int) -> int:
        """Samples T that an example must have so that at least `length` are left of it."""
        for change in reversed(self.changes):
            length = change.needs(length)
        return length

    def __call__(self, stems: Tensor, rng: Generator) -> Tensor:
        """Change one example [S, C, T]."""
        for change in self.changes:
            stems = change(stems, rng)
        return stems

    def batch(self, batch: Tensor, rng: Generator) -> Tensor:
        """Change a batch [B, S, C, T] of examples that were changed already."""
        return batch if self.remix is None else self.remix(batch, rng)


def _asked_for(config: AugmentationConfig, sample_rate: int) -> Iterator[Change]:
    """The changes of an example that are not off, in their order."""
    if config.repitch:
        yield Repitch(
            config.repitch,
            config.repitch_semitones,
            config.repitch_tempo,
            config.repitch_tempo_limit,
            sample_rate,
        )
    yield from _per_stem(
        (config.varispeed, Varispeed(config.varispeed_range)),
        (config.drive, Drive()),
        (config.tilt, Tilt(config.tilt_db, sample_rate)),
        (config.mono, MakeMono()),
    )
    if config.shift_s:
        yield Shift(round(config.shift_s * sample_rate))
    yield from _per_stem(
        (config.swap_channels, SwapChannels()),
        (config.flip_sign, FlipSign()),
        (float(config.scale != UNITY), Scale(*config.scale)),
        (float(config.gain_db != UNITY_DB), Gain(*config.gain_db)),
        (config.stem_dropout, DropStem()),
    )
    if config.lowpass:
        yield Sometimes(config.lowpass, Lowpass(sample_rate))


def _per_stem(*changes: tuple[float, StemChange]) -> Iterator[PerStem]:
    """Those of some changes, with their probabilities, that are not off."""
    return (PerStem(probability, change) for probability, change in changes if probability)
