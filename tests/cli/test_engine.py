"""`streamsep serve` and the commands that talk to it, all as real processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile
import torch

from streamsep import StreamConfig, StreamingSeparator, load_preset
from streamsep.models import load_model

if TYPE_CHECKING:
    from collections.abc import Iterator

RATE = 44_100
# One that a machine with other things to do can hold.
PRESET = """\
name: slow
description: a quarter of the work of the shortest
use: tests
context: 8192
hop: 45056
look_ahead: 8192
crossfade: 2048
"""


class Shell:
    """The command line of a user whose run-time folder is a temporary one."""

    def __init__(self, folder: Path) -> None:
        self.errors = ""
        """What the last engine has said on standard error."""
        self.preset = folder / "slow.yaml"
        self.preset.write_text(PRESET)
        self.environment = {
            **os.environ,
            "XDG_RUNTIME_DIR": str(folder),
            "STREAMSEP_CACHE_DIR": str(folder / "cache"),
            "OMP_NUM_THREADS": "1",
        }

    def run(self, *arguments: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "streamsep", *map(str, arguments)],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            env=self.environment,
        )

    def start(self, *arguments: object) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "streamsep", *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=self.environment,
        )

    @contextmanager
    def serving(self, *options: object, exact: bool = True) -> Iterator[subprocess.Popen[str]]:
        """An engine with the starter for as long as the block lasts."""
        how = "--exact" if exact else "--incremental"
        engine = self.start("serve", how, "--model", "starter", "--preset", self.preset, *options)
        assert engine.stdout is not None
        try:
            for line in engine.stdout:
                if line.startswith("READY"):
                    break
            else:
                pytest.fail(engine.communicate()[1])
            yield engine
        finally:
            engine.terminate()
            self.errors = engine.communicate(timeout=30)[1]


@pytest.fixture(scope="module")
def shell() -> Iterator[Shell]:
    with tempfile.TemporaryDirectory() as folder:
        yield Shell(Path(folder))


@pytest.fixture(scope="module")
def engine(shell: Shell) -> Iterator[subprocess.Popen[str]]:
    with shell.serving() as running:
        yield running


@pytest.fixture
def song(tmp_path: Path) -> Path:
    path = tmp_path / "song.wav"
    audio = 0.1 * np.random.default_rng(0).standard_normal((3 * RATE, 2))
    soundfile.write(path, audio, RATE, subtype="FLOAT")
    return path


def stems_in(folder: Path) -> dict[str, np.ndarray]:
    """The stems [C, T] that lie in a folder, by name."""
    stems = {}
    for path in folder.glob("*.wav"):
        samples, rate = soundfile.read(path, dtype="float32")
        assert rate == RATE
        stems[path.stem] = samples.T
    return stems


def stems_of_the_core(shell: Shell, song: Path) -> dict[str, np.ndarray]:
    """What a song's stems are by the starter and a shell's preset, in this process."""
    mix = torch.from_numpy(soundfile.read(song, dtype="float32")[0].T.copy())
    starter = load_model("starter", precision="float32")
    config = StreamConfig.from_preset(load_preset(shell.preset)).fitted_to(starter)
    stream = StreamingSeparator(starter, config)
    stems = torch.cat([stream.push(mix), stream.flush()], -1).numpy()
    return dict(zip(stream.sources, stems, strict=True))


@pytest.mark.usefixtures("engine")
def test_a_file_sent_to_the_engine_comes_back_as_the_core_separates_it(
    shell: Shell, song: Path, tmp_path: Path
) -> None:
    done = shell.run("send", song, "-o", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    got = stems_in(tmp_path / "out" / "song")
    for stem, samples in stems_of_the_core(shell, song).items():
        assert np.array_equal(got[stem], samples)


def test_a_processor_follows_streams_in_bfloat16_if_it_is_told_to(
    song: Path, tmp_path: Path
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        shell = Shell(Path(folder))
        with shell.serving("--precision", "bfloat16", exact=False):
            done = shell.run("send", song, "-o", tmp_path / "out")
        assert done.returncode == 0, done.stderr
        expected = stems_of_the_core(shell, song)
    got = stems_in(tmp_path / "out" / "song")
    # The first hop keeps what was computed of the silence before it.
    since = 2 * 45_056
    pairs = [(got[name][:, since:], expected[name][:, since:]) for name in expected]
    signal_power = sum(float(np.square(right).sum()) for _, right in pairs)
    error_power = sum(float(np.square(left - right).sum()) for left, right in pairs)
    assert 20 < 10 * np.log10(signal_power / error_power) < 80


@pytest.mark.usefixtures("engine")
def test_listening_writes_the_stem_that_somebody_else_plays(
    shell: Shell, song: Path, tmp_path: Path
) -> None:
    listener = shell.start("listen", "--stem", "vocals", "-o", tmp_path / "v.wav", "--wait", "60")
    time.sleep(3.0)
    # Without a folder: what comes back is for the listener.
    sender = shell.start("send", song, "--live")
    assert sender.wait(60) == 0
    assert listener.wait(60) == 0
    heard, _ = soundfile.read(tmp_path / "v.wav")
    assert len(heard) > RATE
    for stream in (sender, listener):
        stream.communicate()


def test_what_was_heard_of_an_engine_that_goes_is_kept(tmp_path: Path) -> None:
    song = tmp_path / "song.wav"
    soundfile.write(song, np.random.default_rng(0).normal(0, 0.1, (40 * RATE, 2)), RATE)
    with tempfile.TemporaryDirectory() as folder:
        shell = Shell(Path(folder))
        with shell.serving() as engine:
            sender = shell.start("send", song, "--live")
            listener = shell.start("listen", "--stem", "bass", "-o", tmp_path / "b.wav")
            while not list(tmp_path.glob(".b.*")):
                assert listener.poll() is None, listener.communicate()
                time.sleep(0.05)
            time.sleep(1.0)
            engine.kill()
            _, errors = listener.communicate(timeout=60)
            sender.kill()
            sender.communicate()
    assert listener.returncode == 0
    assert errors.startswith("the engine is gone, what was heard is kept: ")
    assert soundfile.info(tmp_path / "b.wav").frames > 0


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_what_was_heard_until_a_signal_came_is_kept(
    number: signal.Signals, shell: Shell, tmp_path: Path
) -> None:
    song, heard = tmp_path / "song.wav", tmp_path / "bass.wav"
    soundfile.write(song, np.random.default_rng(0).normal(0, 0.1, (40 * RATE, 2)), RATE)
    left = tmp_path / ".bass.1-0123abcd.part.wav"
    left.write_bytes(b"of a run that was killed")
    sender = shell.start("send", song, "--live")
    listener = shell.start("listen", "--stem", "bass", "-o", heard, "--wait", "60")
    try:
        while not any(path.stat().st_size > 100_000 for path in tmp_path.glob(".bass.*")):
            assert listener.poll() is None, listener.communicate()
            time.sleep(0.05)
        assert not left.exists()
        listener.send_signal(number)
        assert listener.communicate(timeout=60)[1] == ""
        assert listener.returncode == 0
        assert soundfile.info(heard).frames > 0
        assert sorted(path.name for path in tmp_path.iterdir()) == ["bass.wav", "song.wav"]
    finally:
        for each in (sender, listener):
            each.kill()
            each.communicate()


@pytest.mark.usefixtures("engine")
def test_what_a_killed_run_left_among_sent_stems_is_cleared_away(
    shell: Shell, song: Path, tmp_path: Path
) -> None:
    left = tmp_path / "out" / "song" / ".bass.1-0123abcd.part.wav"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"half of it")
    assert shell.run("send", song, "-o", tmp_path / "out").returncode == 0
    assert not left.exists()
    assert (left.parent / "bass.wav").exists()


@pytest.mark.usefixtures("engine")
def test_status_shows_the_engine(shell: Shell) -> None:
    assert "starter on cpu" in shell.run("status").stdout
    state = json.loads(shell.run("status", "--json").stdout)
    assert (state["model"], state["preset"], state["sessions"]) == ("starter", "slow", [])


@pytest.mark.usefixtures("engine")
def test_a_second_engine_is_refused_in_one_line(shell: Shell) -> None:
    done = shell.run("serve", "--model", "starter")
    assert done.returncode == 2
    assert done.stderr.startswith("streamsep: an engine is running already")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("status",), "no engine answers"),
        (("status", "--json", "--watch"), "got both --json and --watch"),
        (("serve", "--budget-ms", "inf"), "--budget-ms"),
        (("serve", "--budget-ms", "nan"), "--budget-ms"),
        (("send", "SONG"), "no engine answers"),
        (("listen", "--stem", "vocals", "-o", "-"), "no engine answers"),
        (("serve", "--bind", "tcp://0.0.0.0:47100", "--model", "starter"), "needs keys"),
        (("serve", "--bind", "nowhere"), "tcp://HOST:PORT"),
        (("serve", "--preset", "fastest"), "unknown latency preset"),
        (("serve", "--keys", "keys"), "--bind"),
        (("status", "--engine", "tcp://127.0.0.1:47200", "--keys", "nowhere"), "streamsep keys"),
        (("status", "--engine", "tcp://*:47200"), "cannot connect to 'tcp://*:"),
        (("send", "SONG", "--engine", "tcp://no such place:47200"), "cannot connect to"),
    ],
)
def test_mistakes_are_one_line(
    tmp_path: Path, song: Path, arguments: tuple[str, ...], message: str
) -> None:
    arguments = tuple(str(song) if each == "SONG" else each for each in arguments)
    done = Shell(tmp_path).run(*arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("streamsep: ")


def test_an_interrupted_engine_ends_cleanly_and_can_be_started_again(tmp_path: Path) -> None:
    shell = Shell(tmp_path)
    with shell.serving("--log-format", "json") as engine:
        engine.send_signal(signal.SIGINT)
        assert engine.wait(30) == 0
    speeds = [line for line in shell.errors.splitlines() if "to compute a hop" in line]
    assert "measured now" in json.loads(speeds[0])["message"]
    (figure,) = (tmp_path / "cache" / "hops").iterdir()
    # As if that had been an hour ago.
    kept = json.loads(figure.read_text())
    kept["cost"]["measured"] = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    figure.write_text(json.dumps(kept))
    with (
        shell.serving("--metrics-port", "47311"),
        urllib.request.urlopen("http://127.0.0.1:47311/metrics", timeout=10) as page,
    ):
        text = page.read().decode()
    assert "streamsep_sessions 0.0" in text
    assert 'streamsep_compute_ms{quantile="p50"}' in text
    # And believed, or held against what the engine computed and found wrong.
    assert "remembered from 20" in shell.errors
