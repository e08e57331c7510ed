"""The container in which hosts keep a VST3 plugin's state: `.vstpreset`.

::

    "VST3"  version  class id         offset of the list
    4       int32    32 characters    int64
    chunks, back to back
    "List"  count    (id, offset, size) ...
    4       int32     4   int64   int64

Numbers are little-endian. The chunk `Comp` is the component's state, `Cont` the controller's.

Source: Steinberg, "VST 3 Preset File Format".
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from streamsep.errors import InputError

__all__ = ["PresetFile"]

_HEAD = struct.Struct("<4si32sq")
_LIST = struct.Struct("<4si")
_ENTRY = struct.Struct("<4sqq")
_MOST_CHUNKS = 128


@dataclass(frozen=True, slots=True)
class PresetFile:
    """A plugin's state.

    Attributes:
        class_id: of the plugin, 32 characters.
        chunks: by their ids of four characters, in order.
    """

    class_id: bytes
    chunks: dict[bytes, bytes]

    @classmethod
    def read(cls, data: bytes) -> PresetFile:
        """Read a container.

        Raises:
            InputError: it is none.
        """
        try:
            magic, _, class_id, list_offset = _HEAD.unpack_from(data)
            list_magic, count = _LIST.unpack_from(data, list_offset)
            if magic != b"VST3" or list_magic != b"List" or not 0 <= count <= _MOST_CHUNKS:
                raise InputError("expected the state of a VST3 plugin, got something else")
            chunks = {}
            for number in range(count):
                place = list_offset + _LIST.size + number * _ENTRY.size
                name, offset, size = _ENTRY.unpack_from(data, place)
                chunks[name] = data[offset : offset + size]
        except struct.error as error:
            raise InputError(f"the state of the VST3 plugin is cut off: {error}") from error
        return cls(class_id, chunks)

    def write(self) -> bytes:
        """The container."""
        body, entries = b"", b""
        for name, chunk in self.chunks.items():
            entries += _ENTRY.pack(name, _HEAD.size + len(body), len(chunk))
            body += chunk
        head = _HEAD.pack(b"VST3", 1, self.class_id, _HEAD.size + len(body))
        return head + body + _LIST.pack(b"List", len(self.chunks)) + entries
