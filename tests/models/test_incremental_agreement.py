"""How near a followed stream keeps to recomputing every window, with the shipped network.

What the emitted samples are off by, against the energy of the estimates, over all hops compared.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile
import torch
from support import shared
from torch import Tensor
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from streamsep import StreamConfig, load_preset, load_separator
from streamsep.models.hybrid_demucs import HybridDemucs
from streamsep.models.incremental import HybridFollower
from streamsep.models.tuned.hybrid import TunedHybridDemucs
from streamsep.synthesis import synthesise_song

if TYPE_CHECKING:
    from collections.abc import Callable

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
            got = following(window)
            if number >= since and number % 3 == 0:
                expected = network(window)[..., wanted]
                error += float((got - expected).square().sum())
                energy += float(expected.square().sum())
    return float(10 * np.log10(energy / error))


@pytest.fixture(scope="module")
def song() -> Tensor:
    return torch.from_numpy(synthesise_song(900_000, 12.0).mixture)


@pytest.mark.parametrize("name", ["shortest", "instant", "stage", "lean", "live", "studio"])
def test_a_preset_keeps_to_recomputing(starter: HybridDemucs, song: Tensor, name: str) -> None:
    config = StreamConfig.from_preset(load_preset(name))
    assert agreement_db(starter, song, config, hops=min(12, 6 * 2048 * 11 // config.hop)) > 35


@pytest.mark.parametrize("name", ["shortest", "instant", "stage", "lean", "live", "studio"])
def test_with_the_context_that_it_makes_use_of_the_starter_is_followed_exactly(
    starter: HybridDemucs, song: Tensor, name: str
) -> None:
    config = StreamConfig.from_preset(load_preset(name)).fitted_to(load_separator("starter"))
    sudden = song.clone()
    sudden[:, 4 * 44_100 :] *= 10
    assert agreement_db(starter, sudden, config, hops=min(12, 6 * 2048 * 11 // config.hop)) > 100


@pytest.mark.parametrize("name", ["live", "studio"])
def test_a_stream_that_looks_far_ahead_begins_in_silence_as_exactly(
    starter: HybridDemucs, song: Tensor, name: str
) -> None:
    config = StreamConfig.from_preset(load_preset(name))
    wanted = config.tiling(starter.stride).weighted
    silence, following = (
        HybridFollower(starter, segment=config.segment, hop=config.hop, wanted=wanted)
        for _ in range(2)
    )
    before = config.segment - config.hop - config.look_ahead
    first = functional.pad(song[None, :, RATE : RATE + config.segment - before], (before, 0))
    with torch.inference_mode():
        silence(torch.zeros_like(first))
        following.begin_as(silence)
        got, expected = following(first), starter(first)[..., wanted]
    error, energy = (got - expected).square().sum(), expected.square().sum()
    assert 10 * torch.log10(energy / error) > 35


def test_a_short_memory_is_exact(starter: HybridDemucs, song: Tensor) -> None:
    config = StreamConfig(context=20 * 2048, hop=2048, look_ahead=2048, crossfade=1024)
    assert agreement_db(starter, song, config) > 100


@pytest.mark.parametrize("track", ["audio/mixes/demucs_test.mp3", "audio/mixes/hstasnet_test.mp3"])
def test_real_music_keeps_to_recomputing(starter: HybridDemucs, track: str) -> None:
    samples, rate = soundfile.read(shared(track), dtype="float32", always_2d=True, frames=8 * RATE)
    assert rate == RATE
    mix = torch.from_numpy(samples.T.copy())
    assert agreement_db(starter, mix.expand(2, -1)) > 35


def disturbed(song: Tensor, how: str) -> Tensor:
    """Four seconds in which something happens in the third hop after the first window."""
    mix, when = song[:, : 4 * RATE].clone(), INSTANT.segment + 3 * INSTANT.hop
    match how:
        case "twenty decibels up":
            mix[:, :when] *= 0.1
        case "twenty decibels down":
            mix[:, when:] *= 0.1
        case "silence":
            mix[:, when:] = 0
        case "out of silence":
            mix[:, :when] = 0
        case "a click":
            mix[:, when] += 0.9
    return mix


@pytest.mark.parametrize(
    ("how", "least_db"),
    [
        ("twenty decibels up", 20),
        ("twenty decibels down", 20),
        ("silence", 20),
        # Every hop then changes the statistics of the whole window, until it is full of music.
        ("out of silence", 12),
        ("a click", 20),
    ],
)
def test_six_hops_after_a_disturbance_it_has_found_back(
    starter: HybridDemucs, song: Tensor, how: str, least_db: float
) -> None:
    assert agreement_db(starter, disturbed(song, how), since=9) > least_db


def test_it_takes_less_than_a_third_of_the_operations(
    starter: HybridDemucs, song: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    # torch does not count what oneDNN computes with packed weights.
    monkeypatch.setattr("streamsep.models.tuned.packed.has_onednn", lambda: False)
    tuned = TunedHybridDemucs(starter, torch.float32)

    def operations(compute: Callable[[Tensor], Tensor], window: Tensor) -> int:
        with FlopCounterMode(display=False) as counter, torch.inference_mode():
            compute(window)
        return counter.get_total_flops()

    wanted = INSTANT.tiling(starter.stride).weighted
    following = HybridFollower(tuned, segment=INSTANT.segment, hop=INSTANT.hop, wanted=wanted)
    counts = [
        operations(following, song[None, :, start : start + INSTANT.segment])
        for start in range(0, 9 * INSTANT.hop, INSTANT.hop)
    ]
    whole = operations(starter, song[None, :, : INSTANT.segment])
    assert counts[0] > whole / 3, "all of the window at first, and counted"
    assert sum(counts[1:]) / len(counts[1:]) < whole / 3
