"""The picture of a separation."""

from __future__ import annotations

import pytest
import torch
from matplotlib.image import imread

from streamsep.errors import OutputError
from streamsep.evaluation.picture import save_spectrograms


@pytest.mark.parametrize("length", [1, 3000, 200_000])
def test_a_picture_shows_sounds_of_any_length(tmp_path, length):
    path = tmp_path / "picture.png"
    save_spectrograms(
        path, {"mixture": torch.rand(2, length), "bass": torch.rand(2, length)}, 44_100
    )
    image = imread(path)
    assert image.shape[0] > 300
    assert image.std() > 0.05, "an empty page"


def test_a_tone_lights_up_where_it_sounds(tmp_path):
    time_s = torch.arange(44_100) / 44_100
    low, high = torch.sin(6.283 * 100 * time_s), torch.sin(6.283 * 10_000 * time_s)
    brightest = []
    for name, tone in (("low", low), ("high", high)):
        save_spectrograms(tmp_path / f"{name}.png", {"tone": tone[None]}, 44_100)
        inside = imread(tmp_path / f"{name}.png")[40:-60, 100:-150, :3].sum(-1)
        brightest.append(int(inside.mean(1).argmax()))
    assert brightest[0] > brightest[1], "low tones belong below high ones"


def test_a_picture_that_cannot_be_written_is_a_clear_error(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(OutputError, match="cannot write"):
        save_spectrograms(tmp_path / "file" / "p.png", {"mixture": torch.rand(2, 3000)}, 44_100)
