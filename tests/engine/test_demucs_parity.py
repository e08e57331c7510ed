"""Separating a file equals what demucs makes of it, with the same weights."""

from __future__ import annotations

from importlib.util import find_spec

import pytest
from networks import demucs_twin, random_network
from streams import feed, noise
from support import require

from streamsep.engine import OverlapConfig, StreamingSeparator

SECONDS = 0.375  # 16,537 samples at 44.1 kHz: odd, and off every grid


@pytest.fixture(scope="module")
def networks():
    require(find_spec("demucs"), "demucs is not installed")
    ours = random_network(hidden=8)
    return ours, demucs_twin(ours)


def demucs_file(theirs, mix, **options):
    from demucs.apply import apply_model

    return apply_model(theirs, mix[None], split=True, shifts=0, segment=SECONDS, **options)[0]


@pytest.mark.parametrize("length", [100, 5_000, 16_537, 16_538, 25_000, 49_700])
def test_a_file_of_any_length_equals_demucs(networks, length):
    ours, theirs = networks
    mix = noise(2, length)
    expected = demucs_file(theirs, mix, overlap=0.25)
    stream = StreamingSeparator(ours, OverlapConfig(segment=int(44_100 * SECONDS), overlap=0.25))
    difference = feed(stream, mix, [7_000]) - expected
    assert difference.abs().max() <= 1e-5 * expected.square().mean().sqrt()


@pytest.mark.parametrize(("overlap", "power"), [(0.0, 1.0), (0.6, 1.0), (0.25, 3.0)])
def test_other_overlaps_and_transitions_equal_demucs(networks, overlap, power):
    ours, theirs = networks
    mix = noise(2, 30_000)
    expected = demucs_file(theirs, mix, overlap=overlap, transition_power=power)
    config = OverlapConfig(segment=int(44_100 * SECONDS), overlap=overlap, transition_power=power)
    difference = feed(StreamingSeparator(ours, config), mix, [7_000]) - expected
    assert difference.abs().max() <= 1e-5 * expected.square().mean().sqrt()
