"""Spectrograms lose nothing and lie on the grid that they promise."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from streams import noise

from streamsep.models.spectrogram import (
    AlignedSpectrogram,
    CentredSpectrogram,
    OldAlignedSpectrogram,
)

N_FFT = 256
HOP = N_FFT // 4
lengths = st.integers(1, 20 * HOP)


def tone(length):
    """A tone far from the highest bin, which spectrograms here do without."""
    return torch.sin(2 * torch.pi * 0.07 * torch.arange(length)).expand(1, 2, -1)


@pytest.mark.parametrize(
    ("kind", "late", "edge"),
    [
        (AlignedSpectrogram, 0, N_FFT // 2),
        (OldAlignedSpectrogram, N_FFT // 8 * 3, N_FFT // 2),
        (CentredSpectrogram, 0, 0),
    ],
)
@given(length=st.integers(2 * N_FFT, 4 * N_FFT))
@settings(max_examples=20)
def test_the_inverse_gives_the_waveform_back(kind, late, edge, length):
    # At the edges, frames that the aligned ones do without are missing; the old padding is late.
    spectrogram = kind(N_FFT)
    x = tone(length)
    again = spectrogram.synthesise(spectrogram.analyse(x), length)
    assert again.shape == x.shape
    difference = again[..., late:] - x[..., : length - late]
    assert difference[..., edge : length - late - edge].abs().max() < 2e-3


@pytest.mark.parametrize("kind", [AlignedSpectrogram, OldAlignedSpectrogram, CentredSpectrogram])
@pytest.mark.parametrize("length", [1, 2, HOP, N_FFT // 2, N_FFT // 2 + 1, N_FFT])
def test_short_waveforms_have_spectrograms_too(kind, length):
    spectrogram = kind(N_FFT)
    again = spectrogram.synthesise(spectrogram.analyse(tone(length)), length)
    assert again.shape == (1, 2, length)
    assert torch.isfinite(again).all()


@given(length=lengths)
def test_aligned_frames_are_one_for_every_hop_begun(length):
    x = noise(1, length)[None]
    for kind in (AlignedSpectrogram, OldAlignedSpectrogram):
        assert kind(N_FFT).analyse(x).shape == (1, 1, N_FFT // 2, -(-length // HOP))
    assert CentredSpectrogram(N_FFT).analyse(x).shape == (1, 1, N_FFT // 2, 1 + length // HOP)


@pytest.mark.parametrize(
    ("kind", "offset"),
    [(AlignedSpectrogram, HOP // 2), (OldAlignedSpectrogram, HOP // 2), (CentredSpectrogram, 0)],
)
def test_a_click_is_loudest_in_the_frame_around_it(kind, offset):
    for frame in range(3, 12):
        x = torch.zeros(1, 1, 16 * HOP)
        x[..., frame * HOP + offset] = 1.0
        power = kind(N_FFT).analyse(x).abs().square().sum(dim=-2)
        assert int(power.argmax()) == frame


def test_energy_is_kept():
    x = noise(1, 200 * HOP)[None]
    z = AlignedSpectrogram(N_FFT).analyse(x)
    # Half of the bins, a window of mean square 3/8, four frames for each sample.
    energy = 2 * z.abs().square().sum() / (4 * 3 / 8)
    assert float(energy / x.square().sum()) == pytest.approx(1.0, abs=0.05)
