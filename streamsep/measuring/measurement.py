"""What is known of a network at a latency preset on a machine, once it has been measured."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

from streamsep.measuring.hop_cost import fingerprint
from streamsep.measuring.machine import Machine
from streamsep.measuring.recorded_names import NetworkName, path_of

__all__ = ["MOST_RTF", "Measurement"]

MOST_RTF = 0.7
"""Share of a device's time that a live stream may need; beyond, it would not hold for long."""


class Measurement(BaseModel):
    """The cost of a hop and what follows from it.

    Attributes:
        machine: what it is true of.
        device: what computed: cpu, or the name of the accelerator.
        threads: of torch on the processor.
        measured: when, with a time zone.
        model: name of the network.
        model_file: path of its file, as `path_text` writes it.
        member_files: likewise, those of a bag's members, or the program that a file describes.
        fingerprint: of all these files when it was measured.
        preset: name of the latency preset.
        sample_rate: the network's, samples per second.
        context: samples of the past in a segment, as fitted to the network's stride; so are the
            next three.
        hop: samples from segment to segment.
        look_ahead: samples of the future in a segment.
        crossfade: samples over which segments blend.
        precision: how exactly the network computed; None for as it was made to.
        incremental: whether hops kept what the one before had computed.
        hops: how many were timed.
        p50_ms: median time to compute one, milliseconds.
        p95_ms: 95 % took no longer.
        p99_ms: 99 % took no longer.
        max_ms: the longest.
        rtf: time to compute all hops over the time that they last.
        memory_mib: peak resident size of the process, libraries and weights included.
        device_memory_mib: peak of an accelerator's own memory; None for others.
        others: share of the processor that other programs used meanwhile; None if not known.
        latency_terms: samples, by what they are for; their sum is the declared latency.
        sessions: live ones that an engine would let in at this preset.
        playable: whether an engine serves live sessions at this preset at all: not without a
            crossfade to hide a late segment in.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    machine: Machine
    device: str
    threads: int
    measured: datetime
    model: NetworkName
    model_file: str
    member_files: tuple[str, ...]
    fingerprint: str
    preset: str
    sample_rate: int = Field(gt=0)
    context: int = Field(ge=0)
    hop: int = Field(gt=0)
    look_ahead: int = Field(ge=0)
    crossfade: int = Field(ge=0)
    precision: str | None = None
    incremental: bool
    hops: int = Field(gt=0)
    p50_ms: float = Field(ge=0)
    p95_ms: float = Field(ge=0)
    p99_ms: float = Field(ge=0)
    max_ms: float = Field(ge=0)
    rtf: float = Field(ge=0)
    memory_mib: float = Field(ge=0)
    device_memory_mib: float | None
    others: float | None
    latency_terms: dict[str, int]
    sessions: int = Field(ge=0)
    playable: bool

    @property
    def is_of_present_files(self) -> bool:
        """Whether the network's files are still those that were measured."""
        files = (self.model_file, *self.member_files)
        return fingerprint(map(path_of, files)) == self.fingerprint

    @property
    def hop_ms(self) -> float:
        """How long a hop lasts, milliseconds."""
        return 1000 * self.hop / self.sample_rate

    @property
    def latency(self) -> int:
        """Declared latency, samples at the network's rate."""
        return sum(self.latency_terms.values())

    @property
    def latency_ms(self) -> float:
        """Declared latency, milliseconds."""
        return 1000 * self.latency / self.sample_rate

    @property
    def holds(self) -> bool:
        """Whether a live stream holds: RTF at most 0.7, and 99 of 100 hops in time."""
        return self.playable and self.rtf <= MOST_RTF and self.p99_ms < self.hop_ms
