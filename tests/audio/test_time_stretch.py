"""Tempo and pitch change each by itself."""

from __future__ import annotations

import builtins
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from support import require

from streamsep.audio.time_stretch import require_time_stretch, time_stretch
from streamsep.errors import MissingToolError

RATE = 44_100


@pytest.fixture(scope="module")
def stretching() -> None:
    try:
        require_time_stretch()
    except MissingToolError as missing:
        require(False, str(missing))


def tone(frequency: float, length: int) -> torch.Tensor:
    """A mono sine at half scale, float32 [1, length]."""
    time = torch.arange(length, dtype=torch.float64) / RATE
    return (0.5 * torch.sin(2 * math.pi * frequency * time)).float()[None]


def strongest_frequency(sound: torch.Tensor) -> float:
    spectrum = torch.fft.rfft(sound[0] * torch.hann_window(sound.shape[-1])).abs()
    return float(spectrum.argmax()) * RATE / sound.shape[-1]


@settings(max_examples=20)
@given(
    channels=st.integers(1, 3),
    length=st.integers(1, 6_000),
    tempo=st.floats(0.7, 1.4),
    semitones=st.integers(-4, 4),
)
def test_the_length_follows_the_tempo(stretching, channels, length, tempo, semitones):
    sound = torch.randn(channels, length)
    before = sound.clone()
    stretched = time_stretch(sound, RATE, tempo=tempo, semitones=semitones)
    assert stretched.shape[0] == channels
    assert stretched.shape[1] == pytest.approx(length / tempo, abs=0.51)
    assert stretched.dtype == torch.float32
    assert torch.isfinite(stretched).all()
    assert torch.equal(sound, before)


@pytest.mark.parametrize(("tempo", "semitones"), [(1.1, 0), (0.9, 2), (1.0, -3), (1.1, 1.5)])
def test_the_pitch_follows_the_semitones_alone(stretching, tempo, semitones):
    changed = time_stretch(tone(1_000, 30_000), RATE, tempo=tempo, semitones=semitones)
    middle = changed[:, 5_000:-5_000]
    assert strongest_frequency(middle) == pytest.approx(1_000 * 2 ** (semitones / 12), abs=3)
    assert float(middle.square().mean().sqrt()) == pytest.approx(0.5 / math.sqrt(2), rel=0.05)


@pytest.mark.parametrize("tempo", [0.85, 1.15])
def test_what_happens_at_t_happens_at_t_over_tempo(stretching, tempo):
    click = torch.zeros(1, 40_000)
    click[:, 20_000:20_040] = torch.hann_window(40)
    changed = time_stretch(click, RATE, tempo=tempo)
    centre = (changed.square() * torch.arange(changed.shape[-1])).sum() / changed.square().sum()
    assert float(centre) == pytest.approx(20_020 / tempo, abs=60)


def test_silence_stays_silent_and_nothing_to_do_is_nothing_done(stretching):
    assert not time_stretch(torch.zeros(2, 9_000), RATE, tempo=1.1, semitones=1).any()
    sound = torch.randn(2, 500)
    same = time_stretch(sound, RATE)
    assert torch.equal(same, sound)
    assert same.data_ptr() != sound.data_ptr()


def test_a_missing_library_is_named_with_what_installs_it(monkeypatch):
    importing = builtins.__import__

    def refuse(name, *args, **kwargs):
        if name.startswith("python_stretch"):
            raise ModuleNotFoundError(name)
        return importing(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(MissingToolError, match=r"python-stretch.*uv sync .*--extra training"):
        require_time_stretch()
