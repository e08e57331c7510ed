"""The moving average of weights is unbiased."""

from __future__ import annotations

import pytest
import torch
from demucs.ema import ModelEMA
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from streamsep.config.training import AveragesConfig
from streamsep.training.ema import AveragedWeights, WeightAverages


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


def test_it_is_that_of_demucs():
    layer = network(0.0)
    ours, theirs = AveragedWeights(layer, 0.95), ModelEMA(layer, 0.95)
    torch.manual_seed(0)
    for _ in range(40):
        for parameter in layer.parameters():
            nn.init.normal_(parameter)
        ours.update(layer)
        theirs.update()
    assert ours.count == pytest.approx(theirs.count)
    for name, weight in theirs.state.items():
        torch.testing.assert_close(ours.weights[name], weight)


def test_counters_are_copied_as_they_have_no_mean():
    layer = nn.BatchNorm1d(2)
    average = AveragedWeights(layer, 0.9)
    for _ in range(3):
        layer(torch.randn(4, 2))
        average.update(layer)
    assert int(average.weights["num_batches_tracked"]) == 3


def test_several_averages_run_side_by_side():
    layer = network(0.0)
    averages = WeightAverages(layer, AveragesConfig(per_batch=(0.0, 0.5), per_epoch=(0.5,)))
    assert list(averages) == []
    for value in (1.0, 2.0, 3.0, 4.0):
        nn.init.constant_(layer.weight, value)
        averages.end_batch(layer)
        if value in (2.0, 4.0):
            averages.end_epoch(layer)
    found = {name: float(weights["weight"][0, 0]) for name, weights in averages}
    assert found == {
        "batch 0": 4.0,
        "batch 0.5": pytest.approx((1 + 2 * 2 + 4 * 3 + 8 * 4) / 15),
        "epoch 0.5": pytest.approx((2 + 2 * 4) / 3),
    }


def test_several_averages_go_on_from_where_they_were_saved():
    layer, config = network(0.0), AveragesConfig(per_batch=(0.9,), per_epoch=(0.5,))
    whole, first, second = (WeightAverages(layer, config) for _ in range(3))
    for averages in (whole, first):
        averages.end_batch(layer)
        averages.end_epoch(layer)
    second.load_state_dict(first.state_dict())
    nn.init.constant_(layer.weight, 7.0)
    for averages in (whole, second):
        averages.end_batch(layer)
        averages.end_epoch(layer)
    for (name, ours), (other, theirs) in zip(whole, second, strict=True):
        assert name == other
        assert torch.equal(ours["weight"], theirs["weight"])
