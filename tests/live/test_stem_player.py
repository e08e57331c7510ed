"""Between the device's input and its output: any blocks, any length, and an end without a click."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.live.delay_line import DelayLine
from bridge.live.stem_player import StemPlayer
from bridge.mixing import MixControls, Mixer, Route

STEMS = ("drums", "bass", "other", "vocals")
LATENCY = 700
BLOCK = 256
RATE = 1000


@dataclass
class Session:
    """A session whose engine gives the mixture in `other`, late by the latency."""

    stems: tuple[str, ...] = STEMS
    latency: int = LATENCY
    line: DelayLine = field(default_factory=lambda: DelayLine(2, LATENCY, BLOCK))

    def process(self, block: np.ndarray, out: np.ndarray) -> np.ndarray:
        out[:] = 0.0
        self.line.exchange(block, out[2])
        return out


def player_of(*routes: Route) -> StemPlayer:
    mixer = Mixer(STEMS, routes, channels=2, outputs=4, sample_rate=RATE, longest_block=BLOCK)
    return StemPlayer(
        Session(),  # type: ignore[arg-type]
        mixer,
        MixControls(STEMS),
        input_channels=(2, 1),
        outputs=4,
        sample_rate=RATE,
        block=BLOCK,
    )


def play(player: StemPlayer, signal: np.ndarray, lengths: list[int]) -> np.ndarray:
    out = np.full((len(signal), 4), np.nan, np.float32)
    begin = 0
    for length in lengths:
        player.play(signal[begin : begin + length], out[begin : begin + length])
        begin += length
    return out[:begin]


@settings(max_examples=30)
@given(st.lists(st.integers(0, 3 * BLOCK), min_size=1, max_size=12))
def test_blocks_of_any_length_come_out_late_by_the_latency(lengths: list[int]) -> None:
    total = sum(lengths)
    signal = np.random.default_rng(0).uniform(-0.5, 0.5, (total, 4)).astype(np.float32)
    out = play(player_of(Route("other", (0, 1)), Route("dry", (2, 3))), signal, lengths)
    expected = np.concatenate([np.zeros((LATENCY, 2), np.float32), signal[:, [2, 1]]])[:total]
    assert np.array_equal(out[:, :2], expected)
    assert np.array_equal(out[:, 2:], expected)


@settings(max_examples=30)
@given(st.integers(0, 50), st.lists(st.integers(0, 20), min_size=1, max_size=30))
def test_a_delay_line_of_any_length_loses_nothing(latency: int, lengths: list[int]) -> None:
    signal = np.arange(1, 1 + sum(lengths), dtype=np.float32)[None]
    line, out, begin = DelayLine(1, latency, 20), np.empty_like(signal), 0
    for length in lengths:
        line.exchange(signal[:, begin : begin + length], out[:, begin : begin + length])
        begin += length
    expected = np.concatenate([np.zeros((1, latency), np.float32), signal], -1)[:, :begin]
    assert np.array_equal(out, expected)


def test_the_end_is_a_fade_and_then_silence() -> None:
    player = player_of(Route("dry", (0, 1)))
    signal = np.full((4000, 4), 0.5, np.float32)
    play(player, signal[:2000], [200] * 10)
    assert not player.silent
    player.fade_out()
    out = play(player, signal[2000:], [7] * 100)
    assert player.silent
    assert np.all(np.diff(out[:, 0]) <= 0)
    assert np.abs(np.diff(out[:, 0], prepend=0.5)).max() < 0.5 / 0.02 / RATE + 1e-6
    assert out[-1, 0] == 0.0


def test_peaks_are_those_since_they_were_last_taken() -> None:
    player = player_of(Route("dry", (0, 1)))
    signal = np.zeros((1000, 4), np.float32)
    signal[10, 2] = -0.75
    play(player, signal, [250] * 4)
    peak, stems, outputs = player.take_peaks()
    assert (peak, stems, outputs) == (0.75, [0, 0, 0.75, 0], [0.75, 0, 0, 0])
    assert player.take_peaks() == (0.0, [0] * 4, [0] * 4)


def test_nothing_that_is_not_finite_reaches_the_output() -> None:
    player = player_of(Route("mix", (0, 1)), Route("dry", (2, 3)))
    signal = np.full((2000, 4), np.nan, np.float32)
    signal[::3] = np.inf
    with np.errstate(invalid="ignore"):
        out = play(player, signal, [200] * 10)
    assert np.isfinite(out).all()
