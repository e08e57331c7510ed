"""Reads pickles without trusting them.

A pickle is a small program: it names functions, and the unpickler calls them with arguments that
the file also holds. Whoever may choose the functions owns the machine. Here the file may name only
what stands in `RestrictedUnpickler.find_class`: containers, element types, the two functions that
describe a tensor, and the classes of networks. None of the last three is the real thing: a tensor
becomes a `StoredTensor`, which says where its numbers lie in the file, and a class becomes a
`ForeignClass`, which only knows its name.
"""

from __future__ import annotations

import io
import pickle
import pickletools
from collections import OrderedDict
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

import torch

from streamsep.errors import CheckpointError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "ForeignClass",
    "RestrictedUnpickler",
    "Storage",
    "StoredTensor",
    "is_size",
    "next_program",
]

_MOST_OBJECTS = 10**6

_STORAGES = {
    "DoubleStorage": torch.float64,
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}
_CONTAINERS: dict[tuple[str, str], Callable[..., Any]] = {
    ("collections", "OrderedDict"): OrderedDict,
    ("torch", "Size"): tuple,
    **{
        (module, kind.__name__): kind
        for module in ("builtins", "__builtin__")
        for kind in (set, frozenset, dict, list, tuple)
    },
}
_NETWORK_PACKAGE = "demucs."


@dataclass(frozen=True, slots=True)
class Storage:
    """A row of numbers in the file: its key, what they are and how many."""

    key: Any
    dtype: Any
    numel: Any


@dataclass(frozen=True, slots=True)
class StoredTensor:
    """A tensor still in the file. Nothing in it has been checked but by `TorchFile.read`."""

    storage: Any
    offset: Any
    shape: Any
    strides: Any


class ForeignClass:
    """Stands for a class that the file names; knows nothing but the name."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(self, *_: object) -> ForeignClass:
        """Stand for an object of the class as well."""
        return self

    def __setstate__(self, state: object) -> None:
        """Refuse what the file wants to put into the class."""


class _Describer:
    """A function that the file may call, and not change.

    Pickle's BUILD instruction sets attributes of whatever it is given, functions included.
    """

    __slots__ = ("_function",)

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function

    def __call__(self, *arguments: object) -> object:
        return self._function(*arguments)

    def __setstate__(self, state: object) -> None:
        raise pickle.UnpicklingError("the file tries to change a function")


class RestrictedUnpickler(pickle.Unpickler):
    """Knows containers and descriptions of tensors; refuses every other name."""

    def find_class(self, module: str, name: str, /) -> Any:
        """What the file gets when it asks for a name.

        Raises:
            CheckpointError: weights have no need for this name.
        """
        if module in ("torch", "torch.storage") and name in _STORAGES:
            return _STORAGES[name]
        # Not getattr: torch imports whole packages when some of its names are asked for.
        if module == "torch" and isinstance(vars(torch).get(name), torch.dtype):
            return vars(torch)[name]
        if module == "torch._utils" and name in ("_rebuild_tensor", "_rebuild_tensor_v2"):
            return _Describer(_describe_tensor)
        if module == "torch._utils" and name == "_rebuild_parameter":
            return _Describer(_describe_parameter)
        if (module, name) in _CONTAINERS:
            return _CONTAINERS[module, name]
        if module.startswith(_NETWORK_PACKAGE) or (module, name) == ("fractions", "Fraction"):
            return ForeignClass(f"{module}.{name}")
        raise CheckpointError(
            f"the file wants to use {module}.{name}, which weights have no need for; it was not "
            "run. Load files only from people you trust"
        )

    def persistent_load(self, pid: Any, /) -> Any:
        """What the file gets when it refers to something outside the pickle: a storage."""
        if pid[0] == "module":
            # The old layout keeps the source code of a class beside it; only the class matters.
            return pid[1]
        kind, dtype, key, _location, numel, *view = pid
        if kind != "storage" or any(part is not None for part in view):
            raise pickle.UnpicklingError(f"unknown kind of storage {kind!r}")
        return Storage(key, dtype, numel)


def next_program(stream: IO[bytes]) -> io.BytesIO:
    """Cut the next pickle out of a stream, after looking through its instructions.

    Raises:
        ValueError: an instruction costs more memory than any weights need. The unpickler's table
            of remembered objects is as long as the largest index used, whatever it holds.
    """
    start = stream.tell()
    for instruction, argument, _ in pickletools.genops(stream):
        remembers = instruction.name in ("PUT", "BINPUT", "LONG_BINPUT")
        if (remembers and (argument or 0) > _MOST_OBJECTS) or instruction.name == "BYTEARRAY8":
            raise ValueError(f"a pickle with {instruction.name} {argument!r:.20}")
    end = stream.tell()
    stream.seek(start)
    return io.BytesIO(stream.read(end - start))


def _describe_tensor(
    storage: object, offset: object, shape: object, strides: object, *_: object
) -> StoredTensor:
    return StoredTensor(storage, offset, shape, strides)


def _describe_parameter(tensor: object, *_: object) -> object:
    return tensor


def is_size(value: object) -> bool:
    """Whether a value from the file can be a number of things that fit into a memory."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**48
