"""The moving average of weights is unbiased."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from streamsep.training.ema import AveragedWeights


def network(value: float) -> nn.Linear:
    layer = nn.Linear(2, 3)
    for parameter in layer.parameters():
        nn.init.constant_(parameter, value)
    return layer


def averaged(values: list[float], decay: float) -> float:
    average = AveragedWeights(network(-100.0), decay)
    for value in values:
        average.update(network(value))
    numbers = torch.cat([weight.flatten() for weight in average.weights.values()])
    assert (numbers == numbers[0]).all()
    return float(numbers[0])


def test_the_first_update_replaces_the_first_weights():
    assert averaged([3.0], 0.999) == 3.0


@settings(max_examples=30)
@given(value=st.floats(-10, 10, width=32), count=st.integers(1, 30), decay=st.floats(0, 0.999))
def test_weights_that_do_not_change_are_their_own_average(value, count, decay):
    assert averaged([value] * count, decay) == pytest.approx(value, rel=1e-6, abs=1e-9)


@settings(max_examples=30)
@given(
    values=st.lists(st.floats(-10, 10, width=32), min_size=1, max_size=20),
    decay=st.floats(0, 0.999),
)
def test_every_update_counts_less_by_the_decay_than_the_next(values, decay):
    shares = [decay ** (len(values) - 1 - index) for index in range(len(values))]
    expected = sum(share * value for share, value in zip(shares, values, strict=True)) / sum(shares)
    assert averaged(values, decay) == pytest.approx(expected, rel=1e-4, abs=1e-4)


def test_it_goes_on_from_where_it_was_saved():
    whole, first = (AveragedWeights(network(0.0), 0.9) for _ in range(2))
    for value in (1.0, 2.0):
        whole.update(network(value))
        first.update(network(value))
    second = AveragedWeights(network(0.0), 0.9)
    second.load_state_dict(first.state_dict())
    for average in (whole, second):
        average.update(network(3.0))
    for name, weight in whole.weights.items():
        assert torch.equal(weight, second.weights[name])


def test_it_does_not_change_with_the_network_by_itself():
    layer = network(1.0)
    average = AveragedWeights(layer, 0.9)
    average.update(layer)
    nn.init.zeros_(layer.weight)
    assert (average.weights["weight"] == 1.0).all()
