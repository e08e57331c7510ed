"""How stems are encoded: which container, which samples, which bit rate.

Integers are rounded to the nearest step and full scale is 2^(bits-1), so that a 16-bit file read
and written again is the same samples. Nothing is dithered. libsndfile, when it has to clamp,
rounds for flac but truncates for wav, so the conversion is done here, the same for both.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from streamsep.errors import ConfigError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["MP3_BITRATES_KBPS", "Encoding"]

MP3_BITRATES_KBPS = (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)

# The lowest and highest bit rate that mp3 allows at each of its sample rates.
_MP3_RANGES_KBPS = {
    **dict.fromkeys((8_000, 11_025, 12_000), (8, 64)),
    **dict.fromkeys((16_000, 22_050, 24_000), (8, 160)),
    **dict.fromkeys((32_000, 44_100, 48_000), (32, 320)),
}
_FLAC_CHANNELS = 8
_BYTES = {"int16": 2, "int24": 3, "float32": 4}
# What a wav's 32-bit sizes can hold, less room for the header and the metadata.
_WAV_BYTES = 2**32 - 2**20


@dataclass(frozen=True, slots=True)
class Encoding:
    """The format of written audio.

    Args:
        container: "wav", "flac" or "mp3".
        samples: "int16", "int24" or "float32"; flac has no float32, and mp3 ignores it.
        bitrate_kbps: Constant bit rate of an mp3, one of `MP3_BITRATES_KBPS`. Sample rates below
            32 kHz allow at most 160, below 16 kHz 64: there the highest allowed is used.

    Raises:
        ConfigError: If a value is unknown or does not fit the container.
    """

    container: Literal["wav", "flac", "mp3"] = "wav"
    samples: Literal["int16", "int24", "float32"] = "int16"
    bitrate_kbps: int = 320

    def __post_init__(self) -> None:
        if self.container not in ("wav", "flac", "mp3"):
            raise ConfigError(f"container '{self.container}': expected wav, flac or mp3")
        if self.samples not in _BYTES:
            raise ConfigError(f"samples '{self.samples}': expected int16, int24 or float32")
        if self.container == "flac" and self.samples == "float32":
            raise ConfigError("flac cannot hold float32: choose int16 or int24, or wav")
        if self.container == "mp3" and self.bitrate_kbps not in MP3_BITRATES_KBPS:
            known = ", ".join(map(str, MP3_BITRATES_KBPS))
            raise ConfigError(f"an mp3 of {self.bitrate_kbps} kbit/s: expected one of {known}")

    @property
    def extension(self) -> str:
        """The file name's extension, without a dot."""
        return self.container

    def check(self, sample_rate: int, channels: int) -> None:
        """Raise ConfigError if the container cannot hold audio of this rate and channel count."""
        if self.container == "flac" and channels > _FLAC_CHANNELS:
            raise ConfigError(f"flac of {channels} channels: it holds at most 8; choose wav")
        if self.container == "mp3" and channels > 2:
            raise ConfigError(f"mp3 of {channels} channels: it holds at most 2; choose wav or flac")
        if self.container == "mp3" and sample_rate not in _MP3_RANGES_KBPS:
            rates = ", ".join(map(str, _MP3_RANGES_KBPS))
            raise ConfigError(
                f"mp3 at {sample_rate} Hz: it allows {rates}; choose wav or flac, or another rate"
            )

    def holds(self, frames: int, channels: int) -> bool:
        """Whether the container's plain form can hold this much: a wav ends at 4 GiB."""
        return self.container != "wav" or frames * channels * _BYTES[self.samples] <= _WAV_BYTES

    def soundfile_options(self, sample_rate: int, *, huge: bool = False) -> dict[str, Any]:
        """The keyword arguments of `soundfile.SoundFile` for this encoding.

        Args:
            sample_rate: Hz; with an mp3, one that `check` accepts.
            huge: Write RF64, the 64-bit form of wav.
        """
        if self.container == "mp3":
            low, high = _MP3_RANGES_KBPS[sample_rate]
            # libsndfile spans the range by a level from 0 (highest) to just below 1, and truncates:
            # without the small step down, 128 may become 112.
            level = (high - self.bitrate_kbps) / (high - low) - 1e-6
            return {
                "format": "MP3",
                "bitrate_mode": "CONSTANT",
                "compression_level": min(max(level, 0.0), 0.9999),
            }
        subtype = {"int16": "PCM_16", "int24": "PCM_24", "float32": "FLOAT"}[self.samples]
        container = "RF64" if huge and self.container == "wav" else self.container.upper()
        return {"format": container, "subtype": subtype}

    def to_file(self, frames: NDArray[np.float32]) -> NDArray[Any]:
        """Convert samples to what the file takes: [t, C], rounded and clamped if integers."""
        if self.container == "mp3" or self.samples == "float32":
            return frames
        full_scale = np.float32(2**15 if self.samples == "int16" else 2**23)
        bounded = np.nan_to_num(np.clip(frames, -1.0, 1.0), nan=0.0)
        # Exact in float32: a power of two, and the largest result has 24 bits.
        steps: NDArray[np.float32] = np.minimum(np.rint(bounded * full_scale), full_scale - 1)
        if self.samples == "int16":
            return steps.astype(np.int16)
        return steps.astype(np.int32) << 8  # libsndfile takes 24 bits from the top of 32
