"""Adding frames up is what torch.istft does, without the question that makes a GPU wait."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from streams import noise
from torch import Tensor
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode

from streamsep.audio.inverse_stft import inverse_stft

WAITING = {torch.ops.aten.equal.default, torch.ops.aten._local_scalar_dense.default}
"""What a GPU has to be waited for: comparing tensors and looking at a number."""


class NoWaiting(TorchDispatchMode):
    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        assert func not in WAITING, f"{func} waits for the device"
        return func(*args, **(kwargs or {}))


def spectrum(length: int, n_fft: int, hop: int, *, normalized: bool) -> tuple[Tensor, Tensor]:
    """A spectrum that is of no waveform, as a network's are, and its window."""
    window = torch.hann_window(n_fft)
    x = noise(2, length)
    z = torch.stft(x, n_fft, hop, window=window, normalized=normalized, return_complex=True)
    return z * torch.rand(z.shape, generator=torch.Generator().manual_seed(1)), window


@given(
    frames=st.integers(0, 30),
    more=st.integers(0, 63),
    hops=st.sampled_from([2, 4, 8]),
    hop=st.sampled_from([16, 33, 64]),
    normalized=st.booleans(),
)
@settings(max_examples=60)
def test_it_is_torchs_inverse(frames, more, hops, hop, normalized):
    n_fft = hop * hops + hop % 2
    length = n_fft + hop * frames + more % hop
    z, window = spectrum(length, n_fft, hop, normalized=normalized)
    expected = torch.istft(z, n_fft, hop, window=window, normalized=normalized, length=length)
    got = inverse_stft(z, window, hop, length, normalized=normalized)
    assert got.shape == expected.shape
    # Where few frames reach, what there is was divided by a small envelope.
    assert torch.allclose(got, expected, atol=1e-5 * float(expected.abs().max()))


def test_beyond_the_last_frame_is_silence() -> None:
    z, window = spectrum(1000, 64, 16, normalized=False)
    got = inverse_stft(z, window, 16, 1200)
    assert torch.equal(got[:, 1040:], torch.zeros(2, 160))
    assert torch.equal(got[:, :1000], inverse_stft(z, window, 16, 1000))


def test_frames_of_zeros_on_each_side_need_not_be_given() -> None:
    z, window = spectrum(1000, 64, 16, normalized=True)
    expected = inverse_stft(F.pad(z, (2, 2)), window, 16, 1060, normalized=True)
    got = inverse_stft(z, window, 16, 1060, normalized=True, beyond=2)
    assert torch.equal(got, expected)


@given(beyond=st.integers(0, 2), n_fft=st.sampled_from([64, 66]), cut=st.integers(0, 40))
@settings(max_examples=20)
def test_gradients_are_those_of_torchs(beyond: int, n_fft: int, cut: int) -> None:
    z, window = spectrum(1000, n_fft, 16, normalized=True)
    length = 1000 + 32 * beyond - cut
    gradients = []
    for ours in (True, False):
        leaf = z.clone().requires_grad_()
        if ours:
            waves = inverse_stft(leaf, window, 16, length, normalized=True, beyond=beyond)
        else:
            padded = F.pad(leaf, (beyond, beyond))
            waves = torch.istft(padded, n_fft, 16, window=window, normalized=True, length=length)
        waves.square().sum().backward()
        assert leaf.grad is not None
        gradients.append(leaf.grad)
    assert torch.allclose(*gradients, atol=1e-5 * float(gradients[1].abs().max()))


def test_nothing_waits_for_the_device() -> None:
    z, window = spectrum(1000, 64, 16, normalized=True)
    with NoWaiting():
        inverse_stft(z, window, 16, 1000, normalized=True)
    with pytest.raises(AssertionError, match="waits for the device"), NoWaiting():
        torch.istft(z, 64, 16, window=window, normalized=True, length=1000)
