"""`streamsep separate`, as it is typed: flags, places, messages and exit codes.

Nearly all tests run the command inside the test's process; where signals matter it is a real one.
"""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import soundfile
import torch
from streams import one_push

from offline.material import STEMS, listing, noise, read, tiny_model, write
from streamsep import StreamConfig, StreamingSeparator, load_preset
from streamsep.cli import main
from streamsep.cli.track_progress import TrackProgress
from streamsep.models.checkpoints import save_checkpoint
from streamsep.offline import SeparatedTrack, TrackOutcome

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

needs_root = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can become another user"
)
needs_signals = pytest.mark.skipif(os.name == "nt", reason="Windows has other signals")


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    def check_one_line(self, code: int, said: str) -> None:
        """Nothing but one clear line on the error stream."""
        assert said in self.err
        assert len(self.err.splitlines()) == 1, self.err
        assert self.err.startswith("streamsep: ")
        assert "Traceback" not in self.out + self.err
        assert self.code == code


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    save_checkpoint(tiny_model().separator, path, licence="CC0", training="none")
    return path


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def separate(
    weights: Path,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Callable[..., Ended]:
    """Types `streamsep separate -n tiny ...`."""

    def run(*arguments: object) -> Ended:
        words = ["streamsep", "separate", "-n", weights, *arguments]
        monkeypatch.setattr(sys, "argv", [str(word) for word in words])
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr()
        return Ended(int(ended.value.code or 0), printed.out, printed.err)

    return run


@pytest.fixture
def song(folder: Path) -> Path:
    return write(folder / "song.wav", noise(2, 8_000))


def stems(extension: str = "wav", track: str = "song") -> list[str]:
    return sorted(f"separated/tiny/{track}/{stem}.{extension}" for stem in STEMS)


def written(folder: Path) -> list[str]:
    return [name for name in listing(folder) if name.startswith("separated/")]


# What it does


def test_the_layout_is_that_of_demucs_and_the_model_is_named(
    separate: Callable[..., Ended], song: Path, folder: Path
) -> None:
    ended = separate(song)
    assert (ended.code, ended.err) == (0, "")
    assert written(folder) == stems()
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
    assert written(folder) == stems(extension)
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


def test_consistent_stems_sum_to_the_mix(
    separate: Callable[..., Ended], song: Path, folder: Path
) -> None:
    assert separate(song, "--consistency", "other", "--float32").code == 0
    total = sum(read(folder / name) for name in stems())
    assert (total - read(song)).abs().max() <= 1e-6


def test_folders_are_searched_and_tracks_keep_their_places(
    separate: Callable[..., Ended], folder: Path
) -> None:
    write(folder / "music" / "a.flac", noise(1, 4_000))
    write(folder / "music" / "live" / "a.wav", noise(2, 4_000))
    (folder / "music" / "cover.txt").touch()
    assert separate("music").code == 0
    assert written(folder) == sorted(stems(track="a") + stems(track="live/a"))


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
    assert written(folder) == stems(track=name)
    assert f"\n{name}.wav: " in ended.out
    assert f"separated/tiny/{name}/ (" in ended.out


def test_json_is_one_object_per_track(
    separate: Callable[..., Ended], song: Path, folder: Path
) -> None:
    (folder / "bad.wav").write_text("not audio")
    ended = separate(song, "bad.wav", "--json")
    good, bad = map(json.loads, ended.out.splitlines())
    assert ended.code == 1
    assert good["model"] == bad["model"] == "tiny"
    assert sorted(good["stems"].values()) == [str(Path(name)) for name in stems()]
    assert (good["sample_rate"], good["channels"], good["frames"]) == (44_100, 2, 8_000)
    assert good["latency"] is None
    assert bad["source"] == "bad.wav"
    assert bad["error"] in ended.err


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


# Mistakes


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
        (["song.wav", "--clip-mode", "magic"], "--clip-mode"),
        (["song.wav", "--clip-mode", "none"], "needs float32"),
        (["song.wav", "--int24", "--float32"], "exclude each other"),
        (["song.wav", "--flac", "--mp3"], "exclude each other"),
        (["song.wav", "--flac", "--float32"], "flac cannot hold float32"),
        (["song.wav", "--mp3", "--int24"], "mp3 has no sample format"),
        (["song.wav", "--mp3", "--mp3-bitrate", "100"], "expected one of 32"),
        (["song.wav", "--filename", "{song}"], "use {track}, {trackext}, {stem} and {ext}"),
        (["song.wav", "--filename", "{track}.{ext}"], "add {stem}"),
        (["song.wav", "--latency-preset", "studo"], "did you mean 'studio'"),
        (["song.wav", "--latency-preset", "./none.yaml"], "none.yaml"),
        (["song.wav", "--latency-preset", "studio", "--segment", "3"], "leave out --segment"),
        (["song.wav", "--device", "abacus"], "device 'abacus' cannot be used"),
        (["song.wav", "-n", "hdemucs_mni"], "did you mean 'hdemucs_mmi'"),
        (["song.wav", "-n", "song.wav"], "song.wav"),
        (["song.wav", "-n", "."], "unknown model '.'"),
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


def test_a_bad_file_does_not_stop_the_others(
    separate: Callable[..., Ended], song: Path, folder: Path
) -> None:
    (folder / "bad.wav").write_text("not audio")
    separate("bad.wav", song).check_one_line(1, "bad.wav")
    assert written(folder) == stems()


def test_a_bad_argument_does_not_stop_the_others(
    separate: Callable[..., Ended], song: Path, folder: Path
) -> None:
    separate("none.wav", song).check_one_line(1, "'none.wav' does not exist")
    assert written(folder) == stems()


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


# On a terminal, and when stopped


class Terminal(io.StringIO):
    """Remembers what is shown on it."""

    def isatty(self) -> bool:
        return True

    def lines(self) -> list[str]:
        """The pieces that began at the left edge, without colours."""
        plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self.getvalue())
        return re.split(r"[\r\n]+", plain)


