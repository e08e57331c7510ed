"""Reads the files of `torch.save` without trusting them.

`restricted_unpickler` turns the pickle in such a file into descriptions of tensors. Their numbers
are read later, after the descriptions have been found to fit the network, and only as many as the
file really holds. Two layouts exist. Since 2020 the file is a zip archive, one record per storage::

    NAME/data.pkl      the pickle                NAME/data/0, NAME/data/1, ...     the numbers

Before, it was a row of pickles (magic number, version, system, content, storage keys) followed by
the storages, each with its length in front.
"""

from __future__ import annotations

import io
import math
import os
import pickle
import struct
import sys
import zipfile
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any, Protocol

import torch
from torch import Tensor

from streamsep.errors import CheckpointError
from streamsep.models.checkpoints.assembly import StoredWeight
from streamsep.models.checkpoints.option_limits import short
from streamsep.models.checkpoints.restricted_unpickler import (
    RestrictedUnpickler,
    Storage,
    StoredTensor,
    is_size,
    next_program,
)

__all__ = ["TorchFile"]

_LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
_LEGACY_VERSION = 1001
_MOST_SHARING = 64
_LEGACY_PICKLES_BYTES = 64 * 2**20


class TorchFile:
    """An open file of `torch.save`; a context manager that closes it.

    Args:
        file: where it lies, or the file itself, opened for reading and seeking.

    Attributes:
        content: what was saved, with `StoredTensor` in place of tensors.
        size: length of the file in bytes.

    Raises:
        CheckpointError: the file wants to use a name that weights have no need for. Damaged files
            raise whatever reading them raises.
    """

    def __init__(self, file: Path | IO[bytes]) -> None:
        self._read_bytes = 0
        self._storage_bytes = 0
        self._records: _Records
        with ExitStack() as stack:
            stream = stack.enter_context(file.open("rb") if isinstance(file, Path) else file)
            self.size = stream.seek(0, os.SEEK_END)
            if zipfile.is_zipfile(stream):
                self._records = _ZipRecords(stack.enter_context(zipfile.ZipFile(stream)))
            else:
                stream.seek(0)
                self._records = _LegacyRecords(stream)
            self.content = self._records.content
            # Nothing went wrong: what has been opened stays open until __exit__.
            self._open = stack.pop_all()

    def __enter__(self) -> TorchFile:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def describe(self, tensor: StoredTensor) -> StoredWeight:
        """A tensor as the assembly of networks wants it."""
        dtype = getattr(tensor.storage, "dtype", None)
        element_type = str(dtype).removeprefix("torch.")
        return StoredWeight(tuple(tensor.shape), element_type, lambda: self.read(tensor))

    def describe_all(self, state: object) -> dict[str, StoredWeight]:
        """Tensors by name as the assembly of networks wants them.

        Raises:
            CheckpointError: it is something else.
        """
        if not isinstance(state, dict):
            raise CheckpointError(f"its weights are {short(state)}, expected tensors by name")
        for name, value in state.items():
            if not isinstance(value, StoredTensor):
                raise CheckpointError(f"{short(name)} is {short(value)}, expected a tensor")
        return {str(name): self.describe(tensor) for name, tensor in state.items()}

    def read(self, tensor: StoredTensor) -> Tensor:
        """Read the numbers of one tensor.

        Returns:
            The tensor in its own element type, contiguous.

        Raises:
            ValueError: the description does not fit the file.
        """
        storage = tensor.storage
        if not isinstance(storage, Storage) or not isinstance(storage.dtype, torch.dtype):
            raise ValueError("a tensor without a storage")  # noqa: TRY004, the file's fault
        sizes = [*tensor.shape, *tensor.strides, tensor.offset, storage.numel]
        if len(tensor.shape) != len(tensor.strides) or not all(is_size(size) for size in sizes):
            raise ValueError(f"a tensor of shape {tensor.shape!r:.60}")
        numel = math.prod(tensor.shape)
        reach = sum((n - 1) * s for n, s in zip(tensor.shape, tensor.strides, strict=True))
        self._read_bytes += numel * storage.dtype.itemsize
        # The second condition stops files that repeat one number a billion times.
        if numel and (tensor.offset + reach >= storage.numel or self._read_bytes > 2 * self.size):
            raise ValueError(f"a tensor of shape {tensor.shape!r:.60} larger than its storage")
        if not numel:
            return torch.empty(tensor.shape, dtype=storage.dtype)
        # Weights of an LSTM share a storage, which is read again for each.
        self._storage_bytes += storage.numel * storage.dtype.itemsize
        if self._storage_bytes > _MOST_SHARING * self.size:
            raise ValueError("many tensors in one storage")
        flat = self._records.read(storage)
        return flat.as_strided(tensor.shape, tensor.strides, tensor.offset).contiguous()


