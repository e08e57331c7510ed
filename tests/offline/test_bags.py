"""Files separated with a bag: one pass for all members, and only for those that are needed."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import pytest
import torch
from fakes import FakeSeparator

from offline.material import GAINS, STEMS, fake_model, noise, read, write
from streamsep.models.bag import Bag, Member
from streamsep.offline import SeparationOptions, separate_file

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

    from streamsep.models import LoadedModel


@dataclass(frozen=True, kw_only=True)
class Counted(FakeSeparator):
    """Every stem is the mixture times a gain; the lengths of the segments are kept."""

    factor: float
    segments: list[int] = field(default_factory=list)

    def __call__(self, mix: Tensor) -> Tensor:
        self.segments.append(mix.shape[-1])
        return self.factor * torch.tensor(GAINS)[:, None, None] * mix[:, None]


@pytest.fixture
def rhythm() -> Counted:
    return Counted(factor=1.0)


@pytest.fixture
def voice() -> Counted:
    return Counted(factor=3.0)


@pytest.fixture
def model(rhythm: Counted, voice: Counted) -> LoadedModel:
    """A bag whose first member counts for drums and bass, the second for all but bass."""
    bag = Bag([Member("rhythm", rhythm, (1, 1, 0, 0)), Member("voice", voice, (1, 0, 1, 1))])
    return replace(fake_model(), separator=bag)


FACTORS = {"drums": 2.0, "bass": 1.0, "other": 3.0, "vocals": 3.0}


def test_a_bag_separates_a_file_in_one_pass(
    model: LoadedModel, rhythm: Counted, voice: Counted, tmp_path: Path
) -> None:
    mix = noise(2, 10_000)
    options = SeparationOptions()
    track = separate_file(write(tmp_path / "song.wav", mix), model, tmp_path / "out", options)
    for stem, gain in zip(STEMS, GAINS, strict=True):
        expected = FACTORS[stem] * gain * mix
        assert (read(track.stems[stem]) - expected).abs().max() < 0.01
    assert rhythm.segments == voice.segments != []


@pytest.mark.parametrize(
    ("options", "both"),
    [
        ({"other_method": "minus"}, False),
        ({"other_method": "none"}, False),
        ({"other_method": "add"}, True),
        ({"other_method": "none", "consistency": "energy"}, True),
        ({"other_method": "minus", "refinement": "wiener"}, True),
    ],
)
def test_only_what_two_stems_need_is_run(
    options: dict[str, str],
    both: bool,
    model: LoadedModel,
    rhythm: Counted,
    voice: Counted,
    tmp_path: Path,
) -> None:
    song = write(tmp_path / "song.wav", noise(2, 10_000))
    for stem, needed in (("bass", rhythm), ("vocals", voice)):
        rhythm.segments.clear()
        voice.segments.clear()
        asked = SeparationOptions(two_stems=stem, **options)
        track = separate_file(song, model, tmp_path / "out", asked)
        assert next(iter(track.stems)) == stem
        assert needed.segments
        assert bool(rhythm.segments and voice.segments) == both


@pytest.mark.parametrize("stem", STEMS)
def test_two_stems_of_a_bag_are_those_of_the_whole_bag(
    stem: str, model: LoadedModel, tmp_path: Path
) -> None:
    song = write(tmp_path / "song.wav", noise(2, 10_000))
    whole = separate_file(song, model, tmp_path / "all")
    options = SeparationOptions(two_stems=stem, other_method="minus", shifts=1)
    part = separate_file(song, model, tmp_path / "two", options)
    assert set(part.stems) == {stem, f"no_{stem}"}
    rounding = 2 / 32_768
    assert (read(part.stems[stem]) - read(whole.stems[stem])).abs().max() < rounding
