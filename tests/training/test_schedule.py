"""The learning rate warms up, stays, and falls."""

from __future__ import annotations

from itertools import pairwise

import pytest

from streamsep.config.training import ScheduleConfig
from streamsep.training.schedule import rate_share_at


def shares(**options: float) -> list[float]:
    return [rate_share_at(step, 1_000, ScheduleConfig(**options)) for step in range(1_001)]


def test_it_warms_up_stays_and_falls_to_zero():
    rates = shares(warmup_steps=100, decay_starts=0.5)
    assert rates[0] == pytest.approx(0.01)
    assert rates[49] == pytest.approx(0.5)
    assert rates[99:501] == pytest.approx([1.0] * 402)
    assert rates[750] == pytest.approx(0.5)
    assert rates[1_000] == pytest.approx(0.0, abs=1e-12)
    assert all(later < earlier for earlier, later in pairwise(rates[500:]))


def test_it_is_constant_by_default():
    assert shares() == [1.0] * 1_001


def test_it_may_fall_from_the_beginning():
    rates = shares(decay_starts=0.0)
    assert rates[0] == 1.0
    assert rates[500] == pytest.approx(0.5)
