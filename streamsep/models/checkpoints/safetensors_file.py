"""An open file of safetensors: a JSON header, then numbers.

There is nothing in it to execute. safetensors itself compares the header with the length of the
file, so what the header announces is there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from safetensors import safe_open

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

    Attributes:
        metadata: free-form text entries of the header.
        weights: what it offers, by name.
        size: its length in bytes.
    """

    def __init__(self, path: Path) -> None:
        self.size = path.stat().st_size
        # Its type stubs lack most types.
        self._file = cast("Any", safe_open(path, framework="pt"))
        self.metadata: Mapping[str, str] = self._file.metadata() or {}
        self.weights = {name: self._weight(name) for name in self._file.keys()}  # noqa: SIM118

    def __enter__(self) -> SafetensorsFile:
        self._file.__enter__()
        return self

    def __exit__(self, *reason: object) -> None:
        self._file.__exit__(*reason)

    def _weight(self, name: str) -> StoredWeight:
        view = self._file.get_slice(name)
        kind = str(view.get_dtype())

        def read() -> Tensor:
            tensor: Tensor = self._file.get_tensor(name)
            # A copy: the file must be free to be replaced while the network lives.
            return tensor.clone()

        return StoredWeight(tuple(view.get_shape()), _ELEMENT_TYPES.get(kind, kind), read)
