"""The Wiener filter computes what its formulas say and what Open-Unmix computes."""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from support import require
from torch import Tensor

from streamsep.models.wiener import wiener_filter

NOISE = 1e-10
SINGLE = 1e-6  # Open-Unmix knows π in single precision only


def spectra(
    channels: int = 2, bins: int = 9, frames: int = 20, batch: int = 1, *, seed: int = 0
) -> tuple[Tensor, Tensor]:
    """Magnitudes of three stems and a mixture, in double precision."""
    generator = torch.Generator().manual_seed(seed)
    like = {"generator": generator, "dtype": torch.float64}
    magnitudes = torch.rand(batch, 3, channels, bins, frames, **like)
    parts = torch.randn(batch, channels, bins, frames, 2, **like)
    return magnitudes, torch.view_as_complex(parts)


def demucs_filter(magnitudes: Tensor, mixture: Tensor, iterations: int, residual: bool) -> Tensor:
    """Open-Unmix's, which comes with demucs, one example at a time; it changes its arguments."""
    from demucs.wiener import wiener

    stems = magnitudes.shape[1]
    examples = [
        torch.view_as_complex(
            wiener(
                magnitude.permute(3, 2, 1, 0),
                torch.view_as_real(mix.permute(2, 1, 0)).clone(),
                iterations,
                residual=residual,
            )
            .transpose(-1, -2)
            .contiguous()
        ).permute(3, 2, 1, 0)[:stems]
        for magnitude, mix in zip(magnitudes, mixture, strict=True)
    ]
    return torch.stack(examples)


def by_the_formulas(magnitudes: np.ndarray, mixture: np.ndarray, iterations: int) -> np.ndarray:
    """The formulas of the module for one block of one example, bin by bin and frame by frame."""
    scale = max(1.0, np.abs(mixture).max() / 10)
    mixture = mixture / scale
    estimates = magnitudes / scale * np.exp(1j * np.angle(mixture))
    stems, channels, bins, frames = estimates.shape
    for _ in range(iterations):
        refined = np.empty_like(estimates)
        power = (np.abs(estimates) ** 2).mean(1)
        for f in range(bins):
            covariances = [
                sum(np.outer(y[:, f, n], y[:, f, n].conj()) for n in range(frames))
                / (NOISE + v[f].sum())
                for y, v in zip(estimates, power, strict=True)
            ]
            for n in range(frames):
                whole = NOISE**0.5 * np.eye(channels) + sum(
                    power[s, f, n] * covariances[s] for s in range(stems)
                )
                filtered = np.linalg.solve(whole, mixture[:, f, n])
                for s in range(stems):
                    refined[s, :, f, n] = power[s, f, n] * covariances[s] @ filtered
        estimates = refined
    return estimates * scale


def assert_equal(ours: Tensor, theirs: Tensor, tolerance: float = 1e-10) -> None:
    assert ours.shape == theirs.shape
    assert float((ours - theirs).abs().max() / theirs.abs().max()) <= tolerance


@pytest.mark.parametrize("channels", [1, 2, 3, 5])
@pytest.mark.parametrize("iterations", [0, 1, 3])
def test_it_computes_its_formulas_for_any_number_of_channels(channels, iterations):
    magnitudes, mixture = spectra(channels, seed=channels)
    ours = wiener_filter(magnitudes, 30 * mixture, iterations=iterations)
    theirs = by_the_formulas(magnitudes[0].numpy(), 30 * mixture[0].numpy(), iterations)
    assert_equal(ours[0], torch.from_numpy(theirs))


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("iterations", [0, 1, 3])
@pytest.mark.parametrize("residual", [False, True])
def test_it_equals_open_unmix(channels, iterations, residual):
    require(find_spec("demucs"), "demucs is not installed")
    for seed, level in enumerate((0.01, 1.0, 40.0)):
        magnitudes, mixture = spectra(channels, frames=230, batch=2, seed=seed)
        ours = wiener_filter(
            level * magnitudes, level * mixture, iterations=iterations, residual=residual
        )
        theirs = demucs_filter(level * magnitudes, level * mixture, iterations, residual)
        assert_equal(ours, theirs, SINGLE)


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("iterations", [0, 2])
@pytest.mark.parametrize("residual", [False, True])
def test_gradients_equal_those_of_open_unmix(channels, iterations, residual):
    require(find_spec("demucs"), "demucs is not installed")
    magnitudes, mixture = spectra(channels, frames=40)
    ours, theirs = (magnitudes.clone().requires_grad_() for _ in range(2))
    estimate = wiener_filter(ours, mixture, iterations=iterations, residual=residual)
    weights = torch.randn(estimate.shape, generator=torch.Generator().manual_seed(1))
    (estimate.real * weights).sum().backward()
    (demucs_filter(theirs, mixture, iterations, residual).real * weights).sum().backward()
    assert_equal(ours.grad, theirs.grad, SINGLE)


