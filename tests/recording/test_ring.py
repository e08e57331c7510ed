"""The ring: everything once, in order, in its place."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.recording import RecordingRing
from streamsep.errors import OutputError

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def ring() -> Iterator[RecordingRing]:
    made = RecordingRing.make(3, 64)
    yield made
    made.unlink()


def block(begin: int, length: int) -> list[np.ndarray]:
    """Three rows, as one of two and one of one."""
    frames = np.arange(begin + 1, begin + length + 1, dtype=np.float32)
    return [np.stack([frames, -frames]), frames[None, None] * 0.5]


steps = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.integers(1, 80)),
        st.tuples(st.just("take"), st.integers(0, 80)),
    ),
    max_size=60,
)


@given(steps)
def test_what_comes_out_went_in_and_what_was_lost_is_silence(moves: list[tuple[str, int]]) -> None:
    ring = RecordingRing.make(3, 64)
    other_side = RecordingRing(ring.path, 3, 64)
    ring.unlink()
    position, taken = 0, []
    for what, length in moves:
        if what == "put":
            ring.put(block(position, length))
            position += length
        else:
            taken.append(other_side.take(length))
    while other_side.waiting:
        taken.append(other_side.take(64))
    heard = np.concatenate([np.zeros((3, 0), np.float32), *taken], axis=1)
    frames = np.arange(1, heard.shape[1] + 1, dtype=np.float32)
    silent = heard[0] == 0
    np.testing.assert_array_equal(heard, np.where(silent, 0, [frames, -frames, frames * 0.5]))
    assert silent.sum() <= ring.lost
    assert ring.put_count == position
    assert (ring.overruns > 0) == (ring.lost > 0)
    if not ring.overruns:
        assert len(frames) == position


def test_a_reader_that_keeps_up_loses_nothing(ring: RecordingRing) -> None:
    for begin in range(0, 6_400, 64):
        ring.put(block(begin, 64))
        assert ring.take(64)[0, 0] == begin + 1
    assert ring.overruns == 0


def test_silence_is_paid_back_before_anything_new(ring: RecordingRing) -> None:
    ring.put(block(0, 60))
    ring.put(block(60, 10))
    assert (ring.overruns, ring.lost, ring.put_count) == (1, 10, 70)
    ring.take(64)
    ring.put(block(70, 5))
    np.testing.assert_array_equal(ring.take(64)[0], [0] * 10 + [71, 72, 73, 74, 75])


def test_closing_is_seen_from_the_other_side(ring: RecordingRing) -> None:
    other_side = RecordingRing(ring.path, 3, 64)
    assert not other_side.closed
    ring.close()
    assert other_side.closed


def test_a_ring_that_fits_nowhere_is_one_clear_error() -> None:
    with pytest.raises(OutputError, match="cannot record: no"):
        RecordingRing.make(1024, 1 << 40)


@pytest.mark.skipif(sys.platform == "win32", reason="an open file cannot be deleted there")
def test_a_ring_that_both_sides_have_lost_is_cleared_away_by_the_next() -> None:
    """Its maker was killed before anybody had removed its name."""
    code = "from bridge.recording import RecordingRing as R; import os;"
    code += "print(R.make(3, 64).path, flush=True); os.kill(os.getpid(), 9)"
    done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    abandoned = Path(done.stdout.strip())
    in_use = RecordingRing.make(3, 64)
    assert abandoned.exists()  # too young to be judged
    for path in (abandoned, in_use.path):
        os.utime(path, (0, 0))
    RecordingRing.make(3, 64).unlink()
    assert not abandoned.exists()
    assert in_use.path.exists()
    in_use.unlink()
