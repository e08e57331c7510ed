"""A lack of memory is known by what an error says, whoever raises it."""

from __future__ import annotations

import errno

import pytest
import torch

from streamsep.devices.availability import unusable_in_one_line
from streamsep.devices.out_of_memory import is_out_of_memory
from streamsep.errors import ConfigError, InputError, ModelError


class ForeignError(Exception):
    """As onnxruntime's: of no class that torch or Python would raise."""


LACKS = {
    "Python": MemoryError(),
    "CUDA": torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"),
    "torch on the processor": RuntimeError("DefaultCPUAllocator: can't allocate memory"),
    "another library": ForeignError("RUNTIME_EXCEPTION : Failed to allocate memory for a buffer"),
    "C++ by way of another library": ForeignError("Non-zero status code: std::bad_alloc"),
    "the system": OSError(errno.ENOMEM, "Cannot allocate memory"),
}
OTHERS = {
    "a bug": RuntimeError("size of tensor a must match the size of tensor b"),
    "another library's": ForeignError("the input has an unexpected rank"),
    "a full disk": OSError(errno.ENOSPC, "No space left on device"),
    "a file of that name": InputError("'Out Of Memory.flac' is no audio file"),
    "a missing file of that name": FileNotFoundError(errno.ENOENT, "missing", "Out Of Memory.flac"),
}


@pytest.mark.parametrize("who", LACKS)
def test_a_lack_of_memory_is_known_whoever_raises_it(who: str) -> None:
    assert is_out_of_memory(LACKS[who])


@pytest.mark.parametrize("who", LACKS)
def test_a_lack_of_memory_is_known_under_another_error(who: str) -> None:
    wrapped = ModelError("the program fails")
    wrapped.__cause__ = LACKS[who]
    assert is_out_of_memory(wrapped)


@pytest.mark.parametrize("what", OTHERS)
def test_other_errors_are_no_lack_of_memory(what: str) -> None:
    assert not is_out_of_memory(OTHERS[what])


def test_a_device_whose_memory_is_full_is_told_from_one_that_is_not_there() -> None:
    with (
        pytest.raises(ConfigError, match="device 'cpu' has no memory left for this network; "),
        unusable_in_one_line("cpu"),
    ):
        torch.empty(2**60)
    with (
        pytest.raises(ConfigError, match="device 'cuda:63' cannot be used here: "),
        unusable_in_one_line("cuda:63"),
    ):
        torch.empty(1, device="cuda:63")
