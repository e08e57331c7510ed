"""What the audio child tells the supervisor: one line of JSON each, on its standard output."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from bridge.processes.reports import ReportCodec

__all__ = [
    "Ended",
    "Measured",
    "Noted",
    "Playing",
    "Reason",
    "Refused",
    "Report",
    "Waiting",
    "decode",
    "encode",
]


class Reason(StrEnum):
    """Why a child has ended."""

    STOPPED = "stopped"
    SERVER_GONE = "server_gone"
    NO_CALLBACKS = "no_callbacks"
    LONGER_BLOCKS = "longer_blocks"
    PROGRAM_GONE = "program_gone"


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """The device or the engine is not there.

    Attributes:
        text: a line that says what is missing.
        engine: it is the engine.
    """

    text: str
    engine: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """It cannot be played like that, and waiting would not help.

    Attributes:
        text: a line that says what to do.
    """

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Playing:
    """Stems have been asked for, and the output is the delayed input or better.

    Attributes:
        input: the input device.
        output: the output device.
        sample_rate: of both.
        block: the longest block that the latency allows for.
        latency_terms: samples each, by name; their sum is the latency.
        stems: names of the stems.
        model: name of the network.
        preset: name of the latency preset.
        consistency: off, other or energy.
        budget: what the engine gave, in samples.
    """

    input: str
    output: str
    sample_rate: int
    block: int
    latency_terms: dict[str, int]
    stems: list[str]
    model: str
    preset: str
    consistency: str
    budget: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """How it goes. Counts are of this child.

    Attributes:
        engine: connecting, streaming or stalled.
        samples: played.
        load: largest share of a block's time that the callback took since the last report.
        longest: samples of the longest block of the device.
        xruns: times that the device was late with input, or got its output too late.
        lost: samples that never came from the device.
        slow: callbacks that computed for longer than their block lasts.
        missed: samples that were played without their stems.
        gaps: how often stems turned into the delayed input.
        late: samples of stems that came too late.
        substituted: messages of stems in which the engine was late.
        connections: sessions with an engine.
        input_peak: largest amplitude of the input since the last report.
        stem_peaks: the same of every stem.
        output_peaks: the same of every output.
        recording: how the recording goes; empty without one.
    """

    engine: str
    samples: int
    load: float
    longest: int
    xruns: int
    lost: int
    slow: int
    missed: int
    gaps: int
    late: int
    substituted: int
    connections: int
    input_peak: float
    stem_peaks: list[float]
    output_peaks: list[float]
    recording: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Noted:
    """Something to tell.

    Attributes:
        text: a line for people.
    """

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """The last line.

    Attributes:
        reason: why.
        text: a line for people.
        block: the longest block that was seen.
    """

    reason: Reason
    text: str
    block: int

    def __post_init__(self) -> None:
        # JSON knows no Reason.
        object.__setattr__(self, "reason", Reason(self.reason))


Report = Waiting | Refused | Playing | Measured | Noted | Ended
_CODEC = ReportCodec[Report](Waiting, Refused, Playing, Measured, Noted, Ended)
encode, decode = _CODEC.encode, _CODEC.decode
