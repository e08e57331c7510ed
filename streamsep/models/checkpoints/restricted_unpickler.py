"""Reads pickles without trusting them.

A pickle is a small program: it names functions, and the unpickler calls them with arguments that
the file also holds. Whoever may choose the functions owns the machine. Here the file may name only
what stands in `RestrictedUnpickler.find_class`: containers, element types, the two functions that
describe a tensor, and the classes of networks. None of the last three is the real thing: a tensor
becomes a `StoredTensor`, which says where its numbers lie in the file, and a class becomes a
`ForeignClass`, which only knows its name.

Time and memory are resources too. A few instructions that fetch one object again and again can
make a billion of it: by copying it, or by nesting it so that its hash is never found. So nothing
that the file may call copies its argument more than once, and `next_program` counts instructions
before the first of them runs.
"""

from __future__ import annotations

import io
import pickle
import pickletools
from dataclasses import dataclass
from fractions import Fraction
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
_MOST_FETCHES = 24
_REMEMBER = ("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE")
_FETCH = ("GET", "BINGET", "LONG_BINGET")
_WHOLE = ("GLOBAL", "STACK_GLOBAL", "UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8")

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
_NETWORK_PACKAGES = ("demucs.", "diffq.")


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
    """Knows containers and descriptions of tensors; refuses every other name.

    Args:
        program: the pickle, as `next_program` returns it.
    """

    def __init__(self, program: io.BytesIO) -> None:
        super().__init__(program)
        self._bytes_left = len(program.getbuffer())
        self._functions: dict[tuple[str, str], Callable[..., Any]] = {
            ("torch._utils", "_rebuild_tensor"): _describe_tensor,
            ("torch._utils", "_rebuild_tensor_v2"): _describe_tensor,
            ("torch._utils", "_rebuild_parameter"): _first,
            ("torch", "Size"): _first,
            ("builtins", "set"): _first,
            ("__builtin__", "set"): _first,
            ("collections", "OrderedDict"): _empty_dictionary,
            ("_codecs", "encode"): self._encode,
            ("fractions", "Fraction"): _fraction,
        }

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
        if (module, name) in self._functions:
            return _Describer(self._functions[module, name])
        if module.startswith(_NETWORK_PACKAGES):
            return ForeignClass(f"{module}.{name}")
        raise CheckpointError(
            f"the file wants to use {module:.60}.{name:.60}, which weights have no need for; it "
            "was not run. Load files only from people you trust"
        )

    def persistent_load(self, pid: Any, /) -> Any:
        """What the file gets when it refers to something outside the pickle: a storage."""
        if pid[0] == "module":
            # The old layout keeps the source code of a class beside it; only the class matters.
            return pid[1]
        kind, dtype, key, _location, numel, *view = pid
        if kind != "storage" or not isinstance(key, str) or any(part is not None for part in view):
            raise pickle.UnpicklingError("an unknown kind of storage")
        return Storage(key, dtype, numel)

    def _encode(self, text: str, encoding: str) -> bytes:
        """Make bytes of text, which is how old pickles hold them."""
        self._bytes_left -= len(text)
        if encoding != "latin1" or self._bytes_left < 0:
            raise pickle.UnpicklingError("the same text is used as bytes again and again")
        return text.encode(encoding)


def next_program(stream: IO[bytes]) -> io.BytesIO:
    """Cut the next pickle out of a stream, after looking through its instructions.

    Raises:
        ValueError: the instructions cost more memory or time than any weights need. The
            unpickler's table of remembered objects is as long as the largest index used; and what
            has parts, remembered and fetched twice to make the next of its kind, doubles.
    """
    start = stream.tell()
    memory: dict[int, bool] = {}  # index: whether what lies there has parts
    last, instructions, fetches = "", 0, 0
    for instructions, (opcode, argument, _) in enumerate(pickletools.genops(stream), start=1):
        name = opcode.name
        if name in _REMEMBER:
            index = len(memory) if name == "MEMOIZE" else argument or 0
            if index > _MOST_OBJECTS:
                raise ValueError(f"a pickle with {name} {argument!r:.20}")
            memory[index] = last not in _WHOLE
        elif name in _FETCH:
            fetches += memory.get(argument or 0, True)
        elif name in ("BYTEARRAY8", "DUP"):
            raise ValueError(f"a pickle with {name}")
        if instructions > _MOST_OBJECTS or fetches > _MOST_FETCHES:
            raise ValueError("a pickle with more instructions, or more of one thing, than weights")
        last = name
    end = stream.tell()
    stream.seek(start)
    return io.BytesIO(stream.read(end - start))


def _describe_tensor(
    storage: object, offset: object, shape: object, strides: object, *_: object
) -> StoredTensor:
    return StoredTensor(storage, offset, shape, strides)


def _first(value: object, *_: object) -> object:
    """Stand for a function that wraps its first argument in something of no interest."""
    return value


class _Dictionary(dict[Any, Any]):
    """Stands for an ordered dictionary, to which torch and a file may attach what they like."""

    def __setstate__(self, state: object) -> None:
        """Drop the attachment."""


def _empty_dictionary() -> _Dictionary:
    return _Dictionary()


def _fraction(*parts: Any) -> Fraction:
    """A fraction, pickled as text by older Pythons and as two numbers by newer ones."""
    numbers = str(parts[0]).split("/") if len(parts) == 1 else parts
    if not 1 <= len(numbers) <= 2 or any(len(str(number)) > 12 for number in numbers):
        raise pickle.UnpicklingError("a fraction of other than two numbers")
    return Fraction(*map(int, numbers))


def is_size(value: object) -> bool:
    """Whether a value from the file can be a number of things that fit into a memory."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**48
