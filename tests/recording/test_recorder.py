"""Takes: whole when closed, playable when killed, stopped by a full disk, never overwritten."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
import soundfile
from recording.take_player import BLOCK, RATE, STEMS, material

from bridge.recording import Recorder
from streamsep.errors import ConfigError, OutputError

FORMATS = [("flac", "int24"), ("wav", "int24"), ("wav", "float32")]
PLAYER = Path(__file__).with_name("take_player.py")
FLAC_FRAME = 4096


def record(recorder: Recorder, frames: int, begin: int = 0) -> None:
    for position in range(begin, begin + frames, BLOCK):
        block = material(position, min(BLOCK, begin + frames - position))
        recorder.write(block[0], block[1:])


def files(take: Path) -> list[np.ndarray]:
    """Every file of a take, in the order of the material, [C, T] each."""
    found = {path.stem: path for path in take.iterdir()}
    assert list(found) and sorted(found) == sorted(("input", *STEMS))  # noqa: PT018
    read = [soundfile.read(found[name], dtype="float32") for name in ("input", *STEMS)]
    assert {rate for _, rate in read} == {RATE}
    return [frames.T for frames, _ in read]


def wait_for_death(pid: int) -> None:
    end_s = time.monotonic() + 15.0
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < end_s, f"process {pid} is left over"
        time.sleep(0.01)


def leftovers() -> set[Path]:
    return set(Path("/dev/shm").glob("streamsep-recording-*"))


@pytest.mark.parametrize(("container", "depth"), FORMATS)
def test_a_take_is_what_was_played(tmp_path: Path, container: str, depth: str) -> None:
    before = leftovers()
    with Recorder(tmp_path, STEMS, 2, RATE, container=container, depth=depth) as recorder:
        record(recorder, 20_000)
        recorder.write(np.zeros((2, 0), np.float32), np.zeros((4, 2, 0), np.float32))
    for found, played in zip(files(recorder.take), material(0, 20_000), strict=True):
        np.testing.assert_array_equal(found, played)
    assert recorder.safe_frames == 20_000
    assert recorder.describe() == "0.5 s"
    assert recorder.poll() == []
    assert not psutil.pid_exists(recorder.writer_pid)
    assert leftovers() <= before


def test_floats_keep_what_is_above_full_scale_and_nothing_keeps_nan(tmp_path: Path) -> None:
    with Recorder(tmp_path, ("a",), 1, RATE, container="wav", depth="float32") as recorder:
        dry = np.array([[2.5, np.nan, np.inf, -3.0]], np.float32)
        recorder.write(dry, dry[None] * 0.5)
    found, _ = soundfile.read(recorder.take / "input.wav", dtype="float32")
    np.testing.assert_array_equal(found, np.float32([2.5, 0, 0, -3]))


def test_takes_never_meet(tmp_path: Path) -> None:
    recorders = [Recorder(tmp_path, STEMS, 2, RATE) for _ in range(3)]
    for recorder in recorders:
        record(recorder, 3_000)
        recorder.close()
    takes = {recorder.take for recorder in recorders}
    assert len(takes) == 3
    assert takes == {path.absolute() for path in tmp_path.iterdir()}


def test_a_take_of_nothing_leaves_nothing(tmp_path: Path) -> None:
    Recorder(tmp_path, STEMS, 2, RATE).close()
    assert list(tmp_path.iterdir()) == []


def test_files_are_named_after_their_stems_as_far_as_files_can_be(tmp_path: Path) -> None:
    with Recorder(tmp_path, ("a/b", "input", "..", "a_b"), 1, RATE) as recorder:
        recorder.write(np.zeros((1, 10), np.float32), np.zeros((4, 1, 10), np.float32))
    found = sorted(path.name for path in recorder.take.iterdir())
    assert found == ["a_b-2.flac", "a_b.flac", "input-2.flac", "input.flac", "stem.flac"]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"container": "flac", "depth": "float32"}, "flac cannot hold float32"),
        ({"container": "mp3"}, "expected flac or wav"),
        ({"channels": 9}, "holds at most 8"),
    ],
)
def test_what_no_file_can_hold_is_refused(
    tmp_path: Path, settings: dict[str, object], said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        Recorder(tmp_path, STEMS, **{"channels": 2, "sample_rate": RATE, **settings})  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_none_is_refused(tmp_path: Path) -> None:
    before = leftovers()
    (tmp_path / "file").write_text("mine")
    for folder in (tmp_path / "file", tmp_path / "file" / "inside"):
        with pytest.raises(OutputError, match="cannot record into"):
            Recorder(folder, STEMS, 2, RATE)
    assert leftovers() <= before


@pytest.mark.skipif(sys.platform != "linux", reason="limits of another process are Linux's")
@pytest.mark.parametrize(("container", "depth"), FORMATS)
def test_a_full_disk_stops_the_recording_and_keeps_what_there_is(
    tmp_path: Path, container: str, depth: str
) -> None:
    import resource

    with Recorder(
        tmp_path, STEMS, 2, RATE, container=container, depth=depth, buffer_s=20.0
    ) as recorder:
        # To its writer, a file that may not grow is a disk that is full.
        resource.prlimit(recorder.writer_pid, resource.RLIMIT_FSIZE, (300_000, 300_000))
        news: list[str] = []
        position, end_s = 0, time.monotonic() + 20.0
        while not news:
            record(recorder, BLOCK, position)  # playing goes on
            position += BLOCK
            time.sleep(BLOCK / RATE / 4)
            news += recorder.poll()
            assert time.monotonic() < end_s
        record(recorder, BLOCK, position)
    (line,) = news
    assert line.startswith("recording has stopped after ")
    assert "File too large" in line
    assert str(recorder.take) in line
    assert "stopped: File too large" in recorder.describe()
    assert recorder.safe_frames > 10_000
    for found, played in zip(files(recorder.take), material(0, position), strict=True):
        assert recorder.safe_frames <= found.shape[1] < position
        np.testing.assert_array_equal(found, played[:, : found.shape[1]])


@pytest.mark.skipif(sys.platform != "linux", reason="limits of another process are Linux's")
def test_a_disk_that_is_full_in_the_last_moment_is_told_of(tmp_path: Path) -> None:
    import resource

    with Recorder(tmp_path, STEMS, 2, RATE) as recorder:
        record(recorder, 20_000)
        end_s = time.monotonic() + 20.0
        while not recorder.safe_frames:
            assert recorder.poll() == []
            assert time.monotonic() < end_s
            time.sleep(0.01)
        # What the files have now they may have, and not the last frames.
        least = min(path.stat().st_size for path in recorder.take.iterdir())
        resource.prlimit(recorder.writer_pid, resource.RLIMIT_FSIZE, (least, least))
    (line,) = recorder.poll()
    assert line.startswith("recording has stopped after ")
    assert "File too large" in line
    for found, played in zip(files(recorder.take), material(0, 20_000), strict=True):
        assert found.shape[1] >= recorder.safe_frames
        np.testing.assert_array_equal(found, played[:, : found.shape[1]])


@pytest.mark.skipif(sys.platform != "linux", reason="limits of another process are Linux's")
@pytest.mark.parametrize("container", ["flac", "wav"])
def test_a_disk_that_is_full_from_the_start_leaves_nothing_behind(
    tmp_path: Path, container: str
) -> None:
    import resource

    with Recorder(tmp_path, STEMS, 2, RATE, container=container) as recorder:
        resource.prlimit(recorder.writer_pid, resource.RLIMIT_FSIZE, (20, 20))
        record(recorder, 20_000)
        news: list[str] = []
        end_s = time.monotonic() + 20.0
        while not news:
            news = recorder.poll()
            assert time.monotonic() < end_s
            time.sleep(0.01)
    assert news == ["recording has stopped after 0.0 s (File too large); nothing was recorded"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("victim", ["player", "writer", "both"])
@pytest.mark.parametrize(("container", "depth"), FORMATS[:2])
def test_what_was_written_is_playable_whoever_is_killed(
    tmp_path: Path, container: str, depth: str, victim: str
) -> None:
    before = leftovers()
    wait_s = np.random.default_rng(len(container + depth + victim)).uniform(0.0, 0.4)
    player = subprocess.Popen(
        [sys.executable, str(PLAYER), str(tmp_path), container, depth],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        cwd=PLAYER.parents[2],
    )
    assert player.stdout is not None
    take, writer = player.stdout.readline().split()
    safe = 0
    end_s = time.monotonic() + 20.0
    while safe < 15_000:
        safe = int(player.stdout.readline())
        assert time.monotonic() < end_s
    time.sleep(wait_s)
    if victim in ("player", "both"):
        player.send_signal(signal.SIGKILL)
    if victim in ("writer", "both"):
        os.kill(int(writer), signal.SIGKILL)
    if victim == "writer":
        player.kill()
    out, _ = player.communicate()
    said = [int(line) for line in out.split()]
    safe = said[-1] if said else safe
    wait_for_death(int(writer))
    for found, played in zip(files(Path(take)), material(0, 1_000_000), strict=True):
        assert found.shape[1] >= safe
        np.testing.assert_array_equal(found, played[:, : found.shape[1]])
    assert leftovers() <= before


def test_a_writer_that_was_killed_is_one_line(tmp_path: Path) -> None:
    with Recorder(tmp_path, STEMS, 2, RATE) as recorder:
        record(recorder, 10_000)
        os.kill(recorder.writer_pid, signal.SIGKILL)
        news: list[str] = []
        end_s = time.monotonic() + 15.0
        while not news:
            news = recorder.poll()
            assert time.monotonic() < end_s
            time.sleep(0.01)
        record(recorder, 10_000, 10_000)
        assert recorder.poll() == []
    assert len(news) == 1
    assert "the process that writes has ended" in news[0]


def test_a_slow_disk_costs_silence_not_time(tmp_path: Path) -> None:
    """The writer is stopped for a while: what does not fit is silence, the rest is in its place."""
    with Recorder(tmp_path, STEMS, 2, RATE, container="wav", buffer_s=2.5) as recorder:
        position, end_s = 0, time.monotonic() + 20.0

        def play_until(safe_frames: int) -> None:
            nonlocal position
            while recorder.safe_frames < safe_frames:
                record(recorder, BLOCK, position)
                position += BLOCK
                time.sleep(2 * BLOCK / RATE)
                recorder.poll()
                assert time.monotonic() < end_s

        play_until(1)
        writer = psutil.Process(recorder.writer_pid)
        writer.suspend()
        record(recorder, 150_000, position)
        position += 150_000
        assert recorder.overruns > 0
        assert any("the disk is too slow" in line for line in recorder.poll())
        writer.resume()
        play_until(position + 30_000)  # by then all the silence is in its place
    for found, played in zip(files(recorder.take), material(0, position), strict=True):
        kept = found[0] == played[0, : found.shape[1]]
        assert (found[:, ~kept] == 0).all()
        assert 10_000 < (~kept).sum() <= recorder.lost
        assert kept[-1]
