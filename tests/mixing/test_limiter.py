"""The limiter: nothing above the ceiling, nothing touched below it."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from mixing.desk import RATE, Desk, noise

from bridge.mixing import Limiter

blocks = st.lists(st.integers(1, 300), min_size=1, max_size=12)


def _by_the_definition(audio: np.ndarray, ceiling: float, rate: int) -> np.ndarray:
    """The recursion of the module's essay, sample by sample."""
    gain, out = 1.0, np.empty_like(audio)
    for position, frame in enumerate(audio.T):
        gain = min(gain + 1 / rate, 1.0, ceiling / max(np.abs(frame).max(), ceiling))
        out[:, position] = frame * gain
    return out


@given(
    st.lists(st.integers(1, 300), min_size=1, max_size=12), st.floats(0.1, 4.0), st.integers(0, 9)
)
def test_it_is_the_recursion_whatever_the_blocks(
    lengths: list[int], peak: float, seed: int
) -> None:
    audio = noise(2, 1200, peak=peak, seed=seed) * np.linspace(0, 1, 1200, dtype=np.float32)
    expected = _by_the_definition(audio, 1.0, RATE)
    limiter, limited, position = Limiter(RATE, 300), audio.copy(), 0
    while position < 1200:
        part = limited[:, position : position + lengths[position % len(lengths)]]
        limiter.limit(list(part))
        position += part.shape[1]
    np.testing.assert_allclose(limited, expected, atol=2e-6)
    assert np.abs(limited).max() <= 1.0


def test_below_the_ceiling_every_bit_stays() -> None:
    audio = noise(2, 300, peak=1.0)
    audio[0, 7] = -1.0
    limited = audio.copy()
    Limiter(RATE, 300).limit(list(limited))
    np.testing.assert_array_equal(limited, audio)


def test_after_an_overshoot_it_becomes_exact_again() -> None:
    limiter = Limiter(RATE, 512)
    loud = np.full((1, 100), 2.0, np.float32)
    limiter.limit(list(loud))
    assert limiter.gain == 0.5
    quiet = noise(1, RATE)
    limited = quiet.copy()
    for begin in range(0, RATE, 500):
        limiter.limit([limited[0, begin : begin + 500]])
    assert limiter.gain == 1.0
    np.testing.assert_array_equal(limited[0, RATE // 2 + 500 :], quiet[0, RATE // 2 + 500 :])
    assert not np.array_equal(limited, quiet)


def test_outputs_of_different_routes_are_limited_apart_and_channels_together() -> None:
    stems = noise(4, 2, 500)
    stems[3, 0, 100] = 3.0
    desk = Desk("vocals:1-2", "drums:3-4")
    out = desk.play(stems)
    assert np.abs(out).max() <= 1.0
    np.testing.assert_array_equal(out[2:4], stems[0])
    np.testing.assert_allclose(out[1, 100], stems[3, 1, 100] / 3.0, rtol=1e-6)
    assert desk.mixer.limiting < 0.5


def test_sums_of_the_loudest_samples_stay_finite() -> None:
    stems = np.full((4, 2, 300), 1e6, np.float32)
    desk = Desk("mix:1-2:12")
    desk.controls.set("master", 12.0)
    out = desk.play(stems, stems[0])
    assert np.abs(out).max() <= 1.0
