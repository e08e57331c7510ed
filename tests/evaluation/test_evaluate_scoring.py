"""One song, one method: the scores are those of the stems that the program would write."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import psutil
import pytest
import torch
from evaluation_songs import LIVE, OFFLINE, RATE, read_stems, songs_in, write_song
from fakes import STEMS, Gains
from offline.material import fake_model, noise, read, stems_of, tiny_model, write

from streamsep.audio.nsdr import nsdr_db
from streamsep.engine import OverlapConfig, StreamConfig, StreamingSeparator
from streamsep.errors import ConfigError
from streamsep.evaluation.bss_eval import bss_eval
from streamsep.evaluation.methods import MIXTURE, SILENCE, Finish, Live, Offline
from streamsep.evaluation.scoring import score_song
from streamsep.evaluation.songs import find_songs
from streamsep.files import Encoding
from streamsep.offline import SeparationOptions, separate_file

if TYPE_CHECKING:
    from pathlib import Path

    from streamsep.evaluation.scores import SongScores
    from streamsep.evaluation.songs import Song
    from streamsep.models import LoadedModel


@pytest.fixture(scope="module")
def song(tmp_path_factory: pytest.TempPathFactory) -> Song:
    """Two seconds and a bit, so that there are two frames."""
    folder = tmp_path_factory.mktemp("songs")
    write_song(folder / "song", length=2 * RATE + 1_000)
    return songs_in(folder)[0]


def nsdr(scores: SongScores) -> list[float | None]:
    return [stem.nsdr_db for stem in scores.stems.values()]


LIVE_TILING = StreamConfig(context=8192, hop=8192, look_ahead=4096, crossfade=1024)
FILE_TILING = OverlapConfig(segment=16_384)
WAYS = {
    "as files": (Offline(FILE_TILING), {"tiling": FILE_TILING}),
    "shifted": (Offline(FILE_TILING, shifts=2), {"tiling": FILE_TILING, "shifts": 2}),
    "live": (Live("preset", LIVE_TILING), {"tiling": LIVE_TILING}),
    "finished": (
        Live("preset", LIVE_TILING, Finish(consistency="energy", refinement="wiener")),
        {"tiling": LIVE_TILING, "consistency": "energy", "refinement": "wiener"},
    ),
    "finished file": (
        Offline(FILE_TILING, finish=Finish(refinement="wiener")),
        {"tiling": FILE_TILING, "refinement": "wiener"},
    ),
}


@pytest.mark.parametrize("way", WAYS)
def test_nsdr_is_that_of_the_files_that_separate_writes(
    way: str, song: Song, tmp_path: Path
) -> None:
    method, options = WAYS[way]
    model = tiny_model()
    stems = read_stems(song)
    mixture = write(tmp_path / "mixture.wav", stems.sum(0))
    written = SeparationOptions(**options, encoding=Encoding(samples="float32"))
    estimates = stems_of(separate_file(mixture, model, tmp_path / "out", written))
    expected = [nsdr_db(*pair) for pair in zip(stems, estimates, strict=True)]
    assert nsdr(score_song(song, method, model, bss=False)) == pytest.approx(expected, abs=1e-3)


def test_a_preset_can_be_judged_as_a_processor_plays_it(song: Song) -> None:
    tiling = StreamConfig(context=65_536, hop=2048, look_ahead=2048, crossfade=1024)
    followed = Live("followed", tiling, incremental=True)
    model = tiny_model()
    stems = read_stems(song)
    stream = StreamingSeparator(model, tiling, incremental=True)
    estimates = torch.cat([stream.push(stems.sum(0)), stream.flush()], -1)
    expected = [nsdr_db(*pair) for pair in zip(stems, estimates, strict=True)]
    scored = nsdr(score_song(song, followed, model, bss=False))
    assert scored == pytest.approx(expected, abs=1e-3)
    exact = nsdr(score_song(song, replace(followed, incremental=False), model, bss=False))
    assert scored != pytest.approx(exact, abs=1e-6)


DUO = ("drums", "bass")
"""Two mono stems: the filters of BSS Eval cost the cube of what there is to filter."""


def duo(**options: object) -> LoadedModel:
    return fake_model(Gains(sources=DUO, channels=1, **options))


@pytest.fixture(scope="module")
def small_song(tmp_path_factory: pytest.TempPathFactory) -> Song:
    """Two frames of two mono stems."""
    folder = tmp_path_factory.mktemp("duo")
    write_song(folder / "song", length=2 * RATE + 1_000, stems=DUO, channels=1)
    return songs_in(folder, DUO, 1)[0]


def test_bss_scores_are_the_medians_of_bss_eval(small_song: Song) -> None:
    stems = read_stems(small_song)
    scores = score_song(small_song, LIVE, duo(gains=(0.3, 0.6)))
    estimates = torch.tensor([0.3, 0.6])[:, None, None] * stems.sum(0)
    medians = bss_eval(stems.numpy(), estimates.numpy(), window=RATE, hop=RATE).median()
    for name in ("sdr", "isr", "sir"):
        found = [getattr(stem, f"{name}_db") for stem in scores.stems.values()]
        assert found == pytest.approx(list(medians[name]), abs=1e-3)


def test_baselines_score_what_they_must(small_song: Song) -> None:
    stems = read_stems(small_song)
    scores = score_song(small_song, SILENCE, duo())
    assert nsdr(scores) == [0.0] * 2
    assert all(stem.sdr_db is None for stem in scores.stems.values())
    scores = score_song(small_song, MIXTURE, duo())
    assert nsdr(scores) == pytest.approx([nsdr_db(stem, stems.sum(0)) for stem in stems], abs=1e-6)
    assert all(stem.sdr_db is not None for stem in scores.stems.values())


@pytest.mark.parametrize("silent", [("vocals",), ("drums", "vocals")])
def test_a_silent_stem_takes_no_score_from_the_others(
    silent: tuple[str, ...], tmp_path: Path
) -> None:
    trio = ("drums", "bass", "vocals")
    write_song(tmp_path / "song", length=2 * RATE, silent=silent, stems=trio, channels=1)
    model = fake_model(Gains(sources=trio, channels=1, gains=(0.1, 0.2, 0.3)))
    scores = score_song(songs_in(tmp_path, trio, 1)[0], OFFLINE, model)
    for name, stem in scores.stems.items():
        assert (stem.nsdr_db is None) == (name in silent)
        assert (stem.sdr_db is None) == (name in silent)
        assert (stem.false_db is None) == (name not in silent)
        assert (stem.silent_s == 2.0) == (name in silent)
        assert stem.sir_db is None or len(silent) == 1, "nothing interferes with the only stem"


def test_the_mixture_file_is_separated_and_the_stems_stay_the_reference(tmp_path: Path) -> None:
    folder = write_song(tmp_path / "song")
    loud = 2.0 * sum(read(folder / f"{stem}.wav") for stem in STEMS)
    write(folder / "mixture.wav", loud)
    (song,) = songs_in(tmp_path, use_mixture_file=True)
    expected = [nsdr_db(stem, loud) for stem in read_stems(song)]
    assert nsdr(score_song(song, MIXTURE, fake_model(), bss=False)) == pytest.approx(expected)


def test_progress_adds_up_to_the_song(song: Song) -> None:
    seen: list[int] = []
    score_song(song, LIVE, fake_model(), bss=False, on_progress=seen.append)
    assert sum(seen) == song.frames
    assert len(seen) > 1


def test_a_song_too_long_for_bss_eval_says_what_to_do(song: Song) -> None:
    endless = replace(song, track=replace(song.track, length=10**13))
    with pytest.raises(ConfigError, match="--metrics nsdr"):
        score_song(endless, MIXTURE, fake_model())


def test_without_bss_eval_memory_does_not_grow_with_the_song(tmp_path: Path) -> None:
    rate, minutes, allowed = 8_000, 10, 12 * 2**20
    (tmp_path / "song").mkdir()
    for number, stem in enumerate(STEMS):
        audio = noise(1, minutes * 60 * rate, seed=number, level=0.2)
        write(tmp_path / "song" / f"{stem}.wav", audio, rate, subtype="PCM_16")
    del audio
    (song,) = find_songs(tmp_path, STEMS, rate, 1)
    model = fake_model(Gains(sample_rate=rate, channels=1))
    process = psutil.Process()
    resident: list[int] = []
    method = Offline(OverlapConfig(segment=65_536))
    score_song(
        song, method, model, bss=False,
        on_progress=lambda _: resident.append(process.memory_info().rss),
    )  # fmt: skip
    early = max(resident[: len(resident) // 5])
    assert len(resident) > 50
    assert max(resident) - early < allowed, "one stem as float32 has 19 MB"


def test_scores_are_numbers_that_json_knows(small_song: Song) -> None:
    scores = score_song(small_song, MIXTURE, duo())
    again = type(scores).model_validate_json(scores.model_dump_json())
    assert again == scores
    assert all(np.isfinite(stem.sar_db) for stem in scores.stems.values())
