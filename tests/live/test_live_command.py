"""`streamsep live` and `streamsep devices` as a user runs them, on a real JACK server."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import psutil
import pytest
import soundfile
from engine_process import running_engine
from jack_rig import environment, need_jack, playing_hall, running_server
from loop_rig import RATE, noise
from offline.material import tiny_model

from streamsep.models.checkpoints import save_checkpoint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

DEVICES = ("-i", "player", "-o", "recorder")
# One that a machine with other things to do can hold.
PRESET = """\
name: slow
description: hardly more work than a file
use: tests
context: 8192
hop: 180224
look_ahead: 8192
crossfade: 2048
"""


@pytest.fixture(scope="module")
def jack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A server, and on it a player and a recorder with two channels each."""
    folder = tmp_path_factory.mktemp("jack")
    with running_server(folder, 512), playing_hall(folder / "hall", noise(2.0)) as hall:
        hall.play()
        yield


@pytest.fixture(scope="module")
def user() -> Iterator[Path]:
    """The run-time folder of a user whose engine runs already: it gives the mixture back."""
    need_jack()
    with (
        tempfile.TemporaryDirectory() as folder,
        running_engine(
            Path(folder) / "streamsep", "--separator", "PassThrough", "--budget-ms", "500"
        ),
    ):
        yield Path(folder)


