"""How near a followed stream keeps to recomputing every window, with the shipped network.

What the emitted samples are off by, against the energy of the estimates, over all hops compared.
"""

from __future__ import annotations

import numpy as np
import pytest
import soundfile
import torch
from support import shared
from torch import Tensor

from streamsep import StreamConfig, load_preset, load_separator
from streamsep.models.hybrid_demucs import HybridDemucs
from streamsep.models.incremental import HybridFollower
from streamsep.synthesis import synthesise_song

RATE = 44_100
INSTANT = StreamConfig.from_preset(load_preset("instant"))


@pytest.fixture(scope="module")
def starter() -> HybridDemucs:
    separator = load_separator("starter").separator
    assert isinstance(separator, HybridDemucs)
    return separator


def agreement_db(
    network: HybridDemucs,
    mix: Tensor,
    config: StreamConfig = INSTANT,
    *,
    hops: int = 12,
    since: int = 1,
) -> float:
    """Follow some hops of a mix [C, T]; from one of them on, compare every third."""
    wanted = config.tiling(network.stride).weighted
    following = HybridFollower(network, segment=config.segment, hop=config.hop, wanted=wanted)
    error = energy = 0.0
    with torch.inference_mode():
        for number in range(hops + 1):
            start = number * config.hop
            window = mix[None, :, start : start + config.segment]
            assert window.shape[-1] == config.segment
            got = following(window)[..., wanted]
            if number >= since and number % 3 == 0:
                expected = network(window)[..., wanted]
                error += float((got - expected).square().sum())
                energy += float(expected.square().sum())
    return float(10 * np.log10(energy / error))


@pytest.fixture(scope="module")
def song() -> Tensor:
    return torch.from_numpy(synthesise_song(900_000, 12.0).mixture)


# The preset `live` falls below this with the same song: its window moves four times as far.
@pytest.mark.parametrize("name", ["shortest", "instant", "stage", "studio"])
def test_a_preset_keeps_to_recomputing(starter: HybridDemucs, song: Tensor, name: str) -> None:
    config = StreamConfig.from_preset(load_preset(name))
    assert agreement_db(starter, song, config, hops=min(12, 6 * 2048 * 11 // config.hop)) > 30


@pytest.mark.parametrize("track", ["audio/mixes/demucs_test.mp3", "audio/mixes/hstasnet_test.mp3"])
def test_real_music_keeps_to_recomputing(starter: HybridDemucs, track: str) -> None:
    samples, rate = soundfile.read(shared(track), dtype="float32", always_2d=True, frames=8 * RATE)
    assert rate == RATE
    mix = torch.from_numpy(samples.T.copy())
    assert agreement_db(starter, mix.expand(2, -1)) > 30
