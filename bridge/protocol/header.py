"""The first frame of every message: forty bytes, little-endian, the same for all types.

::

    0      4   5   6      8       12      16        24        32       36     38    40
    ├──────┼───┼───┼──────┼───────┼───────┼─────────┼─────────┼────────┼──────┼──────┤
     "SSEP" ver type flags stream   epoch  sequence  position  samples  stems  chan.

Every field lies at a multiple of its size, so that a C or C++ struct without packing is the layout.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from bridge.protocol.messages import ErrorCode
from streamsep.errors import RemoteProtocolError

__all__ = ["HEADER_SIZE", "MAGIC", "VERSION", "Header"]

MAGIC = b"SSEP"
VERSION = 1
_LAYOUT = struct.Struct("<4sBBHIIQQIHH")
HEADER_SIZE = _LAYOUT.size


class Header(NamedTuple):
    """One message's header, its magic and version already checked.

    Attributes:
        type: which message, see `bridge.protocol.messages.Kind`.
        flags: bits whose meaning depends on the type; an ERROR's code.
        stream: the session's number, given by WELCOME; 0 before.
        epoch: counts the stream's restarts.
        sequence: counts AUDIO and STEMS within an epoch, each from 0; a PING's number.
        position: absolute index of the first sample.
        samples: T, samples per channel in the body.
        stems: S, stems in the body; 1 for AUDIO.
        channels: C, channels per stem in the body.
    """

    type: int
    flags: int = 0
    stream: int = 0
    epoch: int = 0
    sequence: int = 0
    position: int = 0
    samples: int = 0
    stems: int = 0
    channels: int = 0

    def pack(self) -> bytes:
        """The forty bytes."""
        return _LAYOUT.pack(MAGIC, VERSION, *self)

    @classmethod
    def unpack(cls, frame: bytes | memoryview) -> Header:
        """Read forty bytes.

        Raises:
            RemoteProtocolError: they are no header, or one of another version.
        """
        if len(frame) != HEADER_SIZE:
            raise RemoteProtocolError(
                f"expected a header of {HEADER_SIZE} bytes, got a frame of {len(frame)}"
            )
        magic, version, *fields = _LAYOUT.unpack(frame)
        if magic != MAGIC:
            raise RemoteProtocolError(
                f"expected a header that starts with {MAGIC!r}, got {magic!r}"
            )
        if version != VERSION:
            raise RemoteProtocolError(
                f"the peer speaks version {version} of the protocol, this is version {VERSION}; "
                "update the older side",
                code=ErrorCode.VERSION,
            )
        return cls(*fields)
