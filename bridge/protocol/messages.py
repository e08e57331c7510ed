"""Everything that can be said, one small class a message.

======== ======== ===========================================================
message  sent by  meaning
======== ======== ===========================================================
HELLO    client   open a session with these properties
WELCOME  engine   it is open; this is what it offers and how late it will be
AUDIO    client   a block of the mixture
STEMS    engine   the stems of an earlier stretch of it
FLUSH    client   no more audio will come; send the rest
RESET    client   forget the stream and start another at this position
PING     client   are you there?
PONG     engine   I am; perhaps busy
ERROR    engine   what was wrong; the session, if there was one, is over
BYE      both     the session is over
======== ======== ===========================================================
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Samples = NDArray[np.float32]

__all__ = [
    "Audio",
    "Bye",
    "Error",
    "ErrorCode",
    "Flush",
    "Hello",
    "Kind",
    "Message",
    "Mode",
    "Ping",
    "Pong",
    "Reset",
    "Stems",
    "Welcome",
]


class Kind(IntEnum):
    """The number of a message in its header."""

    HELLO = 1
    WELCOME = 2
    AUDIO = 3
    STEMS = 4
    FLUSH = 5
    RESET = 6
    PING = 7
    PONG = 8
    ERROR = 9
    BYE = 10


class Mode(StrEnum):
    """What a session is for.

    A live session is served by its deadlines, and what would come too late is replaced. An offline
    one is served when no live one waits, every sample of it is separated, and its client waits.
    """

    LIVE = "live"
    OFFLINE = "offline"


class ErrorCode(IntEnum):
    """Why the engine ended or refused a session."""

    VERSION = 1
    MALFORMED = 2
    LIMIT = 3
    OUT_OF_TURN = 4
    REFUSED = 5
    UNSUPPORTED = 6
    NO_SESSION = 7
    INTERNAL = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Hello:
    """Open a session.

    Attributes:
        client: a name for people who look at the engine's status.
        mode: live or offline.
        sample_rate: samples per second of what will be sent.
        channels: C of what will be sent.
        block: the most samples that one AUDIO message will hold.
        preset: the name of a latency preset; empty for the engine's own.
        consistency: how the stems are made to sum to the mixture: off, other or energy; empty for
            the engine's own.
        budget: samples of time that the engine may take for computing and transport; 0 for what it
            proposes. A client that comes back asks for what it had, so that its latency stays.
    """

    client: str
    mode: Mode
    sample_rate: int
    channels: int
    block: int
    preset: str = ""
    consistency: str = ""
    budget: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Welcome:
    """The session is open.

    Attributes:
        stream: the session's number; every later message carries it.
        engine: name and version of the engine.
        model: the network's name.
        stems: names of the stems, in the order of STEMS.
        sample_rate, channels, preset, consistency: what the session has.
        network_latency: samples of hop and look-ahead, at the session's rate.
        resampling_latency: samples that the resamplers hold back; 0 at the network's rate.
        budget: samples of time for computing and transport; 0 offline, where the client waits.
        window: samples of AUDIO that may be unanswered; more is an error.
        heartbeat_ms: how often a client that has nothing to send should send PING.
        timeout_ms: silence after which the session is over.
    """

    stream: int
    engine: str
    model: str
    stems: tuple[str, ...]
    sample_rate: int
    channels: int
    preset: str
    consistency: str
    network_latency: int
    resampling_latency: int
    budget: int
    window: int
    heartbeat_ms: int
    timeout_ms: int

    @property
    def latency(self) -> int:
        """The engine's part of the latency: all terms but the client's own block."""
        return self.network_latency + self.resampling_latency + self.budget


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Audio:
    """A block of the mixture.

    Attributes:
        position: index of its first sample, continuing the block before.
        samples: float32 [C, T], T from 1 to the session's block.
    """

    stream: int
    epoch: int
    sequence: int
    position: int
    samples: Samples


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Stems:
    """The stems of a stretch of the mixture.

    Attributes:
        position: index, in the mixture, of the first sample.
        samples: float32 [S, C, T], T from 0.
        end: the stream's last message after FLUSH.
        substituted: some of it was not separated in time; there, `other` holds the mixture.
    """

    stream: int
    epoch: int
    sequence: int
    position: int
    samples: Samples
    end: bool = False
    substituted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Flush:
    """No more audio: send the rest, the last of it marked as the end."""

    stream: int
    epoch: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Reset:
    """Forget the stream; the next AUDIO starts another.

    Attributes:
        epoch: the new stream's number, above the old one's.
        position: index of its first sample.
    """

    stream: int
    epoch: int
    position: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Ping:
    """Are you there? Keeps a session alive; without one (stream 0) it asks for an engine."""

    stream: int = 0
    sequence: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Pong:
    """The answer to the PING of the same number.

    Attributes:
        busy: the engine is at work for this session; whoever waits may go on waiting.
    """

    stream: int = 0
    sequence: int = 0
    busy: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Error:
    """Something was wrong; the session is over.

    Attributes:
        code: for programs; a number that this version does not know is INTERNAL.
        text: for people, one line.
    """

    stream: int = 0
    code: ErrorCode
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Bye:
    """The session is over, by intention."""

    stream: int
    reason: str = field(default="")


Message = Hello | Welcome | Audio | Stems | Flush | Reset | Ping | Pong | Error | Bye
