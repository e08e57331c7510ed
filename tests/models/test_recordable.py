"""What a CUDA graph demands of a network: never to wait for the device, nor to touch another one.

torch can follow a computation on a CUDA device that is not there: every tensor knows its shape and
its device, none has values. What asks for a value, or mixes devices, fails as recording would. Of
some operations it sees no more than the outside; those that are known to wait within are refused.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import pytest
import torch
from streams import noise
from tiny_networks import TINY, tiny_network
from torch import nn
from torch._subclasses.fake_tensor import DataDependentOutputException, FakeTensorMode
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode

from streamsep.models import hybrid_demucs, spectrogram
from streamsep.models.hybrid_demucs import HybridDemucs

if TYPE_CHECKING:
    from streamsep.models.architectures import Network

WAITING_WITHIN = {torch.ops.aten.istft.default}

OURS = [name for name in TINY if name != "htdemucs"]


class Refusing(TorchDispatchMode):
    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        assert func not in WAITING_WITHIN, f"{func} waits for the device"
        return func(*args, **(kwargs or {}))


def follow_on_cuda(network: Network, batch: int, length: int) -> torch.Tensor:
    """What a network would compute on a CUDA device, without values."""
    with FakeTensorMode(), torch.inference_mode(), warnings.catch_warnings(), Refusing():
        # An LSTM looks where its weights lie, which these do nowhere.
        warnings.filterwarnings("ignore", "Accessing the data pointer of FakeTensor")
        for module in network.modules():
            for name, weight in module._parameters.items():
                if weight is not None:
                    there = torch.empty(weight.shape, device="cuda")
                    module._parameters[name] = nn.Parameter(there, requires_grad=False)
            for name, buffer in module._buffers.items():
                if buffer is not None:
                    module._buffers[name] = torch.empty(
                        buffer.shape, dtype=buffer.dtype, device="cuda"
                    )
            if isinstance(module, nn.RNNBase):
                module._flat_weights = [module._parameters[n] for n in module._flat_weights_names]
        return network(torch.empty(batch, network.channels, length, device="cuda"))


@pytest.mark.parametrize("name", OURS)
def test_no_network_of_ours_waits_for_the_device(name: str) -> None:
    network = tiny_network(name)
    stems = follow_on_cuda(network, 4, 2048)
    assert stems.device.type == "cuda"
    assert stems.shape == (4, len(network.sources), network.channels, 2048)


def test_the_full_network_does_not_wait_at_the_shortest_latency() -> None:
    with torch.device("meta"):
        network = HybridDemucs().eval()
    assert follow_on_cuda(network, 8, 133_120).shape == (8, 4, 2, 133_120)


def with_torch(z, window, hop, length, *, normalized=False, beyond=0):
    """What torch offers in place of `inverse_stft`."""
    z, n_fft = functional.pad(z, (beyond, beyond)), len(window)
    return torch.istft(z, n_fft, hop, window=window, length=length, normalized=normalized)


def test_waiting_would_be_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spectrogram, "inverse_stft", with_torch)
    with pytest.raises(AssertionError, match=r"istft\.default waits for the device"):
        follow_on_cuda(tiny_network("hybrid_demucs"), 1, 8192)


def test_looking_at_a_value_would_be_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def curious(x):
        return x / float(x.std()), x.mean(), x.std()

    monkeypatch.setattr(hybrid_demucs, "_normalise", curious)
    with pytest.raises(DataDependentOutputException):
        follow_on_cuda(tiny_network("hybrid_demucs"), 1, 8192)


@pytest.mark.parametrize("name", ["hybrid_demucs", "open_unmix"])
def test_the_way_that_does_not_wait_leads_to_the_same_stems(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = tiny_network(name).requires_grad_(False)
    mix = noise(2, 5000)[None]
    expected = network(mix)
    home = "spectrogram" if name == "hybrid_demucs" else "open_unmix"
    monkeypatch.setattr(f"streamsep.models.{home}.inverse_stft", with_torch)
    assert torch.allclose(network(mix), expected, atol=1e-5 * float(expected.abs().max()))
