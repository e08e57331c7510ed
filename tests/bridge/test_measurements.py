"""What one engine has measured, the next one like it need not find out again."""

from __future__ import annotations

import fakes
import torch
from torch import Tensor

from bridge.protocol import Hello, Mode
from bridge.server.engine import Engine
from bridge.server.measurements import Measurements
from streamsep.config import LatencyPreset

PRESETS = {
    name: LatencyPreset(
        name=name, description="", use="", context=4096, hop=hop, look_ahead=2048, crossfade=512
    )
    for name, hop in (("short", 2048), ("long", 8192))
}


class Counting(fakes.PassThrough):
    """Counts what it is asked for."""

    def __init__(self) -> None:
        super().__init__(stride=2048)
        self.calls = 0

    def __call__(self, mix: Tensor) -> Tensor:
        self.calls += 1
        return super().__call__(mix)


def an_engine(separator: Counting, measured: Measurements | None) -> Engine:
    return Engine(
        separator, "it", torch.device("cpu"), presets=PRESETS, preset="short", measured=measured
    )


def test_measurements_survive_as_text() -> None:
    measured = Measurements(segment_s=0.25, hops_s={"short": 0.125})
    assert Measurements.from_json(measured.to_json()) == measured
    assert "\n" not in measured.to_json()


def test_an_engine_that_is_told_computes_once_and_offers_the_same() -> None:
    measured = Measurements(segment_s=0.012, hops_s={"long": 0.003})
    separator = Counting()
    engine = an_engine(separator, measured)
    assert separator.calls == 1
    assert engine.measurements == measured
    assert engine.compute_s(engine.presets["short"]) == 0.012
    assert engine.compute_s(engine.presets["long"]) == 0.003
    engine.stop()

    measuring = an_engine(separator, None)
    assert separator.calls > 2
    heir = an_engine(separator, measuring.measurements)
    hello = Hello(client="x", mode=Mode.LIVE, sample_rate=44_100, channels=2, block=256)
    assert heir.offer(hello) == measuring.offer(hello)
    for each in (measuring, heir):
        each.stop()
