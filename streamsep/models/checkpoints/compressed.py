"""Weights that were compressed as a whole, unpacked without trusting what they become.

Demucs v1 offered its 8-bit networks gzip'ed, v2 its quantised one as a zlib stream inside the file.
A stream of zeros shrinks a thousandfold, weights a few times: what grows beyond that is refused
before it has filled the disk. Unpacked it lies in a file without a name, since tensors are read in
another order than they are stored in.
"""

from __future__ import annotations

import tempfile
import zlib
from contextlib import contextmanager, suppress
from typing import IO, TYPE_CHECKING

from streamsep.errors import CheckpointError, OutputError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["GZIP_MAGIC", "unpacked"]

GZIP_MAGIC = b"\x1f\x8b\x08"
"""How gzip files of the only method there is begin."""

_MOST_GROWTH = 32
_PIECE_BYTES = 2**20
_EITHER_HEADER = zlib.MAX_WBITS | 32  # gzip's or zlib's own


def unpacked(packed: IO[bytes], size: int) -> IO[bytes]:
    """Unpack a gzip or zlib stream.

    Args:
        packed: the stream, read to its end.
        size: its length in bytes.

    Returns:
        A temporary file, at its start; closing it deletes it.

    Raises:
        CheckpointError: more comes out than can be weights, or the stream ends early.
        OutputError: there is no room for the temporary file.
        OSError: the stream cannot be read.
        zlib.error: the stream is damaged.
    """
    most = _MOST_GROWTH * size + _PIECE_BYTES
    with _writing():
        target = tempfile.TemporaryFile()  # noqa: SIM115, the caller closes it
    try:
        for piece in _pieces(packed, most):
            with _writing():
                target.write(piece)
        with _writing():
            target.seek(0)
    except BaseException:
        with suppress(OSError):  # what a full disk has not taken is tried once more
            target.close()
        raise
    return target


@contextmanager
def _writing() -> Iterator[None]:
    """Whatever happens to the temporary file, the file of weights is not at fault."""
    try:
        yield
    except OSError as error:
        raise OutputError(
            "it is compressed, and there is no room to unpack it "
            f"({error.strerror or error}); make room in the folder for temporary files, or name "
            "another in the environment variable TMPDIR"
        ) from error


def _pieces(packed: IO[bytes], most: int) -> Iterator[bytes]:
    """What comes out, in pieces of bounded length, and together no more than `most` bytes."""
    unpacker = zlib.decompressobj(_EITHER_HEADER)
    while not unpacker.eof:
        rest = unpacker.unconsumed_tail or packed.read(_PIECE_BYTES)
        if not rest:
            raise CheckpointError("it is compressed, and its end is missing")
        piece = unpacker.decompress(rest, _PIECE_BYTES)
        most -= len(piece)
        if most < 0:
            raise CheckpointError(
                f"it is compressed and becomes more than {_MOST_GROWTH} times as long, which "
                "weights do not"
            )
        yield piece
