"""An open file of safetensors: a JSON header, then numbers.

There is nothing in it to execute. safetensors itself compares the header with the length of the
file, so what the header announces is there.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast

import torch
from safetensors import safe_open

from streamsep.errors import CheckpointError
from streamsep.models.checkpoints.assembly import StoredWeight

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from torch import Tensor

__all__ = ["SafetensorsFile"]

_ELEMENT_TYPES = {
    "F64": "float64",
    "F32": "float32",
    "F16": "float16",
    "BF16": "bfloat16",
    "I64": "int64",
    "I32": "int32",
    "I16": "int16",
    "I8": "int8",
    "U8": "uint8",
    "BOOL": "bool",
}


class SafetensorsFile:
    """An open file; a context manager that closes it.

    Args:
        path: the file. A damaged one raises what safetensors raises.

    Raises:
        CheckpointError: its path is one that safetensors cannot open.

    Attributes:
        metadata: free-form text entries of the header.
        weights: what it offers, by name.
        size: its length in bytes.
    """

    def __init__(self, path: Path) -> None:
        _check_path(path)
        self.size = path.stat().st_size
        # Its type stubs lack most types.
        self._file = cast("Any", safe_open(path, framework="pt"))
        self.metadata: Mapping[str, str] = self._file.metadata() or {}
        # Numbers are read, not mapped: mapped ones would stay in memory beside their copies.
        self._bytes = path.open("rb")
        length = int.from_bytes(self._bytes.read(8), "little")
        self._header = json.loads(self._bytes.read(length))
        self._begin = 8 + length
        self.weights = {name: self._weight(name) for name in self._file.keys()}  # noqa: SIM118

    def __enter__(self) -> SafetensorsFile:
        self._file.__enter__()
        return self

    def __exit__(self, *reason: object) -> None:
        self._bytes.close()
        self._file.__exit__(*reason)

    def _weight(self, name: str) -> StoredWeight:
        view = self._file.get_slice(name)
        kind = str(view.get_dtype())

        shape = tuple(view.get_shape())

        def read() -> Tensor:
            if kind not in _ELEMENT_TYPES:
                return cast("Tensor", self._file.get_tensor(name).clone())
            tensor = torch.empty(shape, dtype=getattr(torch, _ELEMENT_TYPES[kind]))
            self._bytes.seek(self._begin + self._header[name]["data_offsets"][0])
            numbers = tensor.reshape(-1).view(torch.uint8).numpy()
            if self._bytes.readinto(memoryview(numbers.data)) != numbers.size:
                raise CheckpointError(f"{name} ends early, the file was cut while it was read")
            return tensor

        return StoredWeight(shape, _ELEMENT_TYPES.get(kind, kind), read)


def _check_path(path: Path) -> None:
    """Safetensors takes paths as text only; its own error would blame the file."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        raise CheckpointError(
            "its path is not UTF-8, which safetensors cannot open; rename the file or its folder"
        ) from None
