"""`streamsep separate` when something is wrong: one clear line, the right code, no half stems."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from offline.material import listing, noise, write

from cli.conftest import stem_files, written

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cli.conftest import Ended

needs_root = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can become another user"
)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "no FILE or DIR was given"),
        (["none.wav"], "'none.wav' does not exist"),
        (["song.wav", "--frobnicate"], "--frobnicate"),
        (["song.wav", "-j", "0"], "-j"),
        (["song.wav", "-j", "many"], "-j"),
        (["song.wav", "--shifts", "-1"], "--shifts"),
        (["song.wav", "--overlap", "1"], "--overlap"),
        (["song.wav", "--overlap", "nan"], "--overlap"),
        (["song.wav", "--segment", "0"], "--segment"),
        (["song.wav", "--segment", "-3"], "--segment"),
        (["song.wav", "--segment", "nan"], "--segment"),
        (["song.wav", "--segment", "inf"], "--segment"),
        (["song.wav", "--segment", "1e12"], "--segment"),
        (["song.wav", "--two-stems", "voice"], "unknown stem 'voice', this model gives drums"),
        (["song.wav", "--other-method", "magic"], "--other-method"),
        (["song.wav", "--consistency", "magic"], "--consistency"),
        (["song.wav", "--refine", "magic"], "--refine"),
        (["song.wav", "--clip-mode", "magic"], "--clip-mode"),
        (["song.wav", "--clip-mode", "none"], "needs float32"),
        (["song.wav", "--int24", "--float32"], "exclude each other"),
        (["song.wav", "--flac", "--mp3"], "exclude each other"),
        (["song.wav", "--flac", "--float32"], "flac cannot hold float32"),
        (["song.wav", "--mp3", "--int24"], "mp3 has no sample format"),
        (["song.wav", "--mp3", "--mp3-bitrate", "100"], "expected one of 32"),
        (["song.wav", "--mp3-bitrate", "128"], "leave out --mp3-bitrate"),
        (["song.wav", "--flac", "--mp3-bitrate", "320"], "a flac has no bit rate"),
        (["song.wav", "--other-method", "add"], "add --two-stems STEM"),
        (["song.wav", "--filename", "{song}"], "use {track}, {trackext}, {stem} and {ext}"),
        (["song.wav", "--filename", "{track}.{ext}"], "add {stem}"),
        (["song.wav", "--latency-preset", "studo"], "did you mean 'studio'"),
        (["song.wav", "--latency-preset", "./none.yaml"], "none.yaml"),
        (["song.wav", "--latency-preset", "studio", "--segment", "3"], "leave out --segment"),
        (["song.wav", "--exact"], "add one, or leave out --exact"),
        (["song.wav", "--segment", "3", "--incremental"], "add one, or leave out --incremental"),
        (["song.wav", "--device", "abacus"], "device 'abacus' cannot be used"),
        (["song.wav", "-n", "hdemucs_mni"], "did you mean 'hdemucs_mmi'"),
        (["song.wav", "-n", "song.wav"], "song.wav"),
        (["song.wav", "-n", "."], "unknown model '.'"),
        (["song.wav", "-n", "x" * 300], "File name too long"),
        (["song.wav", "-o", "song.wav"], "choose another output folder"),
        (["song.wav", "song.wav/none.wav"], "none.wav"),
    ],
)
def test_a_mistake_gets_one_line_and_nothing_is_made(
    arguments: list[str], said: str, separate: Callable[..., Ended], song: Path, folder: Path
) -> None:
    code = 1 if arguments[1:2] == ["song.wav/none.wav"] else 2
    separate(*arguments).check_one_line(code, said)
    if code == 2:
        assert listing(folder) == ["song.wav"]


def test_a_link_to_itself_is_one_line_and_the_others_are_done(
    separate: Callable[..., Ended], song: Path, folder: Path
) -> None:
    (folder / "round.wav").symlink_to("round.wav")
    separate("round.wav", "song.wav").check_one_line(1, "'round.wav' cannot be read")
    assert written(folder) == stem_files()
    separate("song.wav", "-o", "round.wav").check_one_line(2, "round.wav")


def test_all_wrong_formats_for_the_song_are_one_line(
    separate: Callable[..., Ended], folder: Path
) -> None:
    write(folder / "song.wav", noise(6, 2_000), 96_000)
    separate("song.wav", "--mp3").check_one_line(2, "choose wav or flac")
    assert written(folder) == []


@pytest.mark.parametrize("damage", ["cut", "foreign", "empty", "flipped"])
def test_a_corrupt_checkpoint_is_one_line(
    damage: str, separate: Callable[..., Ended], song: Path, folder: Path, weights: Path
) -> None:
    data = weights.read_bytes()
    content = {
        "cut": data[:-1_000],
        "foreign": b"PK\x03\x04 no network" * 100,
        "empty": b"",
        "flipped": data[:8] + b"}" + data[9:],
    }
    path = folder / "broken.safetensors"
    path.write_bytes(content[damage])
    separate(song, "-n", path).check_one_line(2, "broken.safetensors")
    assert written(folder) == []


def test_a_model_that_is_nowhere_and_may_not_be_fetched_is_one_line(
    separate: Callable[..., Ended], song: Path, folder: Path
) -> None:
    ended = separate(song, "-n", "hdemucs_mmi", "--no-download", "--cache-dir", folder / "cache")
    ended.check_one_line(2, "downloads are off")


@pytest.mark.parametrize("name", ["bad.wav", "bad.raw"])
def test_a_bad_file_does_not_stop_the_others(
    name: str, separate: Callable[..., Ended], song: Path, folder: Path
) -> None:
    (folder / name).write_text("not audio")
    separate(name, song).check_one_line(1, name)
    assert written(folder) == stem_files()


def test_a_bad_argument_does_not_stop_the_others(
    separate: Callable[..., Ended], song: Path, folder: Path
) -> None:
    separate("none.wav", song).check_one_line(1, "'none.wav' does not exist")
    assert written(folder) == stem_files()


def test_if_all_fail_there_is_a_line_for_each_and_code_2(
    separate: Callable[..., Ended], folder: Path
) -> None:
    (folder / "empty.wav").touch()
    (folder / "text.wav").write_text("not audio")
    ended = separate("empty.wav", "text.wav")
    assert ended.code == 2
    assert [line.startswith("streamsep: '") for line in ended.err.splitlines()] == [True] * 2
    assert written(folder) == []


def test_a_folder_without_audio_is_one_line(separate: Callable[..., Ended], folder: Path) -> None:
    (folder / "texts").mkdir()
    (folder / "texts" / "a.txt").touch()
    separate("texts").check_one_line(2, "no audio files in 'texts'")


def test_tracks_that_would_share_stems_are_one_line(
    separate: Callable[..., Ended], song: Path, folder: Path
) -> None:
    write(folder / "other.wav")
    ended = separate(song, "other.wav", "--filename", "{stem}.{ext}")
    ended.check_one_line(2, "add {track} and {trackext}")
    assert written(folder) == []


@pytest.fixture
def roots_folder(weights: Path) -> Iterator[Path]:
    """A folder of root's with a song that only root may read, while this process is nobody."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    shutil.copy(weights, folder / "tiny.safetensors")
    (folder / "tiny.safetensors").chmod(0o644)
    write(folder / "song.wav", noise(2, 2_000))
    write(folder / "secret.wav", noise(2, 2_000)).chmod(0o600)
    os.seteuid(65534)
    try:
        yield folder
    finally:
        os.seteuid(0)
        shutil.rmtree(folder)


@needs_root
def test_no_permission_is_one_line(separate: Callable[..., Ended], roots_folder: Path) -> None:
    options = ("-n", roots_folder / "tiny.safetensors", "-o", roots_folder / "out")
    unreadable = separate(roots_folder / "secret.wav", *options)
    unreadable.check_one_line(2, "secret.wav' cannot be read: permission denied")
    unwritable = separate(roots_folder / "song.wav", *options)
    unwritable.check_one_line(2, "Permission denied; choose another output folder")
