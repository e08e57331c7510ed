"""What is done to samples before and after separation: channels, sample rates, bad values.

Public tensors are planar float32 [C, T], as everywhere; numpy and soxr stay inside.
"""

from __future__ import annotations

from streamsep.audio.channels import ChannelLayout
from streamsep.audio.resample import StreamResampler, resampled_length
from streamsep.audio.sanitize import replace_non_finite

__all__ = ["ChannelLayout", "StreamResampler", "replace_non_finite", "resampled_length"]
