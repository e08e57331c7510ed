"""Practice draws the tilings of live streams, and its weights are theirs."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from streamsep.config.training import LossConfig, StreamingConfig
from streamsep.engine import StreamConfig
from streamsep.errors import ConfigError
from streamsep.training.live_practice import LivePractice
from streamsep.training.loss import Criterion

GRID = 2_048
CONFIG = StreamingConfig(
    segment=(32 * GRID, 64 * GRID), hop=(GRID, 11 * GRID), look_ahead=(0, 16 * GRID), crossfade=1024
)


def parts_of(weight: torch.Tensor, crossfade: int) -> tuple[int, int, int]:
    """The context, hop and look-ahead that a weight belongs to."""
    counted = weight.nonzero().flatten().tolist()
    start, end = counted[0], counted[-1] + 1
    fades = 0 < float(weight[start]) < 1
    end -= crossfade if fades else 0
    return start, end - start, len(weight) - end


@given(seed=st.integers(0, 1000), step=st.integers(0, 10**6), example=st.integers(0, 10**6))
def test_weights_are_those_of_a_live_stream_within_the_limits(seed, step, example):
    practice = LivePractice(CONFIG, GRID, seed)
    weight = practice.weight(step, example)
    segment = practice.segment(step)
    assert len(weight) == segment
    assert segment % GRID == 0
    assert CONFIG.segment[0] <= segment <= CONFIG.segment[1]
    context, hop, look_ahead = parts_of(weight, CONFIG.crossfade)
    assert CONFIG.hop[0] <= hop <= CONFIG.hop[1]
    assert CONFIG.look_ahead[0] <= look_ahead <= CONFIG.look_ahead[1]
    live = StreamConfig(
        context=context,
        hop=hop,
        look_ahead=look_ahead,
        crossfade=min(CONFIG.crossfade, look_ahead),
    )
    assert torch.equal(weight, live.tiling(GRID).weight)


def test_a_step_has_one_segment_and_every_example_a_tiling_of_its_own():
    practice = LivePractice(CONFIG, GRID, seed=0)
    weights = practice.weights(7, list(range(16)))
    assert weights.shape == (16, practice.segment(7))
    assert len({parts_of(weight, CONFIG.crossfade) for weight in weights}) > 8
    assert len({practice.segment(step) for step in range(50)}) > 20


def test_the_seed_and_the_numbers_decide():
    first, again, other = (LivePractice(CONFIG, GRID, seed) for seed in (1, 1, 2))
    assert torch.equal(first.weights(3, [4, 5]), again.weights(3, [4, 5]))
    assert [first.segment(s) for s in range(20)] != [other.segment(s) for s in range(20)]


def test_short_hops_and_look_aheads_are_as_frequent_as_long_ones():
    practice = LivePractice(CONFIG, GRID, seed=0)
    parts = [parts_of(practice.weight(0, example), CONFIG.crossfade) for example in range(400)]
    without_future = sum(look_ahead == 0 for _, _, look_ahead in parts)
    shortest_hop = sum(hop == GRID for _, hop, _ in parts)
    # Of log2(18) octaves of look-ahead the first belongs to none, of log2(13/2) of hops to one.
    assert 60 <= without_future <= 140
    assert 60 <= shortest_hop <= 140


def test_the_loss_knows_only_what_a_stream_would_emit():
    practice = LivePractice(CONFIG, GRID, seed=0)
    weight = practice.weights(0, [0])
    stems = torch.randn(1, 4, 2, weight.shape[-1], requires_grad=True)
    criterion = Criterion(LossConfig(relative=False), ("drums", "bass", "other", "vocals"))
    criterion(stems, torch.zeros_like(stems), weight).sum().backward()
    assert stems.grad is not None
    heard = stems.grad.abs().sum((0, 1, 2)) > 0
    assert torch.equal(heard, weight[0] > 0)


def test_a_network_off_the_grid_is_refused():
    with pytest.raises(ConfigError, match="stride 4096"):
        LivePractice(
            StreamingConfig(segment=(GRID, GRID), hop=(GRID, GRID), look_ahead=(0, 0)), 4096, 0
        )


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"hop": [2048, 1000]}, "multiple of 2048"),
        ({"hop": [4096, 2048]}, "smaller number first"),
        ({"hop": [0, 2048]}, "got 0 at least"),
        ({"segment": [4096, 8192], "look_ahead": [0, 4096]}, "expected 8192 or more"),
    ],
)
def test_limits_that_do_not_fit_are_refused(changes, complaint):
    whole = {"segment": [65536, 131072], "hop": [2048, 4096], "look_ahead": [0, 0]}
    with pytest.raises(ValidationError, match=complaint):
        StreamingConfig.model_validate({**whole, **changes})
