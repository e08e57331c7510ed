"""What the callback notices: whose fault a late block is, and what never came."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from bridge.live.device_stream import DeviceStream
from bridge.live.devices import Device

if TYPE_CHECKING:
    from collections.abc import Callable

RATE, BLOCK = 1000, 20
DEVICE = Device(number=0, name="x", host_api="y", inputs=2, outputs=2, sample_rate=RATE)


@dataclass
class Times:
    inputBufferAdcTime: float  # noqa: N815
    currentTime: float  # noqa: N815
    outputBufferDacTime: float  # noqa: N815


class Sound:
    """A sound system in which blocks come when the test says so."""

    PortAudioError = RuntimeError

    def __init__(self) -> None:
        self.stream = DeviceStream(self, DEVICE, DEVICE, inputs=2, outputs=2, sample_rate=RATE)

    def check_input_settings(self, *_: object) -> None:
        pass

    check_output_settings = check_input_settings

    def Stream(self, *, callback: Callable[..., None], **_: Any) -> Sound:  # noqa: N802
        self.callback = callback
        return self

    def start(self) -> None:
        pass

    def come(self, input_s: float, frames: int = BLOCK, piece: int = 0) -> np.ndarray:
        """A block whose input began at a time, or what comes after some samples of it."""
        out = np.full((frames, 2), np.nan, np.float32)
        after_s = piece / RATE
        times = Times(input_s + after_s, input_s, input_s + after_s)
        self.callback(np.ones((frames, 2), np.float32), out, frames, times, 0)
        return out

    def come_in_pieces(self, input_s: float, *pieces: int) -> None:
        """A block in several callbacks, as PortAudio cuts those of JACK."""
        for index, frames in enumerate(pieces):
            self.come(input_s, frames, piece=sum(pieces[:index]))


def test_before_there_is_anything_to_play_there_is_silence() -> None:
    assert not Sound().come(0.0).any()


def test_a_callback_that_computes_for_too_long_is_our_doing_and_one_that_is_held_up_is_not() -> (
    None
):
    def compute(*_: object) -> None:
        end_s = time.process_time() + 2 * BLOCK / RATE
        while time.process_time() < end_s:
            pass

    sound = Sound()
    counters = sound.stream.counters
    sound.stream.play = lambda *_: time.sleep(3 * BLOCK / RATE)
    sound.come(0.0)
    assert counters.slow == 0
    assert counters.load > 2.9
    sound.stream.play = compute
    sound.come(BLOCK / RATE)
    assert counters.slow == 1
    assert (counters.blocks, counters.samples, counters.longest) == (2, 2 * BLOCK, BLOCK)


def test_samples_that_never_came_are_counted_and_a_clock_that_jumps_is_not_believed() -> None:
    sound = Sound()
    sound.come(0.0)
    sound.come(0.020)
    sound.come(0.040 + 0.015)  # jitter of the clock
    assert sound.stream.counters.lost == 0
    sound.come(0.075 + 0.100)
    assert sound.stream.counters.lost == 100
    sound.come(0.195 + 2**32 / RATE)
    assert sound.stream.counters.lost == 100


def test_a_long_block_comes_in_pieces_and_short_ones_at_the_same_time_are_two() -> None:
    sound = Sound()
    counters = sound.stream.counters
    sound.come(1.0)
    sound.come(1.0)
    assert counters.longest == BLOCK
    sound.come_in_pieces(2.0, 1024, 1024, 52)
    assert counters.longest == 2100
    assert sound.stream.latency_terms() == {"device_input": 0, "device_output": 0}
    sound.come(3.0, 1024)
    assert counters.longest == 2100


def test_whole_blocks_that_are_told_the_same_time_after_a_pause_are_no_longer_ones() -> None:
    sound = Sound()
    counters = sound.stream.counters
    for second in (1.0, 2.1, 2.1, 2.1, 4.0):
        sound.come(second, 1024)
    assert counters.longest == 1024
    for second in (5.0, 7.1, 7.1, 7.1, 11.0):
        sound.come_in_pieces(second, 1024, 1024)
    assert counters.longest == 2048
