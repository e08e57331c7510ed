"""The figure by which stems are judged."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from streamsep.audio.nsdr import nsdr_db


@pytest.fixture
def stem() -> torch.Tensor:
    return torch.randn(2, 44_100, generator=torch.Generator().manual_seed(3))


def test_silence_scores_zero(stem):
    assert nsdr_db(stem, torch.zeros_like(stem)) == pytest.approx(0.0, abs=1e-9)


def test_an_error_of_a_tenth_scores_twenty(stem):
    assert nsdr_db(stem, stem * 1.1) == pytest.approx(20.0, abs=1e-4)


def test_a_mixture_of_equals_scores_zero(stem):
    assert nsdr_db(stem, stem + stem.flip(-1)) == pytest.approx(0.0, abs=1e-6)


def test_silence_found_in_silence_is_finite():
    nothing = torch.zeros(2, 100)
    assert nsdr_db(nothing, nothing) == 0.0


@given(gain=st.floats(0.01, 100))
def test_level_does_not_matter(gain):
    stem = torch.sin(torch.arange(20_000) / 7).repeat(2, 1)
    estimate = stem + 0.3 * torch.cos(torch.arange(20_000) / 11)
    assert nsdr_db(stem * gain, estimate * gain) == pytest.approx(nsdr_db(stem, estimate), abs=1e-2)
