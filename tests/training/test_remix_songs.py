"""From a folder of songs to a folder of remixes: beats meet, and nothing half-made has a name."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from click_songs import RATE, ClickSong, onsets
from support import require

from streamsep.errors import ConfigError, InputError, OutputError
from streamsep.files import find_tracks
from streamsep.training.dataset import MUSDB18_VALIDATION
from streamsep.training.remixing import Remixes, RemixSettings, production, remix_songs
from streamsep.training.remixing.analysis_cache import AnalysisCache
from streamsep.training.remixing.mixing import within_full_scale
from streamsep.training.remixing.planning import Recipe

STEMS = ("drums", "bass", "other", "vocals")
COPIES = 2
SONGS = {
    "one": ClickSong(bpm=120.0, key=36, first_s=0.25),
    "two": ClickSong(bpm=111.0, key=38, first_s=0.6, silence_s=1.2),
    "three": ClickSong(bpm=131.5, key=35, first_s=0.1),
    "waltz": ClickSong(bpm=160.0, key=36, first_s=0.3),
    "a cappella": ClickSong(silent=("drums", "bass")),
}


@pytest.fixture(scope="module")
def songs(tmp_path_factory) -> Path:
    try:
        import librosa  # noqa: F401
        import python_stretch  # noqa: F401
    except ImportError as error:
        require(False, f"{error.name} is not installed: the extra 'training'")
    folder = tmp_path_factory.mktemp("songs")
    for name, song in SONGS.items():
        song.write(folder / name)
    return folder


def remix(data: Path, out: Path, copies: int = COPIES, **settings) -> Remixes:
    return remix_songs(data, out, copies=copies, settings=RemixSettings(**settings), jobs=1)


@pytest.fixture(scope="module")
def remixed(songs, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("remixes")
    remix(songs, out)
    return out


def recipes(out: Path) -> list[Recipe]:
    files = sorted(out.glob("*/remix.json"))
    return [Recipe.model_validate_json(path.read_bytes()) for path in files]


def contents(out: Path) -> dict[str, bytes]:
    """All files but what was heard, which names the songs' dates."""
    return {
        str(path.relative_to(out)): path.read_bytes()
        for path in sorted(out.rglob("*"))
        if path.is_file() and ".analysis" not in path.parts
    }


def test_beats_of_all_stems_meet_within_10_ms(remixed):
    checked = 0
    for recipe in recipes(remixed):
        beats = {}
        for stem in STEMS:
            audio, _ = soundfile.read(remixed / recipe.name / f"{stem}.flac", dtype="float32")
            beats[stem] = onsets(audio[:, 0])
        for stem in STEMS[1:]:
            distance = np.abs(beats["drums"][:, None] - beats[stem][None, :])
            # Cut off in its middle, the first or last note of a stem may count in one alone.
            assert distance.min(axis=1)[1:-1].max() <= 0.010, (recipe.name, stem)
            checked += len(beats["drums"]) - 2
    assert checked > 200


def test_stems_come_from_several_songs_with_the_hosts_tempo_and_key(remixed):
    made = recipes(remixed)
    assert {recipe.host for recipe in made} == {"one", "two", "three"}
    for recipe in made:
        host = SONGS[recipe.host]
        assert recipe.beats_per_minute == pytest.approx(host.bpm, rel=1e-3)
        assert len({part.song for part in recipe.parts}) > 1
        for part in recipe.parts:
            guest = SONGS[part.song]
            assert part.speed == pytest.approx(host.bpm / guest.bpm, rel=2e-3)
            assert part.semitones == (0 if part.stem == "drums" else host.key - guest.key)
            assert part.beats_met == 1.0


def test_transposed_stems_have_the_hosts_notes(remixed):
    # Every vocal line alternates between the same two notes, so its guest's shift can be read off.
    seen = set()
    for recipe in recipes(remixed):
        part = recipe.parts[3]
        audio, rate = soundfile.read(remixed / recipe.name / "vocals.flac", dtype="float32")
        spectrum = np.abs(np.fft.rfft(audio[:, 0] * np.hanning(len(audio))))
        peak = np.argmax(spectrum) * rate / len(audio)
        wanted = np.array([1320.0, 1650.0]) * 2 ** (part.semitones / 12)
        assert np.abs(12 * np.log2(peak / wanted)).min() < 0.2
        seen.add(part.semitones)
    assert len(seen) > 2


def test_remixes_are_songs_to_train_with(remixed):
    tracks = find_tracks(remixed, STEMS, RATE, 2)
    made = recipes(remixed)
    assert [track.name for track in tracks] == [recipe.name for recipe in made]
    assert [track.length for track in tracks] == [recipe.length for recipe in made]
    assert all(track.length > 4 * RATE for track in tracks)


