from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamsep.errors import ConfigError
from streamsep.files import Encoding


@given(st.integers(-(2**15), 2**15 - 1))
def test_sixteen_bit_steps_survive(step: int) -> None:
    frames = np.array([[step / 2**15]], dtype=np.float32)
    assert Encoding(samples="int16").to_file(frames).item() == step


@given(st.integers(-(2**23), 2**23 - 1))
def test_twenty_four_bit_steps_survive(step: int) -> None:
    frames = np.array([[step / 2**23]], dtype=np.float32)
    assert Encoding(samples="int24").to_file(frames).item() == step << 8


@given(st.floats(width=32))
def test_integers_never_wrap(value: float) -> None:
    frames = np.array([[value]], dtype=np.float32)
    written = Encoding(samples="int16").to_file(frames).item()
    expected = 0.0 if np.isnan(value) else float(np.clip(value, -1.0, 1.0))
    assert written / 2**15 == pytest.approx(expected, abs=2**-15)


def test_integers_are_rounded_to_the_nearest_step() -> None:
    frames = np.array([[0.4, 0.6, -0.4, -0.6]], dtype=np.float32) / 2**15
    assert Encoding(samples="int16").to_file(frames).tolist() == [[0, 1, 0, -1]]


def test_floats_pass_untouched() -> None:
    frames = np.array([[2.5]], dtype=np.float32)
    assert Encoding(samples="float32").to_file(frames) is frames


@pytest.mark.parametrize(
    "options",
    [
        {"container": "aac"},
        {"samples": "int8"},
        {"container": "flac", "samples": "float32"},
        {"container": "mp3", "bitrate_kbps": 321},
    ],
)
def test_unknown_encodings_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"expected|choose"):
        Encoding(**options)


@pytest.mark.parametrize(
    ("encoding", "sample_rate", "channels"),
    [
        (Encoding("mp3"), 96_000, 2),
        (Encoding("mp3"), 44_100, 6),
        (Encoding("flac"), 44_100, 9),
    ],
)
def test_audio_that_a_container_cannot_hold_is_refused(
    encoding: Encoding, sample_rate: int, channels: int
) -> None:
    with pytest.raises(ConfigError, match="choose wav"):
        encoding.check(sample_rate, channels)


def test_a_wav_is_plain_up_to_four_gibibytes() -> None:
    encoding = Encoding(samples="int16")
    four_hours, seven_hours = 4 * 3600 * 44_100, 7 * 3600 * 44_100
    assert encoding.holds(four_hours, 2)
    assert not encoding.holds(seven_hours, 2)
    assert Encoding("flac").holds(seven_hours, 2)
    assert encoding.soundfile_options(44_100, huge=True)["format"] == "RF64"
