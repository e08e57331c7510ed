"""What the process that writes a take tells: one line of JSON each, on its standard output."""

from __future__ import annotations

from dataclasses import dataclass

from bridge.processes.reports import ReportCodec

__all__ = ["Failed", "Finished", "Report", "Written", "decode", "encode"]


@dataclass(frozen=True, slots=True)
class Written:
    """How far it is.

    Attributes:
        frames: that every file can give back, whatever happens now.
    """

    frames: int


@dataclass(frozen=True, slots=True)
class Finished:
    """The take is complete.

    Attributes:
        frames: of every file.
    """

    frames: int


@dataclass(frozen=True, slots=True)
class Failed:
    """No more can be written; the files are closed.

    Attributes:
        frames: that every file can give back.
        text: what the system says.
    """

    frames: int
    text: str


Report = Written | Finished | Failed
_CODEC = ReportCodec[Report](Written, Finished, Failed)
encode, decode = _CODEC.encode, _CODEC.decode
