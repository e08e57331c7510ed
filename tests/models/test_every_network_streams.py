"""Every network keeps the promises on which streams are built."""

from __future__ import annotations

import pytest
import torch
from streaming_suite import StreamingSuite
from streams import noise
from tiny_networks import TINY, tiny_network

from streamsep.models.architectures import ARCHITECTURES
from streamsep.separator import separate_within, surroundings_of


@pytest.fixture(scope="module", params=TINY)
def separator(request):
    return tiny_network(request.param)


class TestEveryNetworkStreams(StreamingSuite):
    """All tests of the suite, on every tiny network."""


def test_every_architecture_is_among_them():
    assert {architecture for architecture, _ in TINY.values()} == set(ARCHITECTURES)


# Of the others, every estimate depends on the whole segment: by statistics, an LSTM or attention.
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("demucs_v1", {"lstm_layers": 0}),
        ("demucs_v1 upsampling", {"lstm_layers": 0}),
        ("demucs_v2", {"lstm_layers": 0}),
        ("demucs_time without rewrite", {"branch_depth": 0, "normalize": False}),
        ("wave_u_net", {}),
    ],
)
def test_an_estimate_moves_with_a_mixture_that_moves_by_the_stride(name, options):
    network = tiny_network(name, **options)
    burst = noise(2, 50)
    length = 40 * network.stride + 4_000 // network.stride * network.stride
    start = length // 2

    def separate(place: int) -> torch.Tensor:
        mix = torch.zeros(1, 2, length)
        mix[..., place : place + 50] = burst
        with torch.inference_mode():
            return network(mix)[..., place - 500 : place + 550]

    still = separate(start)
    moved = separate(start + network.stride)
    torch.testing.assert_close(moved, still, rtol=0, atol=float(1e-5 * still.std()))
    off_grid = separate(start + network.stride // 2)
    assert (off_grid - still).abs().max() > 1e-2 * still.std()


@pytest.mark.parametrize("name", TINY)
def test_gradients_reach_every_parameter(name):
    network = tiny_network(name).train()
    network(noise(network.channels, 40 * network.stride)[None]).square().mean().backward()
    for parameter_name, parameter in network.named_parameters():
        assert parameter.grad is not None, parameter_name
        assert torch.isfinite(parameter.grad).all(), parameter_name
        # A key's bias adds the same to every score, and softmax does not see it.
        if not parameter_name.endswith("key.bias"):
            assert parameter.grad.abs().max() > 0, parameter_name


@pytest.mark.parametrize("name", TINY)
def test_bfloat16_computes_nearly_the_same(name):
    network = tiny_network(name)
    mix = noise(network.channels, 40 * network.stride)[None]
    with torch.inference_mode():
        exact = network(mix)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            rough = network(mix)
    assert rough.dtype == torch.float32
    assert (rough - exact).square().mean() < 0.01 * exact.square().mean()


@pytest.mark.parametrize("name", TINY)
def test_a_part_of_a_mixture_is_separated_with_what_lies_around_it(name):
    network = tiny_network(name)
    around = surroundings_of(network)
    start, length = around + 3 * network.stride, 2 * network.stride + 1
    mix = noise(network.channels, 2 * start + length)[None]

    def separate(change: int | None = None) -> torch.Tensor:
        changed = mix.clone()
        if change is not None:
            changed[..., change] += 1.0
        with torch.inference_mode():
            return separate_within(network, changed, start, length)

    alone = mix[..., start : start + length]
    stems = separate()
    assert stems.shape == (1, len(network.sources), network.channels, length)
    for far in (start - around - 1, start + length + around):
        assert torch.equal(separate(far), stems)
    with torch.inference_mode():
        by_itself = network(alone)
        # As in demucs, the level that its input is brought to includes what completes it.
        assert torch.equal(separate_within(network, alone, 0, length), by_itself) == (
            not name.startswith("demucs_time") or not network.config.normalize
        )
    # Only networks that pad with silence can use something better.
    assert torch.equal(by_itself, stems) == (around == 0)
