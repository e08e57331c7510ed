"""Changes to training examples that widen what the network hears.

Those that were published with the networks (repitch, shift, channel swap, sign flip, scale, remix),
and some that narrow the gap between synthetic and real music: another speed, saturation, a tilted
spectrum, mono stems, stems that fall silent, and the missing treble of lossy files. Each is one
small object; `Augmentation` puts them in order.
"""

from __future__ import annotations

from streamsep.training.augmentation.change import Change, PerStem, Sometimes, StemChange
from streamsep.training.augmentation.channels import MakeMono, SwapChannels
from streamsep.training.augmentation.colour import Drive, Lowpass, Tilt
from streamsep.training.augmentation.level import DropStem, FlipSign, Gain, Scale
from streamsep.training.augmentation.pipeline import Augmentation
from streamsep.training.augmentation.remix import RemixGroups
from streamsep.training.augmentation.repitch import Repitch
from streamsep.training.augmentation.shift import Shift
from streamsep.training.augmentation.varispeed import Varispeed

__all__ = [
    "Augmentation",
    "Change",
    "Drive",
    "DropStem",
    "FlipSign",
    "Gain",
    "Lowpass",
    "MakeMono",
    "PerStem",
    "RemixGroups",
    "Repitch",
    "Scale",
    "Shift",
    "Sometimes",
    "StemChange",
    "SwapChannels",
    "Tilt",
    "Varispeed",
]