def test_a_table_says_where_every_stem_is_from(remixed):
    with (remixed / "remix.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    made = {recipe.name: recipe for recipe in recipes(remixed)}
    assert len(rows) == 4 * len(made)
    for row in rows:
        (part,) = [part for part in made[row["remix"]].parts if part.stem == row["stem"]]
        assert (row["song"], int(row["semitones"])) == (part.song, part.semitones)
        assert (float(row["speed"]), int(row["skip"])) == (part.speed, part.skip)


def test_what_a_host_keeps_is_untouched(songs, remixed):
    recipe = next(recipe for recipe in recipes(remixed) if recipe.parts[0].song == recipe.host)
    (part,) = [part for part in recipe.parts if part.stem == "drums"]
    start = part.start + part.skip
    kept, _ = soundfile.read(
        songs / recipe.host / "drums.flac", start=start, frames=recipe.length, dtype="int16"
    )
    there, _ = soundfile.read(remixed / recipe.name / "drums.flac", dtype="int16")
    assert np.array_equal(kept, there)


def test_the_same_songs_and_seed_make_the_same_files(songs, remixed, tmp_path):
    remix(songs, tmp_path, copies=1)
    again = contents(tmp_path)
    again.pop("remix.csv")
    assert len(again) == 3 * 5
    assert again.items() <= contents(remixed).items()


def test_songs_are_heard_once(songs, remixed, monkeypatch):
    monkeypatch.setattr(production, "analyse", None)
    before = contents(remixed)
    made = remix(songs, remixed)
    assert contents(remixed) == before
    assert (made.hosts, made.songs) == (3, 5)
    assert sorted(made.folders) == [remixed / recipe.name for recipe in recipes(remixed)]


def test_a_song_that_changed_is_heard_again(songs, remixed, tmp_path, monkeypatch):
    shutil.copytree(songs, tmp_path / "songs")  # keeps the dates
    shutil.copytree(remixed / ".analysis", tmp_path / "out" / ".analysis")
    (tmp_path / "out" / ".analysis" / "two.json").write_text('{"stamp": "1 2')
    os.utime(tmp_path / "songs" / "one" / "bass.flac", (1, 1))
    heard = []
    analyse = production.analyse
    monkeypatch.setattr(
        production, "analyse", lambda track, *_: heard.append(track.name) or analyse(track, *_)
    )
    remix(tmp_path / "songs", tmp_path / "out", copies=1)
    assert sorted(heard) == ["one", "two"]


def test_a_song_that_changes_while_it_is_heard_is_heard_again(
    songs, remixed, tmp_path, monkeypatch
):
    shutil.copytree(songs, tmp_path / "songs")
    shutil.copytree(remixed / ".analysis", tmp_path / "out" / ".analysis")
    (tmp_path / "out" / ".analysis" / "one.json").unlink()
    heard = []
    analyse = production.analyse

    def analyse_while_it_changes(track, *arguments):
        heard.append(track.name)
        analysis = analyse(track, *arguments)
        os.utime(tmp_path / "songs" / "one" / "bass.flac", (1, 1))
        return analysis

    monkeypatch.setattr(production, "analyse", analyse_while_it_changes)
    remix(tmp_path / "songs", tmp_path / "out", copies=1)
    # The songs have changed, so their remixes need a folder of their own.
    shutil.copytree(tmp_path / "out" / ".analysis", tmp_path / "other" / ".analysis")
    remix(tmp_path / "songs", tmp_path / "other", copies=1)
    assert heard == ["one", "one"]


def test_a_stem_that_comes_from_another_file_is_heard_again(songs, remixed, tmp_path, monkeypatch):
    shutil.copytree(songs, tmp_path / "songs")
    shutil.copytree(remixed / ".analysis", tmp_path / "out" / ".analysis")
    for song in (tmp_path / "songs").iterdir():
        shutil.copy2(song / "bass.flac", song / "low.flac")  # keeps size and date
    heard = []
    analyse = production.analyse
    monkeypatch.setattr(
        production, "analyse", lambda track, *_: heard.append(track.name) or analyse(track, *_)
    )
    settings = RemixSettings()
    remix_songs(
        tmp_path / "songs", tmp_path / "out", copies=1, settings=settings, jobs=1,
        stem_names={"bass": "low"},
    )  # fmt: skip
    assert sorted(heard) == sorted(SONGS)


def test_remixes_of_songs_that_have_changed_since_are_refused(songs, remixed, tmp_path):
    shutil.copytree(songs, tmp_path / "songs")
    shutil.copytree(remixed, tmp_path / "out")
    remix(tmp_path / "songs", tmp_path / "out")
    before = contents(tmp_path / "out")
    vocals = tmp_path / "songs" / "one" / "vocals.flac"
    audio, rate = soundfile.read(vocals)
    soundfile.write(vocals, 0.5 * audio, rate, subtype="PCM_16")  # its beats and key are the same
    with pytest.raises(OutputError, match=r"changed since.*remove it or name another folder"):
        remix(tmp_path / "songs", tmp_path / "out")
    assert contents(tmp_path / "out") == before


def test_a_refusal_comes_before_any_song_is_heard(songs, remixed, tmp_path, monkeypatch):
    shutil.copytree(songs, tmp_path / "songs")
    shutil.copytree(remixed, tmp_path / "out")
    shutil.rmtree(tmp_path / "out" / ".analysis")
    monkeypatch.setattr(production, "analyse", lambda *_: pytest.fail("a song was heard"))
    with pytest.raises(OutputError, match="with other options"):
        remix(tmp_path / "songs", tmp_path / "out", seed=1)
    os.utime(tmp_path / "songs" / "one" / "vocals.flac", (1, 1))
    with pytest.raises(OutputError, match="changed since"):
        remix(tmp_path / "songs", tmp_path / "out")
    shutil.rmtree(tmp_path / "songs" / "one")
    with pytest.raises(OutputError, match="other songs"):
        remix(tmp_path / "songs", tmp_path / "out")


def without_sources(out: Path) -> None:
    """Make the recipes what they were before they had the stamps of their songs' files."""
    for recipe in recipes(out):
        old = recipe.model_dump_json(exclude={"sources"})
        (out / recipe.name / "remix.json").write_text(old, "utf-8")


def test_remixes_that_do_not_say_of_which_files_they_are_are_taken_with_one_warning(
    songs, remixed, tmp_path, caplog
):
    shutil.copytree(remixed, tmp_path / "out")
    without_sources(tmp_path / "out")
    before = contents(tmp_path / "out")
    remix(songs, tmp_path / "out")
    assert contents(tmp_path / "out") == before
    (message,) = [said for said in caplog.messages if "from which files" in said]
    assert message.startswith(f"{len(recipes(remixed))} remixes")


def test_remixes_that_do_not_say_of_which_files_they_are_must_be_those_planned(
    songs, remixed, tmp_path
):
    shutil.copytree(remixed, tmp_path / "out")
    without_sources(tmp_path / "out")
    first = recipes(tmp_path / "out")[0]
    other = first.model_copy(update={"length": first.length - 1})
    (tmp_path / "out" / first.name / "remix.json").write_text(
        other.model_dump_json(exclude={"sources"}), "utf-8"
    )
    with pytest.raises(OutputError, match=f"{first.name} was made from other songs"):
        remix(songs, tmp_path / "out")


def test_what_an_older_version_heard_is_heard_anew_without_a_warning(remixed, tmp_path, caplog):
    kept = json.loads((remixed / ".analysis" / "one.json").read_text("utf-8"))
    old = {"stamp": "1 123@456", "analysis": kept["analysis"]}
    (tmp_path / "one.json").write_text(json.dumps(old), "utf-8")
    assert AnalysisCache(tmp_path).find("one", ()) is None
    assert not caplog.messages


@pytest.mark.skipif(os.name == "nt", reason="Windows has no locale of ASCII")
def test_the_table_of_remixes_takes_names_that_the_locale_does_not_have(remixed, tmp_path):
    script = (
        "import pathlib, sys\n"
        "from streamsep.training.remixing import production\n"
        "from streamsep.training.remixing.planning import Recipe\n"
        "recipe = Recipe.model_validate_json(pathlib.Path(sys.argv[1]).read_bytes())\n"
        "recipe = recipe.model_copy(update={'name': 'caf\\xe9-remix-0'})\n"
        "production._write_table(pathlib.Path(sys.argv[2]), [recipe])\n"
    )
    recipe = remixed / recipes(remixed)[0].name / "remix.json"
    # On Windows the locale is no UTF-8 either; here that has to be asked for.
    ascii_only = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    ended = subprocess.run(
        [sys.executable, "-c", script, recipe, tmp_path / "remix.csv"],
        env={**os.environ, **ascii_only},
        capture_output=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert "café-remix-0" in (tmp_path / "remix.csv").read_text("utf-8")


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
def test_a_killed_run_goes_on_where_it_stopped(songs, remixed, tmp_path, monkeypatch):
    shutil.copytree(remixed / ".analysis", tmp_path / ".analysis")
    here = Path(__file__).parent
    killed = subprocess.run(
        [sys.executable, here / "killed_remix.py", songs, tmp_path, str(COPIES), "1"],
        env={**os.environ, "PYTHONPATH": str(here.parent.parent)},
        capture_output=True,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    # One was whole; the second had all its stems, but no name yet.
    assert len(recipes(tmp_path)) == 1
    assert len(find_tracks(tmp_path, STEMS, RATE, 2)) == 1
    assert len(list((tmp_path / ".unfinished").glob("*/*.flac"))) == 4
    mixed = []
    mix = production.mix_remix
    monkeypatch.setattr(
        production, "mix_remix", lambda recipe, *_: mixed.append(recipe.name) or mix(recipe, *_)
    )
    remix(songs, tmp_path)
    assert len(mixed) == len(recipes(remixed)) - 1
    assert contents(tmp_path) == contents(remixed)


def test_remixes_made_with_other_options_are_not_mixed_with_these(songs, remixed):
    before = contents(remixed)
    with pytest.raises(OutputError, match="other songs or with other options; remove it or name"):
        remix(songs, remixed, seed=1)
    assert contents(remixed) == before


def test_a_folder_that_happens_to_have_a_remixs_name_is_kept(songs, remixed, tmp_path):
    shutil.copytree(remixed / ".analysis", tmp_path / ".analysis")
    mine = tmp_path / recipes(remixed)[0].name
    mine.mkdir()
    (mine / "notes.txt").write_text("mine")
    with pytest.raises(OutputError, match=mine.name):
        remix(songs, tmp_path)
    assert (mine / "notes.txt").read_text() == "mine"


def test_songs_that_cannot_be_used_are_named(songs, remixed, caplog):
    remix(songs, remixed)
    assert "a cappella: left out, its drums have fewer than 8 beats" in caplog.text


def test_songs_that_do_not_fit_are_an_error(songs, remixed, tmp_path):
    for name in ("one", "waltz"):
        shutil.copytree(songs / name, tmp_path / "songs" / name)
    shutil.copytree(remixed / ".analysis", tmp_path / "out" / ".analysis")
    with pytest.raises(InputError, match=r"no two of the 2 songs .* 3 semitones and 15% of tempo"):
        remix(tmp_path / "songs", tmp_path / "out")
    assert not list((tmp_path / "out").glob("*"))[1:]


def test_songs_to_judge_by_take_no_part(songs, remixed, tmp_path):
    (held_out, *_) = sorted(MUSDB18_VALIDATION)
    for name in ("one", "two", "three"):
        shutil.copytree(songs / name, tmp_path / "songs" / name)
    (tmp_path / "songs" / "two").rename(tmp_path / "songs" / held_out)
    shutil.copytree(remixed / ".analysis", tmp_path / "out" / ".analysis")
    made = remix(tmp_path / "songs", tmp_path / "out", copies=1)
    assert made.songs == 2
    lenders = {part.song for recipe in recipes(tmp_path / "out") for part in recipe.parts}
    assert lenders == {"one", "three"}


def test_remixes_among_the_songs_are_refused(songs):
    with pytest.raises(ConfigError, match="cannot lie among its songs"):
        remix(songs, songs / ".." / songs.name)


@pytest.mark.parametrize("numbers", [{"copies": 0, "jobs": 1}, {"copies": 1, "jobs": 0}])
def test_numbers_below_one_are_refused(songs, tmp_path, numbers):
    with pytest.raises(ConfigError, match="expected at least 1"):
        remix_songs(songs, tmp_path, settings=RemixSettings(), **numbers)


def test_a_file_in_place_of_the_folder_is_an_error(songs, tmp_path):
    (tmp_path / "out").write_text("not a folder")
    with pytest.raises(OutputError, match="cannot be made a folder"):
        remix(songs, tmp_path / "out")


def test_loud_remixes_are_made_softer_together():
    stems = {"drums": torch.full((2, 10), 0.9), "bass": torch.full((2, 10), 0.6)}
    softer = within_full_scale(stems)
    assert sum(softer.values()).max() == pytest.approx(1 / 1.01)
    assert softer["bass"][0, 0] / softer["drums"][0, 0] == pytest.approx(2 / 3)
    opposed = within_full_scale({"drums": torch.full((2, 10), 2.0), "bass": -stems["drums"]})
    assert opposed["drums"].max() == pytest.approx(1 / 1.01)
    soft = {"drums": torch.full((2, 10), 0.4), "bass": torch.full((2, 10), 0.5)}
    assert all(torch.equal(stem, soft[name]) for name, stem in within_full_scale(soft).items())
