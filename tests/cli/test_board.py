"""`streamsep board`: songs through a board, in one pass with their separation."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
import soundfile
import torch
from offline.material import STEMS, listing, noise, read, write

from cli.conftest import Ended
from streamsep.cli import main
from vst_wrapper import boards
from vst_wrapper.boards import BoardRenderer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from vst_wrapper.boards.renderer import BoardRendering


@pytest.fixture
def board(
    weights: Path,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Callable[..., Ended]:
    """Types `streamsep board BOARD ... -n tiny`, inside this process."""

    def run(*arguments: object) -> Ended:
        words = ["streamsep", "board", *arguments, "-n", weights]
        monkeypatch.setattr(sys, "argv", [str(word) for word in words])
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr()
        return Ended(int(ended.value.code or 0), printed.out, printed.err)

    return run


def results(folder: Path) -> list[str]:
    return [name for name in listing(folder) if name.startswith("boards/")]


def own_board(folder: Path, text: str) -> Path:
    path = folder / "mine.yaml"
    path.write_text(f"name: mine\ndescription: A test.\n{text}")
    return path


def test_a_link_to_itself_is_one_line_and_the_others_are_done(
    board: Callable[..., Ended], song: Path, folder: Path
) -> None:
    (folder / "round.wav").symlink_to("round.wav")
    board("karaoke", "round.wav", song).check_one_line(1, "'round.wav' cannot be read")
    assert results(folder) == ["boards/karaoke/song.wav"]


def test_a_board_with_one_output_writes_a_file_per_song(
    board: Callable[..., Ended], song: Path, folder: Path
) -> None:
    ended = board("karaoke", song)
    assert (ended.code, ended.err) == (0, "")
    assert results(folder) == ["boards/karaoke/song.wav"]
    assert "boards/karaoke/ (song.wav)" in ended.out


def test_a_board_with_several_outputs_writes_a_folder_per_song(
    board: Callable[..., Ended], song: Path, folder: Path
) -> None:
    assert board("stems_to_folder", song, "--format", "flac", "-o", "boards").code == 0
    names = ("bass", "drums", "mix", "other", "vocals")
    assert results(folder) == [f"boards/stems_to_folder/song/{name}.flac" for name in names]


def test_nothing_on_the_board_gives_the_song_back(
    board: Callable[..., Ended], song: Path, folder: Path
) -> None:
    path = own_board(folder, "outputs: [mix, stems]")
    assert board(path, song, "--float32", "--consistency", "other").code == 0
    place = folder / "boards/mine/song"
    assert (read(place / "mix.wav") - read(song)).abs().max() <= 1e-6
    stems = [read(place / f"{stem}.wav") for stem in ("drums", "bass", "other", "vocals")]
    assert torch.equal(read(place / "mix.wav"), ((stems[0] + stems[1]) + stems[2]) + stems[3])


@pytest.mark.parametrize(("channels", "sample_rate"), [(1, 48_000), (2, 22_050)])
def test_rate_channels_and_length_are_those_of_the_source(
    channels: int, sample_rate: int, board: Callable[..., Ended], folder: Path
) -> None:
    write(folder / "a.wav", noise(channels, 7_777), sample_rate)
    path = own_board(folder, "mix: {plugins: [{effect: BrickwallLimiter}]}")
    assert board(path, "a.wav").code == 0
    with soundfile.SoundFile(folder / "boards/mine/a.wav") as file:
        assert (file.samplerate, file.channels, file.frames) == (sample_rate, channels, 7_777)


def test_a_tail_makes_the_result_longer(
    board: Callable[..., Ended], song: Path, folder: Path
) -> None:
    delay = "{effect: Delay, parameters: {delay_seconds: 0.1, mix: 0.5}}"
    path = own_board(folder, f"mix: {{plugins: [{delay}]}}\ntail_s: 2")
    assert board(path, song, "--float32").code == 0
    assert soundfile.info(folder / "boards/mine/song.wav").frames == 8_000 + 4_410


def test_a_live_preset_and_refinement_are_heard(
    board: Callable[..., Ended], song: Path, folder: Path
) -> None:
    path = own_board(folder, "stems: {vocals: {mute: true}}")
    outputs = []
    for flags in ((), ("--latency-preset", "shortest"), ("--refine", "wiener")):
        assert board(path, song, "--float32", *flags).code == 0
        outputs.append(read(folder / "boards/mine/song.wav"))
    assert not torch.equal(outputs[0], outputs[1])
    assert not torch.equal(outputs[0], outputs[2])


def test_a_board_hears_the_stems_that_separate_writes(
    board: Callable[..., Ended], separate: Callable[..., Ended], song: Path, folder: Path
) -> None:
    path = own_board(folder, "outputs: [stems]")
    for flags in (
        ("--precision", "bfloat16"),
        ("--latency-preset", "shortest"),
        ("--latency-preset", "shortest", "--exact"),
    ):
        assert board(path, song, "--float32", *flags).code == 0
        assert separate(song, "--float32", *flags).code == 0
        for stem in STEMS:
            rendered = read(folder / f"boards/mine/song/{stem}.wav")
            assert torch.equal(rendered, read(folder / f"separated/tiny/song/{stem}.wav"))


def test_many_songs_side_by_side_are_the_same_songs(
    board: Callable[..., Ended], folder: Path
) -> None:
    for number in range(4):
        write(folder / f"music/{number}.wav", noise(2, 5_000 + number, seed=number))
    (folder / "music/bad.wav").write_text("not audio")
    written = []
    for jobs in (1, 3):
        ended = board("remaster", "music", "-j", jobs, "-o", f"boards/{jobs}")
        assert ended.code == 1
        assert "bad.wav" in ended.err
        place = folder / f"boards/{jobs}/remaster"
        assert listing(place) == [f"{number}.wav" for number in range(4)]
        written.append([read(place / f"{number}.wav") for number in range(4)])
    assert all(torch.equal(one, three) for one, three in zip(*written, strict=True))


def test_a_song_has_a_board_of_its_own_while_the_one_before_it_ends(
    board: Callable[..., Ended], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    meeting = threading.Barrier(2, timeout=60)

    class Meeting(BoardRenderer):
        """Each song waits for the other, with its board in hand."""

        @contextmanager
        def open(self, sample_rate: int, channels: int) -> Iterator[BoardRendering]:
            with super().open(sample_rate, channels) as rendering:
                meeting.wait()
                yield rendering

    monkeypatch.setattr(boards, "BoardRenderer", Meeting)
    for number in range(2):
        write(folder / f"music/{number}.wav", noise(2, 5_000, seed=number))
    assert board("karaoke", "music").code == 0
    assert results(folder) == ["boards/karaoke/0.wav", "boards/karaoke/1.wav"]


def test_a_result_never_replaces_a_song(
    board: Callable[..., Ended], song: Path, folder: Path
) -> None:
    assert board("karaoke", song).code == 0
    result = folder / "boards/karaoke/song.wav"
    before = result.read_bytes()
    board("karaoke", result).check_one_line(2, "would be written over")
    assert result.read_bytes() == before


def test_what_is_there_can_be_skipped_and_results_are_not_rendered_again(
    board: Callable[..., Ended], song: Path, folder: Path
) -> None:
    assert board("karaoke", ".", "-o", ".").code == 0
    (folder / "karaoke/song.wav").write_bytes(b"mine")
    ended = board("karaoke", ".", "-o", ".", "--skip-existing")
    assert (ended.code, ended.err) == (0, "")
    assert "skipped" in ended.out
    assert listing(folder) == ["karaoke/song.wav", "song.wav"]
    assert (folder / "karaoke/song.wav").read_bytes() == b"mine"


def test_json_is_one_object_per_track(board: Callable[..., Ended], song: Path) -> None:
    described = json.loads(board("karaoke", song, "--json").out)
    assert described["stems"] == {"mix": "boards/karaoke/song.wav"}
    assert described["frames"] == 8_000


def test_boards_can_be_listed(board: Callable[..., Ended]) -> None:
    assert "karaoke" in board("--list").out
    listed = json.loads(board("--list", "--json").out)
    assert {"name", "description"} == set(listed[0])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "no BOARD was given"),
        (("karaoke",), "no FILE or DIR was given"),
        (("karaokee", "song.wav"), "did you mean 'karaoke'?"),
        (("none.yaml", "song.wav"), "none.yaml: cannot be read"),
        (("karaoke", "none.wav"), "none.wav"),
        (("karaoke", "song.wav", "--format", "mp3", "--int24"), "mp3 has no sample format"),
        (("karaoke", "song.wav", "--int24", "--float32"), "exclude each other"),
        (("karaoke", "song.wav", "--mp3-bitrate", 128), "leave out --mp3-bitrate"),
        (("karaoke", "song.wav", "--latency-preset", "live", "--segment", 4), "leave out"),
        (("karaoke", "song.wav", "--exact"), "add one, or leave out --exact"),
        (("stems_to_folder", "song.wav", "--filename", "{track}.{ext}"), "same name; add {stem}"),
        (("karaoke", "song.wav", "--format", "ogg"), "wav"),
        (("mine.yaml", "song.wav"), "stem 'vocals', plugin 1 (Gain): unknown parameter 'gain'"),
    ],
)
def test_mistakes_are_one_line_and_leave_nothing(
    arguments: tuple[object, ...], said: str, board: Callable[..., Ended], song: Path, folder: Path
) -> None:
    plugin = "{effect: Gain, parameters: {gain: 1}}"
    own_board(folder, f"stems: {{vocals: {{plugins: [{plugin}]}}}}")
    board(*arguments).check_one_line(2, said)
    assert results(folder) == []


def test_a_board_for_other_stems_is_refused_in_one_line(
    board: Callable[..., Ended], song: Path, folder: Path
) -> None:
    path = own_board(folder, "stems: {piano: {mute: true}}")
    board(path, song).check_one_line(2, "unknown stem 'piano'")


def test_a_plugin_that_fails_ends_its_song_in_one_line_and_leaves_nothing(
    board: Callable[..., Ended], folder: Path
) -> None:
    write(folder / "good.wav", noise(2, 4_000), 44_100)
    write(folder / "high.wav", noise(2, 4_000), 96_000)
    path = own_board(folder, "stems: {bass: {plugins: [{effect: MP3Compressor}]}}")
    ended = board(path, "good.wav", "high.wav")
    assert ended.code == 1
    assert "stem 'bass', plugin 1 (MP3Compressor): MP3 only supports" in ended.err
    assert results(folder) == ["boards/mine/good.wav"]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for one process")
def test_a_run_that_is_stopped_leaves_nothing(weights: Path, folder: Path) -> None:
    write(folder / "long.wav", noise(2, 60 * 44_100))
    command = [sys.executable, "-m", "streamsep", "board", "karaoke", "long.wav", "-n", weights]
    process = subprocess.Popen(
        [str(word) for word in command],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    place = folder / "boards/karaoke"
    until = time.monotonic() + 60
    while not (place.is_dir() and list(place.iterdir())) and time.monotonic() < until:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 130
    assert results(folder) == []