class Command:
    """`streamsep live --json`, running."""

    def __init__(self, run_folder: Path, *arguments: object) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "streamsep", "live", *DEVICES, "--json", *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**environment(), "XDG_RUNTIME_DIR": str(run_folder)},
        )

    def await_phase(self, phase: str) -> dict[str, Any]:
        """Wait until it is at something."""
        return self.await_status(lambda status: status["phase"] == phase)

    def await_status(self, condition: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Wait until it says something."""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            status: dict[str, Any] = json.loads(line)
            if condition(status):
                return status
        pytest.fail(f"ended before that: {self._process.communicate()[1]}")

    def processes(self) -> list[psutil.Process]:
        """Those that it has started."""
        return psutil.Process(self._process.pid).children(recursive=True)

    def end(self, number: signal.Signals) -> tuple[int, list[dict[str, Any]], str]:
        """Signal it; the exit code, what it said since the last time, and its errors."""
        self._process.send_signal(number)
        out, errors = self._process.communicate(timeout=60)
        return self._process.returncode, [json.loads(line) for line in out.splitlines()], errors

    def close(self) -> None:
        """End in any case."""
        self._process.kill()
        self._process.communicate()


def live(run_folder: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    """`streamsep live`, until it ends by itself."""
    return subprocess.run(
        [sys.executable, "-m", "streamsep", "live", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**environment(), "XDG_RUNTIME_DIR": str(run_folder)},
    )


def assert_all_end(processes: list[psutil.Process]) -> None:
    """Nothing is left; what nobody waits for any more may remain as a zombie."""
    deadline_s = time.monotonic() + 20.0
    while left := [each for each in processes if _lives(each)]:
        assert time.monotonic() < deadline_s, left
        time.sleep(0.05)


def _lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.mark.usefixtures("jack")
def test_devices_lists_the_clients_of_jack() -> None:
    def devices(*options: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "streamsep", "devices", *options],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env={**environment(), "COLUMNS": "200"},
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    found = {each["name"]: each for each in json.loads(devices("--json"))}
    assert (found["player"]["inputs"], found["player"]["outputs"]) == (2, 0)
    assert (found["recorder"]["inputs"], found["recorder"]["outputs"]) == (0, 2)
    assert found["system"]["sample_rate"] == RATE
    assert "player" in devices()


@pytest.mark.usefixtures("jack")
def test_live_plays_and_records_for_as_long_as_it_was_told(user: Path, tmp_path: Path) -> None:
    done = live(
        user, *DEVICES, "--json", "--duration", "3", "--consistency", "other", "--gain", "bass=-6",
        "--mute", "drums", "--record", tmp_path / "takes",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    said = [json.loads(line) for line in done.stdout.splitlines()]
    playing = next(each for each in said if each["phase"] == "playing")
    assert playing["latency"] == sum(playing["latency_terms"].values())
    assert list(playing["latency_terms"]) == [
        "device_input", "device_output", "block", "network", "resampling", "budget",
    ]  # fmt: skip
    turned = [each["controls"] for each in said if each["controls"]]
    assert turned[0]["bass.gain"] == -6.0
    assert turned[0]["drums.mute"] == 1.0
    assert said[-1]["phase"] == "closed"
    assert said[-1]["samples"] > 2 * RATE
    (take,) = (tmp_path / "takes").iterdir()
    mixture, rate = soundfile.read(take / "input.flac", dtype="float32")
    other, _ = soundfile.read(take / "other.flac", dtype="float32")
    assert rate == RATE
    assert len(mixture) > 2 * RATE
    assert np.abs(mixture).max() > 0.4
    assert np.array_equal(mixture, other)


@pytest.mark.usefixtures("jack")
def test_a_fader_of_a_midi_controller_turns_a_stem_down(user: Path) -> None:
    script = Path(__file__).parents[1] / "midi" / "controller_process.py"
    controller = subprocess.Popen(
        [sys.executable, str(script), "desk", ""],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        env=environment(),
    )
    command = Command(user, "--midi", "generic", "--midi-port", "desk")
    try:
        command.await_status(lambda status: any("connected" in line for line in status["news"]))
        assert controller.stdin is not None
        # The fader of the vocals, from the top to the bottom: it picks its gain up on the way.
        halves = [([0xB0, 23, value], [0xB0, 55, 0]) for value in range(127, -1, -1)]
        controller.stdin.write(json.dumps([half for pair in halves for half in pair]) + "\n")
        controller.stdin.flush()
        # JSON knows no infinity: null is silence.
        status = command.await_status(
            lambda status: status["controls"].get("vocals.gain", 0) is None
        )
        assert status["controls"]["drums.gain"] == 0.0
        processes = command.processes()
        assert command.end(signal.SIGINT)[0] == 0
        assert_all_end(processes)
    finally:
        command.close()
        controller.kill()
        controller.communicate()


@pytest.mark.usefixtures("jack")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_nothing_is_left_when_the_command_ends(user: Path, number: signal.Signals) -> None:
    command = Command(user)
    try:
        command.await_phase("playing")
        processes = command.processes()
        assert processes
        code, said, errors = command.end(number)
        if number is signal.SIGKILL:
            assert code == -signal.SIGKILL
        else:
            assert (code, errors) == (0, "")
            assert said[-1]["phase"] == "closed"
        assert_all_end(processes)
    finally:
        command.close()


@pytest.mark.usefixtures("jack")
def test_an_engine_of_its_own_is_started_again_and_ends_with_the_command(tmp_path: Path) -> None:
    weights, preset = tmp_path / "tiny.safetensors", tmp_path / "slow.yaml"
    save_checkpoint(tiny_model().separator, weights, licence="CC0", training="none")
    preset.write_text(PRESET)
    with tempfile.TemporaryDirectory() as folder:
        command = Command(Path(folder), "--model", weights, "--preset", preset)
        try:
            status = command.await_phase("playing")
            assert (status["model"], status["engine_starts"]) == ("tiny", 1)
            (engine,) = [each for each in command.processes() if "serve" in each.cmdline()]
            engine.kill()
            while (status := command.await_phase("playing"))["connections"] < 2:
                pass
            assert status["engine_starts"] == 2
            processes = command.processes()
            assert sum("serve" in each.cmdline() for each in processes) == 1
            command.end(signal.SIGKILL)
            assert_all_end(processes)
        finally:
            command.close()


@pytest.mark.usefixtures("jack")
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("-i", "nobody"), "no input device is called 'nobody'"),
        ((*DEVICES, "--route", "mix:7-8"), "the routes need 8"),
        ((*DEVICES, "--input-channels", "3-4"), "has 2 channels, expected at least 4"),
        ((*DEVICES, "--route", "strings:1-2"), "there is no 'strings'"),
        ((*DEVICES, "--sample-rate", "48000"), "does not run at 48000 Hz"),
        ((*DEVICES, "--preset", "studio"), "preset"),
        ((*DEVICES, "--model", "another"), "the engine that runs has the network 'fake'"),
        ((*DEVICES, "--mute", "strings"), "there is no stem 'strings'"),
    ],
)
def test_what_the_device_or_the_engine_does_not_have_is_one_line(
    user: Path, arguments: tuple[str, ...], said: str
) -> None:
    done = live(user, *arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("streamsep: ")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--gain", "vocals"), "expected STEM=DB"),
        (("--input-channels", "0"), "counted from 1"),
        (("--master", "loud"), "should be a valid number"),
        (("--config", "nothing"), "unknown live configuration 'nothing'"),
        (("--midi", "nothing"), "'nothing'"),
        (("--engine", "nowhere"), "tcp://HOST:PORT"),
    ],
)
def test_a_mistake_is_one_line(tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    done = live(tmp_path, *arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_without_an_audio_device_there_is_one_line(tmp_path: Path) -> None:
    need_jack()
    done = subprocess.run(
        [sys.executable, "-m", "streamsep", "live"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        # A server that does not exist, whoever else may run one.
        env={**os.environ, "JACK_DEFAULT_SERVER": "ss_none", "JACK_NO_START_SERVER": "1"},
        cwd=tmp_path,
    )
    if "there is no input device" not in done.stderr:
        pytest.skip("this machine has a sound card")
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
