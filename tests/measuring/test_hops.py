"""Hops are timed as the engine computes them, and only once it is warm."""

from __future__ import annotations

import statistics
import time
from typing import TYPE_CHECKING

import pytest
from fakes import PassThrough, Recording
from hypothesis import given
from hypothesis import strategies as st
from networks import random_network

from streamsep import StreamConfig
from streamsep.errors import ConfigError
from streamsep.measuring.hops import LEAST_HOPS, WARM_UP_HOPS, HopTimes, measure_hops

if TYPE_CHECKING:
    from torch import Tensor

SHORT = StreamConfig(context=2048, hop=2048, look_ahead=2048, crossfade=512)
SLEEP_S = 0.004


class Sleeping(PassThrough):
    """Takes a while, as a network would."""

    def __call__(self, mix: Tensor) -> Tensor:
        time.sleep(SLEEP_S)
        return super().__call__(mix)


@pytest.mark.parametrize("look_ahead", [0, 2048, 8192])
def test_every_hop_is_one_segment_and_warm_up_is_not_counted(look_ahead: int) -> None:
    separator = Recording()
    config = StreamConfig(context=4096, hop=2048, look_ahead=look_ahead)
    times = measure_hops(separator, config, device="cpu", incremental=False, seconds=1e-9)
    assert len(times.seconds) == LEAST_HOPS
    assert len(separator.segments) == LEAST_HOPS + WARM_UP_HOPS
    assert {mix.shape[-1] for mix in separator.segments} == {config.segment}


def test_what_a_network_takes_is_in_every_hop() -> None:
    shares: list[float] = []
    times = measure_hops(
        Sleeping(), SHORT, device="cpu", incremental=True, seconds=0.2, done=shares.append
    )
    assert min(times.seconds) >= SLEEP_S
    assert sum(times.seconds) >= 0.2
    assert times.rtf >= SLEEP_S / times.hop_s
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert not times.incremental, "a fake cannot be followed"


@pytest.mark.parametrize("incremental", [True, False])
def test_a_network_that_can_be_followed_is_if_that_is_wanted(incremental: bool) -> None:
    network = random_network(hidden=4).requires_grad_(False)
    config = StreamConfig(context=14 * 2048, hop=2048, look_ahead=2048, crossfade=512)
    times = measure_hops(network, config, device="cpu", incremental=incremental, seconds=1e-9)
    assert times.incremental == incremental


def test_a_tiling_off_the_networks_grid_is_refused() -> None:
    with pytest.raises(ConfigError, match="multiples of the network's stride 2000"):
        measure_hops(PassThrough(stride=2000), SHORT, device="cpu", incremental=False, seconds=0.1)


@given(seconds=st.lists(st.floats(1e-6, 10.0), min_size=1, max_size=200))
def test_percentiles_lie_among_the_times_in_order(seconds: list[float]) -> None:
    times = HopTimes(tuple(seconds), hop_s=0.5, incremental=False)
    cuts = [times.percentile_s(percent) for percent in (0, 50, 95, 99, 100)]
    assert cuts == pytest.approx(sorted(cuts))
    assert cuts[0] == min(seconds)
    assert cuts[1] == pytest.approx(statistics.median(seconds))
    assert cuts[-1] == max(seconds)
    assert times.rtf == pytest.approx(sum(seconds) / (0.5 * len(seconds)))
