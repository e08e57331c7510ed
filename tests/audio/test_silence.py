"""One rule says when a stem is silent, for training, evaluation and demo."""

from __future__ import annotations

import pytest
import torch
from streams import noise

from streamsep.audio.silence import sounding_stems

WINDOW = 1_000


def song(*levels: float, length: int = 3_500) -> torch.Tensor:
    return torch.stack(
        [level * noise(2, length, seed=seed) for seed, level in enumerate((1.0, *levels))]
    )


@pytest.mark.parametrize(("level_db", "sounds"), [(-55.0, True), (-65.0, False)])
def test_what_lies_60_db_below_the_mixture_is_silent(level_db: float, sounds: bool) -> None:
    stems = song(10 ** (level_db / 20))
    assert sounding_stems(stems, stems.sum(0), window=WINDOW).tolist() == [True, sounds]


def test_one_window_is_enough_to_sound_even_a_short_last_one() -> None:
    stems = song(1.0, 1.0)
    stems[1, :, :3_000] = 0.0
    stems[2, :, :] = 0.0
    assert sounding_stems(stems, stems.sum(0), window=WINDOW).tolist() == [True, True, False]


def test_where_nothing_plays_no_stem_sounds() -> None:
    nothing = torch.zeros(2, 2, 2_500)
    assert sounding_stems(nothing, nothing.sum(0), window=WINDOW).tolist() == [False, False]
