"""How files are separated and what is written."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from streamsep.devices.following import follows_streams
from streamsep.errors import ConfigError
from streamsep.files import Encoding

if TYPE_CHECKING:
    from streamsep.engine import ConsistencyName, OverlapConfig, RefinementName, StreamConfig
    from streamsep.models.tuned import TunedPrecision

__all__ = ["ClipMode", "OtherMethod", "SeparationOptions"]

ClipMode = Literal["rescale", "clamp", "none"]
OtherMethod = Literal["none", "add", "minus"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SeparationOptions:
    """Everything about a separation but the file, the network and the place of the result.

    Attributes:
        tiling: None for the network's own segment and overlap; an `OverlapConfig` for other
            segments; a `StreamConfig` to separate the file as a live stream would be.
        incremental: with a `StreamConfig`, let every hop keep what the one before has computed,
            where the network can; None for what engines do by themselves: on the processor.
        shifts: passes with random delays to average; 0 for one pass without delay.
        consistency: what becomes of the difference between the mixture and the stems' sum.
        refinement: whether the mixture is given out again in the proportions of the estimates.
        two_stems: write only this stem and its complement; None for all stems.
        other_method: the complement is the sum of the other stems (`add`), the mixture minus the
            stem (`minus`), or not written (`none`).
        encoding: of the written files.
        clip_mode: what happens to samples beyond full scale: `clamp` cuts them, `rescale` lowers
            all stems of a track by the same gain, so that their balance and their sum stay;
            `none` leaves them, which only float32 files can hold. None: `none` for float32, else
            `clamp`.
        device: where the network computes.
        precision: in which a network that is given by name computes on the processor: "float32",
            "bfloat16", or "auto" for bfloat16 where there are instructions for it.
        batch: segments, of one file or of several, that the network computes together; None for 1
            on the CPU, where more gains nothing, and else 4. With 1 every file is what it would be
            alone, to the last bit; with more, but for rounding.
        seed: decides the shifts.

    Raises:
        ConfigError: values that do not fit together.
    """

    tiling: OverlapConfig | StreamConfig | None = None
    incremental: bool | None = None
    shifts: int = 0
    consistency: ConsistencyName = "off"
    refinement: RefinementName = "off"
    two_stems: str | None = None
    other_method: OtherMethod = "add"
    encoding: Encoding = field(default_factory=Encoding)
    clip_mode: ClipMode | None = None
    device: str = "cpu"
    precision: TunedPrecision = "float32"
    batch: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if self.clip_mode == "none" and not self.holds_overshoot:
            raise ConfigError("clip mode 'none' needs float32 wav: integers end at full scale")
        if self.batch is not None and self.batch < 1:
            raise ConfigError(f"a batch must have at least 1 segment, got {self.batch}")

    def needed_stems(self, sources: tuple[str, ...]) -> tuple[str, ...]:
        """The stems of a network that the written files depend on.

        Args:
            sources: all stems of the network.
        """
        # The sum of the others, and what is shared out among all, need all.
        alone = self.other_method != "add" and self.consistency == self.refinement == "off"
        return (self.two_stems,) if self.two_stems is not None and alone else sources

    @property
    def effective_incremental(self) -> bool:
        """Whether hops keep what they can, with the default filled in."""
        return follows_streams(self.device, self.incremental)

    @property
    def effective_batch(self) -> int:
        """The batch, with the default filled in."""
        return self.batch or (1 if self.device == "cpu" else 4)

    @property
    def holds_overshoot(self) -> bool:
        """Whether the files can hold samples beyond full scale."""
        return self.encoding.container == "wav" and self.encoding.samples == "float32"

    @property
    def effective_clip_mode(self) -> ClipMode:
        """The clip mode, with the default filled in."""
        return self.clip_mode or ("none" if self.holds_overshoot else "clamp")
