"""In bfloat16, LSTMs can be left out of it."""

from __future__ import annotations

import pytest
import torch
from streams import noise
from tiny_networks import tiny_network
from torch import Tensor, nn

from streamsep.training.mixed_precision import lstms_in_float32


def outputs_of(lstms: list[nn.LSTM]) -> list[Tensor]:
    """What the LSTMs will have put out, in order."""
    outputs: list[Tensor] = []
    for lstm in lstms:
        lstm.register_forward_hook(lambda *said: outputs.append(said[2][0]))
    return outputs


@pytest.mark.parametrize("name", ["hybrid_demucs", "demucs_v2", "demucs_time", "open_unmix"])
def test_lstms_are_left_out_of_autocast(name: str) -> None:
    network = tiny_network(name, **{"hybrid_demucs": {"branch_lstm_starts": 1}}.get(name, {}))
    lstms = [module for module in network.modules() if isinstance(module, nn.LSTM)]
    assert lstms
    outputs = outputs_of(lstms)
    mix = noise(2, 4096)[None]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        network(mix)
        rounded = outputs[:]
        outputs.clear()
        with lstms_in_float32(network):
            network(mix)
        exact = outputs[:]
        outputs.clear()
        network(mix)
    assert {output.dtype for output in rounded} == {torch.bfloat16}
    assert {output.dtype for output in exact} == {torch.float32}
    # Afterwards the network is as it was.
    assert all(map(torch.equal, outputs, rounded))


def test_what_is_left_out_computes_as_without_autocast() -> None:
    lstm = nn.LSTM(4, 6, bidirectional=True)
    x = noise(4, 50).T[:, None].requires_grad_()
    expected, expected_state = lstm(x)
    (expected_gradient,) = torch.autograd.grad(expected.square().sum(), x)
    with torch.autocast("cpu", dtype=torch.bfloat16), lstms_in_float32(lstm):
        got, state = lstm(x)
    (gradient,) = torch.autograd.grad(got.square().sum(), x)
    assert torch.equal(got, expected)
    assert all(map(torch.equal, state, expected_state))
    assert torch.equal(gradient, expected_gradient)
