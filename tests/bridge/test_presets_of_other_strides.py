"""The engine rounds presets up to the stride of its network."""

from __future__ import annotations

import fakes
import pytest
import torch

from bridge.server import Engine
from streamsep.config import load_presets


@pytest.mark.parametrize(("stride", "hop", "look_ahead"), [(4096, 4096, 4096), (10, 4100, 2050)])
def test_what_a_preset_offers_is_on_the_networks_grid(
    stride: int, hop: int, look_ahead: int
) -> None:
    separator = fakes.Gains(stride=stride)
    device = torch.device("cpu")
    engine = Engine(separator, "fake", device, presets=load_presets(), preset="stage")
    try:
        stage = engine.presets["stage"]
        assert (stage.hop, stage.look_ahead) == (hop, look_ahead)
        for preset in engine.presets.values():
            preset.tiling(stride)
            assert engine.load_of(preset) >= 0.0
    finally:
        engine.stop()
