"""Stems for listeners: whoever wants to hear a session's stem subscribes to it.

A topic is the session's number, a slash and the stem's name, `0123abcd/vocals`. A message is the
topic and then the two frames of a STEMS message with one stem in it. Only what somebody has
subscribed to is sent. A listener that does not keep up loses messages, which it sees by a position
that does not continue the last one; nobody else is slowed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import zmq

from bridge.protocol import Stems, encode, topic_of

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Broadcast"]


class Broadcast:
    """The publishing ends of an engine.

    Args:
        sockets: XPUB, one per door.
    """

    def __init__(self, sockets: Sequence[zmq.Socket[bytes]]) -> None:
        self._wanted: dict[zmq.Socket[bytes], set[bytes]] = {socket: set() for socket in sockets}

    def update(self) -> None:
        """Take in who has come and gone."""
        for socket, wanted in self._wanted.items():
            while socket.poll(0):
                notice = socket.recv(zmq.NOBLOCK)
                if notice[:1] == b"\x01":
                    wanted.add(notice[1:])
                elif notice[:1] == b"\x00":
                    wanted.discard(notice[1:])

    def publish(self, message: Stems, names: Sequence[str]) -> None:
        """Send a session's stems to those who listen to them."""
        for socket, wanted in self._wanted.items():
            if not wanted:
                continue
            for index, name in enumerate(names):
                topic = topic_of(message.stream, name)
                if any(topic.startswith(prefix) for prefix in wanted):
                    part = Stems(
                        stream=message.stream,
                        epoch=message.epoch,
                        sequence=message.sequence,
                        position=message.position,
                        samples=message.samples[index : index + 1],
                        end=message.end,
                        substituted=message.substituted,
                    )
                    socket.send_multipart([topic, *encode(part)], zmq.NOBLOCK)
