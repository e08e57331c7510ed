"""The penalty is the sum of the squared largest singular values of the large weights."""

from __future__ import annotations

import pytest
import torch
from demucs.svd import svd_penalty as demucs_svd_penalty
from networks import random_network
from torch import nn

from streamsep.config.training import SvdPenaltyConfig
from streamsep.training.svd_penalty import svd_penalty

KIB = 1 / 1024


def exact(matrix: torch.Tensor) -> torch.Tensor:
    return torch.linalg.matrix_norm(matrix, ord=2).square()


def test_it_is_that_of_demucs():
    network = random_network(hidden=8)
    config = SvdPenaltyConfig(least_mib=16 * KIB)
    torch.manual_seed(0)
    theirs = demucs_svd_penalty(network, min_size=16 * KIB, exact=True)
    with torch.no_grad():
        assert float(svd_penalty(network, config)) == pytest.approx(float(theirs), rel=1e-3)


@pytest.mark.parametrize(
    "layer",
    [
        nn.Linear(60, 40),
        nn.Conv1d(16, 24, 5),
        nn.Conv2d(8, 12, (3, 2)),
        nn.ConvTranspose1d(24, 16, 5),
        nn.ConvTranspose2d(12, 8, (3, 2)),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_value_and_gradient_are_exact(layer):
    nn.init.normal_(layer.weight)
    torch.manual_seed(0)
    svd_penalty(layer, SvdPenaltyConfig(least_mib=0.0)).backward()
    found = layer.weight.grad
    weight = layer.weight.detach().clone().requires_grad_()
    transposed = isinstance(layer, nn.ConvTranspose1d | nn.ConvTranspose2d)
    expected = exact((weight.transpose(0, 1) if transposed else weight).flatten(1))
    expected.backward()
    penalty = svd_penalty(layer, SvdPenaltyConfig(least_mib=0.0))
    torch.testing.assert_close(penalty, expected, rtol=1e-3, atol=0)
    torch.testing.assert_close(found, weight.grad, rtol=1e-2, atol=1e-2)


def test_small_weights_and_biases_do_not_count():
    network = nn.Sequential(nn.Linear(64, 64), nn.Linear(64, 8))
    large = SvdPenaltyConfig(least_mib=8 * KIB)  # 4096 floats are 16 KiB, 512 are 2
    expected = exact(network[0].weight)
    torch.testing.assert_close(svd_penalty(network, large), expected, rtol=1e-3, atol=0)
    assert not svd_penalty(network, SvdPenaltyConfig(least_mib=1.0)).any()


def test_descending_along_it_makes_the_largest_singular_value_smaller():
    layer = nn.Linear(32, 32)
    optimiser = torch.optim.SGD(layer.parameters(), lr=0.1)
    before = exact(layer.weight.detach())
    for _ in range(5):
        optimiser.zero_grad()
        svd_penalty(layer, SvdPenaltyConfig(least_mib=0.0)).backward()
        optimiser.step()
    assert exact(layer.weight.detach()) < 0.8 * before
