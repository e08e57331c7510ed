"""What the process with the MIDI ports tells: one line of JSON each, on its standard output."""

from __future__ import annotations

from dataclasses import dataclass

from bridge.processes.reports import ReportCodec

__all__ = ["Messages", "Opened", "Report", "Unplugged", "Unreachable", "decode", "encode"]


@dataclass(frozen=True, slots=True)
class Messages:
    """What a controller has sent.

    Attributes:
        messages: the bytes of each, in their order.
    """

    messages: list[list[int]]


@dataclass(frozen=True, slots=True)
class Opened:
    """A port is open.

    Attributes:
        port: its name.
        shared: a port of our own, which others connect to.
    """

    port: str
    shared: bool


@dataclass(frozen=True, slots=True)
class Unplugged:
    """The controller is not there.

    Attributes:
        wanted: what it is called.
        others: ports that are there instead.
        gone: the port that was open until now; empty if there was none.
    """

    wanted: str
    others: list[str]
    gone: str = ""


@dataclass(frozen=True, slots=True)
class Unreachable:
    """There is no MIDI system at the moment, and this process ends.

    Attributes:
        text: a line that says what is missing.
    """

    text: str


Report = Messages | Opened | Unplugged | Unreachable
_CODEC = ReportCodec[Report](Messages, Opened, Unplugged, Unreachable)
encode, decode = _CODEC.encode, _CODEC.decode
