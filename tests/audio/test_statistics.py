"""The first pass over a track."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from streams import blocks, cuts, noise

from streamsep.audio.statistics import measure


@given(st.integers(1, 6), st.integers(2, 5_000), st.floats(-10.0, 10.0), cuts)
def test_mean_and_deviation_are_those_of_the_whole_however_cut(
    channels: int, length: int, centre: float, sizes: list[int]
) -> None:
    mix = noise(channels, length) + centre
    found = measure(blocks(mix, sizes))
    mono = mix.double().mean(0)
    assert found.frames == length
    assert found.mean == pytest.approx(float(mono.mean()), abs=1e-6)
    assert found.deviation == pytest.approx(float(mono.std()), rel=1e-4, abs=2e-8)


@pytest.mark.parametrize(
    "mix", [torch.zeros(2, 1_000), torch.full((2, 1_000), 0.3), torch.ones(1, 1), -noise(1, 1)]
)
def test_where_nothing_deviates_nothing_is_scaled(mix: torch.Tensor) -> None:
    assert measure([mix]).deviation == 1.0


def test_a_quiet_track_is_not_taken_for_a_constant_one() -> None:
    mix = noise(2, 10_000, level=1e-6)
    assert measure([mix]).deviation == pytest.approx(float(mix.mean(0).std()) + 1e-8, rel=1e-3)


def test_samples_that_are_not_finite_count_as_silence() -> None:
    mix = noise(2, 1_000)
    silent = mix.clone()
    mix[:, ::7], silent[:, ::7] = torch.inf, 0.0
    assert measure([mix]) == measure([silent])