def test_gradients_are_those_of_finite_differences():
    magnitudes, mixture = spectra(2, bins=2, frames=4)
    direction, turn = spectra(2, bins=2, frames=4, seed=1)

    def filtered(step: Tensor | float) -> Tensor:
        estimate = wiener_filter(
            magnitudes + step * direction, 30 * (mixture + step * turn), iterations=2, residual=True
        )
        return (estimate.real - 2 * estimate.imag).square().sum()

    step = torch.zeros((), dtype=torch.float64, requires_grad=True)
    filtered(step).backward()
    difference = (filtered(1e-6) - filtered(-1e-6)) / 2e-6
    assert float(step.grad) == pytest.approx(float(difference), rel=1e-6)


def test_every_300_frames_have_covariances_of_their_own():
    magnitudes, mixture = spectra(frames=650)
    whole = wiener_filter(magnitudes, mixture, iterations=2)
    for start, stop in ((0, 300), (300, 600), (600, 650)):
        alone = wiener_filter(magnitudes[..., start:stop], mixture[..., start:stop], iterations=2)
        assert torch.equal(whole[..., start:stop], alone)


def test_every_example_of_a_batch_is_filtered_by_itself():
    magnitudes, mixture = spectra(batch=3)
    mixture = mixture * torch.tensor([1.0, 100.0, 0.01]).view(3, 1, 1, 1)
    together = wiener_filter(magnitudes, mixture, iterations=1)
    alone = [
        wiener_filter(magnitude[None], mix[None], iterations=1)
        for magnitude, mix in zip(magnitudes, mixture, strict=True)
    ]
    assert_equal(together, torch.cat(alone), 1e-12)


@given(seed=st.integers(0, 1_000), channels=st.integers(1, 3), iterations=st.integers(1, 3))
@settings(max_examples=20)
def test_the_stems_add_up_to_the_mixture(seed, channels, iterations):
    magnitudes, mixture = spectra(channels, seed=seed)
    estimates = wiener_filter(magnitudes + 0.1, mixture, iterations=iterations)
    # All but the noise that no stem is charged with: its deviation of 1e-5 against powers of 0.1.
    assert_equal(estimates.sum(dim=1), mixture, 1e-2)


def test_without_iterations_magnitudes_and_the_phase_of_the_mixture_remain():
    magnitudes, mixture = spectra()
    mixture[..., 3] = 0.0
    estimates = wiener_filter(magnitudes, mixture, iterations=0)
    assert_equal(estimates.abs(), magnitudes, 1e-12)
    heard = mixture.abs() > 0
    phases = mixture.angle()[:, None].expand_as(magnitudes)
    difference = torch.polar(torch.ones_like(phases), phases) * magnitudes - estimates
    assert difference[heard[:, None].expand_as(magnitudes)].abs().max() < 1e-12
    assert torch.equal(estimates[..., 3].imag, torch.zeros_like(estimates[..., 3].imag))


def test_a_mono_song_in_two_channels_is_filtered_as_in_one():
    magnitudes, mixture = spectra(1)
    magnitudes, mixture = magnitudes.to(torch.float32), mixture.to(torch.complex64)
    one = wiener_filter(magnitudes, mixture, iterations=2)
    two = wiener_filter(
        magnitudes.expand(-1, -1, 2, -1, -1), mixture.expand(-1, 2, -1, -1), iterations=2
    )
    assert two.dtype == torch.complex64
    for channel in range(2):
        assert_equal(two[:, :, channel], one[:, :, 0], 1e-4)


@pytest.mark.parametrize("channels", [1, 2, 3])
@pytest.mark.parametrize("magnitude", [0.0, 1e-12, 1.0, 1e6])
@pytest.mark.parametrize("mix", [0.0, 1e-12, 1e6])
def test_silence_and_extremes_have_an_answer(channels, magnitude, mix):
    magnitudes = torch.full((1, 4, channels, 3, 5), magnitude)
    mixture = torch.full((1, channels, 3, 5), mix, dtype=torch.complex64)
    for residual in (False, True):
        estimates = wiener_filter(magnitudes, mixture, iterations=2, residual=residual)
        assert estimates.shape == magnitudes.shape
        assert torch.isfinite(torch.view_as_real(estimates)).all()
