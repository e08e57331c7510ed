"""Separators that want to know what lies around a segment are given it, in files."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
import torch
from fakes import FakeSeparator
from hypothesis import given, settings
from hypothesis import strategies as st
from streams import cuts, feed, noise, one_push
from torch import Tensor

from streamsep.engine import (
    NormalisedSeparator,
    OverlapConfig,
    StreamConfig,
    StreamingSeparator,
    SurroundedSeparator,
)

LIVE = StreamConfig(context=40, hop=16, look_ahead=16, crossfade=8)


@dataclass(frozen=True, kw_only=True)
class Smoothing(FakeSeparator):
    """The mean of the samples around every sample, silence where it is told of none."""

    sample_rate: int = 1_000
    reach: int = 9
    heard: list[tuple[int, int, int]] = field(default_factory=list)

    @property
    def surroundings(self) -> int:
        return self.reach

    def __call__(self, mix: Tensor) -> Tensor:
        return self.separate_within(mix, 0, mix.shape[-1])

    def separate_within(self, mix: Tensor, start: int, length: int) -> Tensor:
        self.heard.append((mix.shape[-1], start, length))
        padded = torch.nn.functional.pad(mix, (self.reach, self.reach))
        part = padded[..., start : start + length + 2 * self.reach]
        smooth = part.unfold(-1, 2 * self.reach + 1, 1).mean(-1)
        return torch.stack([smooth * (k + 1) for k in range(len(self.sources))], dim=1)


@settings(max_examples=40)
@given(
    length=st.integers(0, 400),
    sizes=cuts,
    segment=st.integers(2, 90),
    overlap=st.sampled_from([0.0, 0.25, 0.5]),
    reach=st.sampled_from([1, 9, 60]),
)
def test_a_file_is_as_if_it_were_one_segment(length, sizes, segment, overlap, reach):
    separator = Smoothing(reach=reach)
    mix = noise(2, length)
    stream = StreamingSeparator(separator, OverlapConfig(segment=segment, overlap=overlap))
    stems = feed(stream, mix, sizes)
    assert stems.shape == (4, 2, length)
    if length:
        torch.testing.assert_close(stems, separator(mix[None])[0], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("shifts", [0, 2])
def test_silence_around_a_song_is_at_its_own_level(shifts):
    plain = Smoothing()
    normalised = NormalisedSeparator(plain, mean=0.25, deviation=0.5)
    mix = noise(2, 300) + 0.25
    stream = StreamingSeparator(normalised, OverlapConfig(segment=50), shifts=shifts)
    expected = 0.5 * plain((mix[None] - 0.25) / 0.5)[0] + 0.25
    torch.testing.assert_close(one_push(stream, mix), expected, rtol=1e-4, atol=1e-6)


def test_a_separator_hears_no_more_than_there_is():
    separator = Smoothing(reach=30)
    one_push(StreamingSeparator(separator, OverlapConfig(segment=40)), noise(2, 100))
    # Segments of 40 every 30, the last of them shorter; 30 samples around each, while there are.
    assert separator.heard == [(70, 0, 40), (100, 30, 40), (100 - 30, 30, 40), (40, 30, 10)]


def test_live_streams_do_not_wait_for_surroundings():
    separator = Smoothing()
    stream = StreamingSeparator(separator, LIVE)
    assert stream.latency == LIVE.latency
    one_push(stream, noise(2, 100))
    assert set(separator.heard) == {(LIVE.segment, 0, LIVE.segment)}


def test_the_protocol_tells_who_wants_to_know():
    assert isinstance(Smoothing(), SurroundedSeparator)
    assert not isinstance(FakeSeparator(), SurroundedSeparator)


@pytest.mark.parametrize("refinement", ["off", "wiener"])
def test_a_stream_that_was_flushed_is_as_new(refinement):
    stream = StreamingSeparator(Smoothing(), OverlapConfig(segment=50), refinement=refinement)
    mix = noise(2, 180)
    assert torch.equal(one_push(stream, mix), one_push(stream, mix))
