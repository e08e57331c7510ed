"""What engine and clients say to each other, without a socket in sight.

`docs/protocol.md` is the authority; this package is its first implementation. `header` and `fields`
are the two layouts on the wire, `messages` says what there is to say, `codec` turns messages into
frames and back, and `session` knows who may say what when. Bytes go in and come out; who carries
them is somebody else's subject, as in h11 for HTTP.
"""

from __future__ import annotations

from bridge.protocol.codec import decode, encode, topic_of
from bridge.protocol.header import VERSION
from bridge.protocol.limits import LONGEST_BLOCK, MOST_CHANNELS
from bridge.protocol.messages import (
    Audio,
    Bye,
    Error,
    ErrorCode,
    Flush,
    Hello,
    Message,
    Mode,
    Ping,
    Pong,
    Reset,
    Stems,
    Welcome,
)
from bridge.protocol.session import Role, Session, State

__all__ = [
    "LONGEST_BLOCK",
    "MOST_CHANNELS",
    "VERSION",
    "Audio",
    "Bye",
    "Error",
    "ErrorCode",
    "Flush",
    "Hello",
    "Message",
    "Mode",
    "Ping",
    "Pong",
    "Reset",
    "Role",
    "Session",
    "State",
    "Stems",
    "Welcome",
    "decode",
    "encode",
    "topic_of",
]