class _Records(Protocol):
    """Where the pickle and the storages of a file lie."""

    content: Any

    def read(self, storage: Storage) -> Tensor:
        """Read a whole storage, [numel]."""


class _ZipRecords:
    """The layout since 2020."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        pickles = [name for name in archive.namelist() if name.endswith("/data.pkl")]
        if len(pickles) != 1:
            raise ValueError("a zip archive without a saved object")
        self._folder = pickles[0].removesuffix("/data.pkl")
        order = f"{self._folder}/byteorder"
        if order in archive.namelist():
            with self._open(order, len("little")) as stream:
                if stream.read() != sys.byteorder.encode():
                    raise ValueError("numbers in the byte order of another kind of machine")
        with self._open(pickles[0]) as stream:
            self.content = RestrictedUnpickler(next_program(io.BytesIO(stream.read()))).load()

    def read(self, storage: Storage) -> Tensor:
        """Read one record; zipfile compares its checksum."""
        size = storage.numel * storage.dtype.itemsize
        with self._open(f"{self._folder}/data/{storage.key}", size) as stream:
            return _numbers(stream, storage)

    def _open(self, name: str, most: int | None = None) -> IO[bytes]:
        info = self._archive.getinfo(name)
        # torch never compresses; a compressed record could hold any number of zeros.
        stored = info.compress_type == zipfile.ZIP_STORED and info.file_size == info.compress_size
        if not stored or (most is not None and info.file_size > most):
            raise ValueError(f"the record {name!r:.60} is compressed or too large")
        return self._archive.open(info)


class _LegacyRecords:
    """The layout before 2020."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._places: dict[Any, int] = {}
        # A copy: reading from a file makes room for what an instruction announces, reading from
        # memory only for what there is.
        pickles = io.BytesIO(stream.read(_LEGACY_PICKLES_BYTES))
        if RestrictedUnpickler(next_program(pickles)).load() != _LEGACY_MAGIC:
            raise ValueError("a pickle that torch did not write")
        if RestrictedUnpickler(next_program(pickles)).load() != _LEGACY_VERSION:
            raise ValueError("an unknown version of torch's format")
        if not RestrictedUnpickler(next_program(pickles)).load().get("little_endian", True):
            raise ValueError("numbers in the byte order of another kind of machine")
        unpickler = _LegacyUnpickler(next_program(pickles))
        self.content = unpickler.load()
        keys = RestrictedUnpickler(next_program(pickles)).load()
        stream.seek(pickles.tell())
        for key in keys:
            storage = unpickler.storages[key]
            (numel,) = struct.unpack("<q", stream.read(8))
            if numel != storage.numel:
                raise ValueError(f"a storage of {numel} numbers, {storage.numel} were announced")
            self._places[key] = stream.tell()
            stream.seek(numel * storage.dtype.itemsize, os.SEEK_CUR)

    def read(self, storage: Storage) -> Tensor:
        """Read one storage from its place in the file."""
        self._stream.seek(self._places[storage.key])
        return _numbers(self._stream, storage)


class _LegacyUnpickler(RestrictedUnpickler):
    """Remembers the storages: their element types stand nowhere else."""

    def __init__(self, program: io.BytesIO) -> None:
        super().__init__(program)
        self.storages: dict[Any, Storage] = {}

    def persistent_load(self, pid: Any, /) -> Any:
        storage = super().persistent_load(pid)
        if not isinstance(storage, Storage):
            return storage
        if not isinstance(storage.dtype, torch.dtype) or not is_size(storage.numel):
            raise pickle.UnpicklingError("a storage without type or length")
        return self.storages.setdefault(storage.key, storage)


def _numbers(stream: IO[bytes], storage: Storage) -> Tensor:
    """The next numbers of a stream as a flat tensor that owns its memory."""
    size = storage.numel * storage.dtype.itemsize
    parts = bytearray()
    # In pieces: a file that announces more than it holds must not cost the memory it announces.
    while len(parts) < size:
        part = stream.read(min(size - len(parts), 16 * 2**20))
        if not part:
            raise EOFError("the file ends in the middle of a tensor")
        parts += part
    return torch.frombuffer(parts, dtype=storage.dtype)
