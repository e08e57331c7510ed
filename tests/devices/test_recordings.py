"""Shapes are recorded when they come again, few are kept, and what cannot be is not tried twice."""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from streamsep.devices.recordings import Recordings

if TYPE_CHECKING:
    from streamsep.devices.recordings import Shape


@dataclass
class Tape:
    shape: Shape
    open: bool = True

    def close(self) -> None:
        assert self.open, "closed twice"
        self.open = False


@dataclass
class Recorder:
    """Records what it is asked to, and keeps account of it."""

    tapes: list[Tape] = field(default_factory=list)

    def __call__(self, shape: Shape) -> Tape:
        self.tapes.append(Tape(shape))
        return self.tapes[-1]

    @property
    def open(self) -> list[Shape]:
        return [tape.shape for tape in self.tapes if tape.open]


def one(length: int) -> Shape:
    return (1, 2, length)


def test_a_shape_is_recorded_when_it_is_wanted_again() -> None:
    recorder = Recorder()
    recordings = Recordings(recorder, 4)
    assert recordings.find(one(8)) is None
    tape = recordings.find(one(8))
    assert tape is not None
    assert tape.shape == one(8)
    assert recordings.find(one(8)) is tape
    assert recorder.open == [one(8)]


def test_a_shape_that_is_made_is_there_at_once() -> None:
    recorder = Recorder()
    recordings = Recordings(recorder, 4)
    tape = recordings.make(one(8))
    assert tape is recordings.make(one(8)) is recordings.find(one(8))
    assert len(recorder.tapes) == 1


@given(asked=st.lists(st.integers(1, 9), max_size=60), most=st.integers(1, 5))
def test_the_last_ones_used_are_kept(asked: list[int], most: int) -> None:
    recorder = Recorder()
    recordings = Recordings(recorder, most)
    used: list[Shape] = []
    for length in asked:
        tape = recordings.find(one(length))
        if tape is not None:
            assert tape.open
            used = [shape for shape in used if shape != tape.shape] + [tape.shape]
        assert len(recordings) == len(recorder.open) <= most
        assert sorted(recorder.open) == sorted(used[-most:])
    once = [length for length, count in Counter(asked).items() if count == 1]
    assert not {tape.shape for tape in recorder.tapes} & {one(length) for length in once}
    recordings.close()
    assert recorder.open == []


def test_lengths_that_never_come_again_do_not_pile_up() -> None:
    recordings = Recordings(Recorder(), 3)
    for length in range(1, 1000):
        assert recordings.find(one(length)) is None
    assert len(recordings._seen_once) <= 3


@pytest.mark.parametrize("broken_off", [False, True])
def test_what_cannot_be_recorded_is_tried_once_and_said_once(
    caplog: pytest.LogCaptureFixture, broken_off: bool
) -> None:
    tried = []

    def refuse(shape: Shape) -> Tape:
        tried.append(shape)
        try:
            raise RuntimeError("operation not permitted when stream is capturing\nmore of it")
        finally:
            if broken_off:
                raise RuntimeError("operation failed due to a previous error during capture")

    recordings = Recordings(refuse, 4)
    with caplog.at_level(logging.WARNING):
        assert all(recordings.find(one(length)) is None for length in (8, 8, 8, 9, 9, 9))
    assert tried == [one(8)]
    assert not recordings.possible
    (message,) = caplog.messages
    assert message.endswith("slower: operation not permitted when stream is capturing")


@pytest.mark.parametrize("broken_off", [False, True])
@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory"),
        # What instantiates a graph and what multiplies matrices say it in their own ways.
        torch.AcceleratorError("CUDA error: out of memory"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        MemoryError("for an input of a program"),
    ],
    ids=["torch", "CUDA", "cuBLAS", "a program"],
)
def test_one_shape_that_is_too_large_does_not_spoil_the_others(
    caplog: pytest.LogCaptureFixture, error: Exception, broken_off: bool
) -> None:
    recorder = Recorder()
    tried = []

    def record(shape: Shape) -> Tape:
        tried.append(shape)
        if shape[0] < 8:
            return recorder(shape)
        try:
            raise error
        finally:
            if broken_off:
                raise RuntimeError("capture failed")

    recordings = Recordings(record, 4)
    with caplog.at_level(logging.WARNING):
        assert recordings.make((8, 2, 64)) is None
        assert recordings.make((8, 2, 64)) is None
        assert recordings.make((4, 2, 64)) is not None
    assert tried == [(8, 2, 64), (4, 2, 64)]
    assert recordings.possible
    (message,) = caplog.messages
    assert "no memory on the device to record segments of shape [8, 2, 64]" in message


def test_errors_of_another_kind_are_not_hidden() -> None:
    def mistake(shape: Shape) -> Tape:
        raise TypeError("a bug")

    with pytest.raises(TypeError, match="a bug"):
        Recordings(mistake, 4).make(one(8))