def outcome(folder: Path) -> TrackOutcome:
    track = SeparatedTrack(
        source=folder / "song.wav",
        stems={"bass": folder / "bass.wav"},
        sample_rate=44_100,
        channels=2,
        frames=44_100,
        elapsed_s=0.5,
        latency=None,
        replaced_samples=0,
        overshoots=0,
    )
    return TrackOutcome(track.source, result=track)


@pytest.mark.parametrize("piped", [False, True])
def test_bars_do_not_get_into_the_results(
    piped: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    screen = Terminal()
    results = io.StringIO() if piped else screen
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setattr(sys, "stdout", results)
    with TrackProgress(quiet=False) as observer:
        observer.started(0, Path("[red]a:heart:.wav"))
        observer.started(1, Path("b.wav"))
        observer.advanced(0, 50, 100)
        observer.ended(1, outcome(tmp_path))
        observer.say_error("one\nline")
    expected = f"{tmp_path}/song.wav: 1.0 s in 0.5 s (RTF 0.50) -> {tmp_path}/ (bass.wav)"
    assert any(line.startswith("[red]a:heart:.wav ━") for line in screen.lines())
    assert any("50 %" in line for line in screen.lines())
    assert "streamsep: one line" in screen.lines()
    if piped:
        assert results.getvalue() == f"{expected}\n"
    else:
        assert expected in screen.lines()


def test_names_that_the_screen_cannot_show_are_escaped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    narrow = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", narrow)
    with TrackProgress(quiet=False) as observer:
        observer.ended(0, outcome(Path("größe\udcff")))
    narrow.flush()
    assert b"gr\\xf6\\xdfe\\udcff" in narrow.buffer.getvalue()


@needs_signals
def test_ctrl_c_ends_with_one_line_and_leaves_no_stem(weights: Path, folder: Path) -> None:
    with started(weights, folder) as process:
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (130, "interrupted\n")
    assert written(folder) == []
    assert "Traceback" not in out


@needs_signals
def test_what_a_killed_run_leaves_looks_unfinished_and_the_next_run_clears_it_away(
    separate: Callable[..., Ended], weights: Path, folder: Path
) -> None:
    with started(weights, folder) as process:
        process.kill()
        process.communicate(timeout=60)
    left = written(folder)
    assert len(left) == 4
    assert all(Path(name).name.startswith(".") and ".part." in name for name in left)
    write(folder / "song.wav", noise(2, 2_000))
    assert separate("song.wav").code == 0
    assert written(folder) == stems()


def started(weights: Path, folder: Path) -> subprocess.Popen[str]:
    """A real process in the middle of a song that is far too long to be finished soon."""
    write(folder / "song.wav", noise(2, 60 * 44_100), subtype="PCM_16")
    command = [sys.executable, "-m", "streamsep", "separate", "-n", weights, "song.wav"]
    process = subprocess.Popen(
        [*map(str, command), "--segment", "2"],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    part = "separated/tiny/song/.vocals.*.part.wav"
    while not any(path.stat().st_size for path in folder.glob(part)):
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    return process
