"""Segments of one file beside each other, where the network is small and each has a processor."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import torch
from networks import random_network

from offline.material import noise, read, tiny_model, write
from streamsep.files import Encoding
from streamsep.models.file_segments import segments_at_once
from streamsep.models.tuned import TunedHybridDemucs
from streamsep.offline import SeparationOptions, separate_file

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from torch import Tensor

    from streamsep.models import LoadedModel

pytestmark = pytest.mark.skipif(
    not torch.backends.mkldnn.is_available(), reason="this torch has no oneDNN"
)

SEGMENT = 16_384
PATIENCE_S = 20


@pytest.fixture(autouse=True)
def processors() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def tuned() -> TunedHybridDemucs:
    return TunedHybridDemucs(random_network(hidden=8).requires_grad_(False), torch.float32)


def small_model() -> LoadedModel:
    return replace(tiny_model(SEGMENT), separator=tuned())


def test_two_segments_of_one_file_are_under_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    meeting = threading.Barrier(2, timeout=PATIENCE_S)
    separate = TunedHybridDemucs.__call__
    had: list[int] = []

    def meet(self: TunedHybridDemucs, mix: Tensor) -> Tensor:
        if len(had) < 4:  # the last segment of a file is alone
            had.append(torch.get_num_threads())
            meeting.wait()
        return separate(self, mix)

    monkeypatch.setattr(TunedHybridDemucs, "__call__", meet)
    song = write(tmp_path / "song.wav", noise(2, 12 * SEGMENT))

    separate_file(song, small_model(), tmp_path / "out")

    assert had == [1] * 4


def test_stems_are_the_same_as_with_one_after_the_other(tmp_path: Path) -> None:
    song = write(tmp_path / "song.wav", noise(2, 9 * SEGMENT + 1_000))
    options = SeparationOptions(encoding=Encoding(samples="float32"))

    beside = separate_file(song, small_model(), tmp_path / "beside", options)
    torch.set_num_threads(1)
    after = separate_file(song, small_model(), tmp_path / "after", options)

    for stem, path in beside.stems.items():
        assert torch.equal(read(path), read(after.stems[stem]))


@pytest.mark.parametrize("threads", [1, 3])
def test_threads_that_cannot_be_halved_compute_one_at_a_time(threads: int) -> None:
    torch.set_num_threads(threads)

    assert segments_at_once(tuned(), SEGMENT) == 1


def test_segments_that_take_much_memory_are_computed_one_at_a_time() -> None:
    network = tuned()
    longer = SEGMENT

    while segments_at_once(network, longer) > 1:
        longer *= 2

    assert network.skips(longer // 2) <= 9_000_000 < network.skips(longer)


def test_memory_of_skips_grows_with_the_segment() -> None:
    network = tuned()

    assert network.skips(4 * SEGMENT) == pytest.approx(4 * network.skips(SEGMENT))


def test_networks_that_are_not_arranged_for_the_processor_take_one_at_a_time() -> None:
    assert segments_at_once(random_network(hidden=8), SEGMENT) == 1
