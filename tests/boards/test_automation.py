"""Parameters that move: at the sample they should, whatever the caller's blocks are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pedalboard
import pytest
from board_material import RATE, delayed, in_pieces, noise_stems
from hypothesis import given, settings
from hypothesis import strategies as st

from streamsep.errors import ConfigError
from vst_wrapper import Automated, StemBoard
from vst_wrapper.boards.chain import AUTOMATION_BLOCK

if TYPE_CHECKING:
    from collections.abc import Sequence

Points = list[tuple[float, float]]


def ones(length: int) -> np.ndarray:
    return np.ones((4, 1, length), np.float32)


def levels_db(points: Points, length: int, before: Sequence[pedalboard.Plugin] = ()) -> np.ndarray:
    """The gain in dB that every sample of a song got from an automated Gain."""
    gain = Automated(pedalboard.Gain(0.0), {"gain_db": points})
    board = StemBoard(stems={"bass": [*before, gain]}, outputs=("bass",))
    return 20.0 * np.log10(board.process(ones(length), RATE)["bass"][0])


def expected_db(points: Points, length: int) -> np.ndarray:
    starts = np.arange(length) // AUTOMATION_BLOCK * AUTOMATION_BLOCK
    return np.interp(starts / RATE, *np.array(points).T)


@pytest.mark.parametrize(
    "points",
    [
        [(0.0, 0.0), (1.0, -40.0)],
        [(0.2, -12.0), (0.4, 6.0), (0.45, 6.0), (0.9, -60.0)],
        [(0.5, -3.0)],
    ],
)
@pytest.mark.parametrize("held_back", [0, 777, 10_000])
def test_values_follow_the_song_and_not_the_plugins_before(points: Points, held_back: int) -> None:
    got = levels_db(points, RATE, [delayed(held_back)])
    assert np.abs(got - expected_db(points, RATE)).max() < 1e-3


@settings(max_examples=20)
@given(lengths=st.lists(st.integers(0, 3_000), max_size=12))
def test_the_callers_blocks_do_not_matter(lengths: list[int]) -> None:
    moving = Automated(
        pedalboard.LadderFilter(), {"cutoff_hz": [(0.0, 200.0), (0.3, 9_000.0)], "drive": [(0, 2)]}
    )
    board = StemBoard(stems={"bass": [moving, pedalboard.Reverb()]}, mix=[delayed(100)])
    stems = noise_stems(16_000)
    whole = board.process(stems, RATE)["mix"]
    assert np.array_equal(in_pieces(board, stems, lengths)[0], whole)


def test_a_second_song_starts_where_the_first_did() -> None:
    gain = Automated(pedalboard.Gain(0.0), {"gain_db": [(0.0, 0.0), (0.5, -60.0)]})
    board = StemBoard(stems={"vocals": [gain]})
    first = board.process(ones(RATE), RATE)["mix"]
    assert np.array_equal(board.process(ones(RATE), RATE)["mix"], first)


@pytest.mark.parametrize(
    ("plugin", "curves", "said"),
    [
        (pedalboard.Gain(), {"gain": [(0, 0)]}, "unknown parameter 'gain', did you mean 'gain_db'"),
        (pedalboard.Gain(), {"gain_db": [(0, 0), (1, 99)]}, "'gain_db': got 99.0, expected a num"),
        (pedalboard.Gain(), {"gain_db": [(1, 0), (1, 9)]}, r"expected points \(seconds, value\)"),
        (pedalboard.Gain(), {"gain_db": []}, r"expected points \(seconds, value\)"),
        (pedalboard.Gain(), {"gain_db": [(-1, 0)]}, r"expected points \(seconds, value\)"),
        (
            pedalboard.BrickwallLimiter(),
            {"lookahead_ms": [(0, 5), (9, 9)]},
            r"mix, plugin 1 \(BrickwallLimiter\), parameter 'lookahead_ms': cannot be automated",
        ),
        (pedalboard.LadderFilter(), {"mode": [(0, 1)]}, "'mode': cannot be automated"),
    ],
)
def test_what_cannot_follow_is_refused(
    plugin: pedalboard.Plugin, curves: dict[str, Points], said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        StemBoard(mix=[Automated(plugin, curves)])


def test_a_frequency_that_rises_too_high_is_refused_before_it_does() -> None:
    moving = Automated(
        pedalboard.LowpassFilter(), {"cutoff_frequency_hz": [(0, 500), (60, 15_000)]}
    )
    with pytest.raises(ConfigError, match=r"got 15000\.0, expected less than half the sample rate"):
        StemBoard(mix=[moving]).process(noise_stems(100), 22_050)
