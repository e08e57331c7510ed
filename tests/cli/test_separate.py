"""`streamsep separate`: what its flags do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import soundfile
import torch
from offline.material import STEMS, listing, noise, read, tiny_model, write
from streams import one_push
from tiny_networks import tiny_network

from cli.conftest import stem_files, typed, written
from streamsep import StreamConfig, StreamingSeparator, load_preset
from streamsep.models.checkpoints import save_checkpoint

if TYPE_CHECKING:
    from collections.abc import Callable

    from cli.conftest import Ended


def test_the_layout_is_that_of_demucs_and_the_model_is_named(
    separate: Callable[..., Ended], song: Path, folder: Path
) -> None:
    ended = separate(song)
    assert (ended.code, ended.err) == (0, "")
    assert written(folder) == stem_files()
    assert ended.out.startswith("model: tiny (licence: CC0)\n")
    assert "separated/tiny/song/ (drums.wav, bass.wav, other.wav, vocals.wav)" in ended.out


@pytest.mark.parametrize(
    ("flags", "extension", "subtype"),
    [
        ((), "wav", "PCM_16"),
        (("--int24",), "wav", "PCM_24"),
        (("--float32",), "wav", "FLOAT"),
        (("--flac",), "flac", "PCM_16"),
        (("--flac", "--int24"), "flac", "PCM_24"),
        (("--mp3", "--mp3-bitrate", 128), "mp3", "MPEG_LAYER_III"),
    ],
)
def test_formats(
    flags: tuple[object, ...],
    extension: str,
    subtype: str,
    separate: Callable[..., Ended],
    song: Path,
    folder: Path,
) -> None:
    assert separate(song, *flags).code == 0
    assert written(folder) == stem_files(extension)
    for name in written(folder):
        with soundfile.SoundFile(folder / name) as file:
            assert file.subtype == subtype
            assert "tiny" in file.comment


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        (("-o", "out"), "out/tiny/song/bass.wav"),
        (("--out", "a/b"), "a/b/tiny/song/bass.wav"),
        (("--filename", "{stem}_{track}.{ext}"), "separated/tiny/bass_song.wav"),
        (("--two-stems", "vocals"), "separated/tiny/song/no_vocals.wav"),
        (
            ("--two-stems", "vocals", "--other-method", "minus"),
            "separated/tiny/song/no_vocals.wav",
        ),
        (("--two-stems", "vocals", "--other-method", "none"), "separated/tiny/song/vocals.wav"),
        (("--clip-mode", "rescale"), "separated/tiny/song/bass.wav"),
        (("--shifts", 1, "--seed", 3, "--overlap", 0.5), "separated/tiny/song/bass.wav"),
        (("--segment", 0.2, "-j", 2, "-d", "cpu"), "separated/tiny/song/bass.wav"),
    ],
)
def test_flags_of_demucs(
    flags: tuple[object, ...],
    expected: str,
    separate: Callable[..., Ended],
    song: Path,
    folder: Path,
) -> None:
    ended = separate(song, *flags)
    assert (ended.code, ended.err) == (0, "")
    names = [name for name in listing(folder) if name != "song.wav"]
    assert expected in names
    two = 1 if "none" in flags else 2
    assert len(names) == (two if "--two-stems" in flags else 4)


def test_a_latency_preset_separates_as_the_live_engine_does(
    separate: Callable[..., Ended], song: Path, folder: Path, weights: Path
) -> None:
    ended = separate(song, "--latency-preset", "studio", "--float32")
    preset = load_preset("studio")
    assert f"latency {preset.latency} samples" in ended.out
    stream = StreamingSeparator(tiny_model(), StreamConfig.from_preset(preset))
    expected = dict(zip(STEMS, one_push(stream, read(song)), strict=True))
    for stem in STEMS:
        got = read(folder / f"separated/tiny/song/{stem}.wav")
        assert torch.allclose(got, expected[stem], atol=1e-6)


@pytest.mark.parametrize("how", ["--incremental", "--exact"])
def test_who_insists_on_following_a_network_that_cannot_be_is_told(
    song: Path, folder: Path, capsys: pytest.CaptureFixture[str], how: str
) -> None:
    waves = folder / "waves.safetensors"
    network = tiny_network("conv_tasnet", sources=STEMS, audio_channels=2)
    save_checkpoint(network, waves, licence="CC0", training="none")
    ended = typed(capsys, "separate", "-n", waves, song, "--latency-preset", "stage", how)
    assert ended.code == 0
    told = "--incremental changes nothing: 'waves' computes every window anew\n"
    assert ended.err == (told if how == "--incremental" else "")


def test_consistent_stems_sum_to_the_mix(
    separate: Callable[..., Ended], song: Path, folder: Path
) -> None:
    assert separate(song, "--consistency", "other", "--float32").code == 0
    total = sum(read(folder / name) for name in stem_files())
    assert (total - read(song)).abs().max() <= 1e-6


@pytest.mark.parametrize("flags", [(), ("--latency-preset", "shortest")])
def test_refined_stems_sum_to_the_mix_and_are_no_later(
    flags: tuple[object, ...], separate: Callable[..., Ended], song: Path, folder: Path
) -> None:
    ended = separate(song, "--refine", "wiener", "--float32", *flags)
    assert (ended.code, ended.err) == (0, "")
    total = sum(read(folder / name) for name in stem_files())
    assert (total - read(song)).abs().max() <= 1e-6
    if flags:
        assert f"latency {load_preset('shortest').latency} samples" in ended.out


def test_folders_are_searched_and_tracks_keep_their_places(
    separate: Callable[..., Ended], folder: Path
) -> None:
    write(folder / "music" / "a.flac", noise(1, 4_000))
    write(folder / "music" / "live" / "a.wav", noise(2, 4_000))
    (folder / "music" / "cover.txt").touch()
    assert separate("music").code == 0
    assert written(folder) == sorted(stem_files(track="a") + stem_files(track="live/a"))


@pytest.mark.parametrize("out", ["separated", "."])
def test_separating_a_folder_twice_does_not_separate_the_stems(
    out: str, separate: Callable[..., Ended], song: Path, folder: Path
) -> None:
    for _ in range(2):
        assert separate(".", "-o", out).code == 0
        assert len(listing(folder)) == 5


def test_stems_can_be_separated_if_asked_by_name(
    separate: Callable[..., Ended], song: Path, folder: Path
) -> None:
    separate(song)
    assert separate("separated/tiny/song/bass.wav").code == 0
    assert (folder / "separated/tiny/bass/drums.wav").is_file()


def test_what_is_there_can_be_skipped(
    separate: Callable[..., Ended], song: Path, folder: Path
) -> None:
    separate(song)
    (folder / "separated/tiny/song/bass.wav").write_bytes(b"mine")
    ended = separate(song, "--skip-existing")
    assert (ended.code, ended.err) == (0, "")
    assert "song.wav: skipped, its stems are there" in ended.out
    assert (folder / "separated/tiny/song/bass.wav").read_bytes() == b"mine"


@pytest.mark.parametrize(
    "name", ["with space", "größe 歌", "[red]loud[ :heart: {stem} %s", "-n", "a'b\"c"]
)
def test_names_are_left_as_they_are(
    name: str, separate: Callable[..., Ended], folder: Path
) -> None:
    write(folder / f"{name}.wav", noise(2, 2_000))
    ended = separate("--", f"{name}.wav")
    assert (ended.code, ended.err) == (0, "")
    assert written(folder) == stem_files(track=name)
    assert f"\n{name}.wav: " in ended.out
    assert f"separated/tiny/{name}/ (" in ended.out


def test_json_is_one_object_per_track(
    separate: Callable[..., Ended], song: Path, folder: Path
) -> None:
    (folder / "bad.wav").write_text("not audio")
    ended = separate(song, "bad.wav", "none.wav", "--json")
    told = {each["source"]: each for each in map(json.loads, ended.out.splitlines())}
    assert ended.code == 1
    assert {each["model"] for each in told.values()} == {"tiny"}
    good = told[str(song)]
    assert sorted(good["stems"].values()) == [str(Path(name)) for name in stem_files()]
    assert (good["sample_rate"], good["channels"], good["frames"]) == (44_100, 2, 8_000)
    assert good["latency"] is None
    for name in ("bad.wav", "none.wav"):
        assert set(told[name]) == {"source", "model", "error"}
        assert f"streamsep: {told[name]['error']}\n" in ended.err


def test_bad_and_loud_samples_are_mentioned(separate: Callable[..., Ended], folder: Path) -> None:
    mix = noise(2, 8_000, level=1.0)
    mix[0, :9] = torch.nan
    write(folder / "song.wav", 30.0 * mix)
    ended = separate("song.wav")
    assert "9 samples were NaN or infinite, now silence" in ended.out
    assert "samples of the stems lie beyond full scale; see --clip-mode" in ended.out


def test_models_can_be_listed(separate: Callable[..., Ended]) -> None:
    ended = separate("--list-models")
    assert ended.code == 0
    assert "starter" in ended.out
