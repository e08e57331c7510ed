"""What is gathered while a song passes: nSDR, and what is heard where a stem is silent."""

from __future__ import annotations

from itertools import chain, repeat
from typing import TYPE_CHECKING

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from streams import blocks, cuts, noise

from streamsep.audio.nsdr import nsdr_db
from streamsep.evaluation.energies import LOWEST_DB, EnergyMeter, StemEnergies

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

WINDOW = 1_000


def metered(stems: Tensor, estimates: Tensor, sizes: Sequence[int] = (700,)) -> list[StemEnergies]:
    """What a meter finds that has heard a song [S, C, T] in blocks."""
    meter = EnergyMeter(stems.shape[0], window=WINDOW)
    together = torch.cat([stems, stems.sum(0)[None], estimates])
    for block in blocks(together, chain.from_iterable(repeat(sizes))):
        count = stems.shape[0]
        meter.add(block[:count], block[count], block[count + 1 :])
    return meter.finish()


def song(length: int = 5_300) -> Tensor:
    return torch.stack([noise(2, length, seed=seed) for seed in range(3)])


@given(length=st.integers(1, 5_000), sizes=cuts)
def test_nsdr_is_that_of_the_whole_however_the_song_was_cut(length: int, sizes: list[int]) -> None:
    stems = song(length)
    estimates = stems + 0.2 * stems.flip(0)
    found = [stem.nsdr_db for stem in metered(stems, estimates, sizes)]
    expected = [nsdr_db(*pair) for pair in zip(stems, estimates, strict=True)]
    assert found == pytest.approx(expected, abs=1e-9)


def test_a_stem_that_never_sounds_has_no_nsdr_but_a_level_of_what_was_made_up() -> None:
    stems = song()
    stems[2] = 0.0
    estimates = stems.clone()
    estimates[2] = 0.01 * stems.sum(0)
    found = metered(stems, estimates)[2]
    assert found.nsdr_db is None
    assert found.false_db == pytest.approx(-40.0, abs=1e-4)
    assert found.silent_samples == found.samples == stems.shape[-1]


def test_only_the_silent_seconds_of_a_stem_count_as_made_up() -> None:
    stems = song(4 * WINDOW)
    stems[1, :, WINDOW : 2 * WINDOW] = 0.0
    estimates = stems.clone()
    estimates[1, :, : 2 * WINDOW] += 0.1 * stems.sum(0)[:, : 2 * WINDOW]
    found = metered(stems, estimates)
    assert found[1].false_db == pytest.approx(-20.0, abs=1e-4)
    assert found[1].silent_samples == WINDOW
    assert found[1].nsdr_db is not None
    assert found[0].false_db is None, "it always plays"


def test_in_a_pause_of_the_whole_song_nothing_counts_as_made_up() -> None:
    stems = song(4 * WINDOW)
    stems[..., : 2 * WINDOW] *= 1e-5
    stems[0] *= 1e-4
    estimates = stems.clone()
    estimates[..., :WINDOW] = 0.1
    found = metered(stems, estimates)
    assert found[0].nsdr_db is None, "a noise floor is no sound for being alone"
    assert found[0].silent_samples == 4 * WINDOW
    assert found[0].false_db < -70
    assert [stem.false_db for stem in found[1:]] == [None, None]
    assert found[1].silent_samples == 2 * WINDOW


def test_a_noise_floor_is_silence_and_a_soft_stem_is_not() -> None:
    stems = song()
    stems[0] *= 1e-4
    assert metered(stems, stems)[0].nsdr_db is None
    stems[0] *= 1e2
    assert metered(stems, stems)[0].nsdr_db is not None


def test_silent_estimates_of_silent_stems_have_the_lowest_level() -> None:
    stems = song()
    stems[0] = 0.0
    for level in (0.0, 1e-9):
        assert metered(stems, torch.full_like(stems, level))[0].false_db == LOWEST_DB


def test_where_nothing_plays_at_all_there_are_no_figures() -> None:
    nothing = torch.zeros(3, 2, 2_500)
    for found in metered(nothing, nothing):
        assert (found.nsdr_db, found.false_db) == (None, None)
