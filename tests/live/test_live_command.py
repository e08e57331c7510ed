"""`streamsep live` and `streamsep devices` as a user runs them, on a real JACK server."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import psutil
import pytest
import soundfile
from command_rig import DEVICES, Command, assert_all_end, live
from hall import need_hall
from jack_server import environment
from loop_rig import RATE
from offline.material import tiny_model

from streamsep.models.checkpoints import save_checkpoint

ROUNDS = 10
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
@pytest.mark.parametrize("ignored", [False, True])
def test_a_hang_up_ends_the_command_unless_it_was_started_to_ignore_it(
    user: Path, ignored: bool
) -> None:
    # As nohup does it: a process begins with what its parent ignores.
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN if ignored else signal.SIG_DFL)
    try:
        command = Command(user)
    finally:
        signal.signal(signal.SIGHUP, before)
    try:
        command.await_phase("playing")
        command.signal(signal.SIGHUP)
        if ignored:
            played = command.await_phase("playing")["samples"]
            command.await_status(lambda each: each["samples"] > played + RATE)
            command.signal(signal.SIGTERM)
        command.await_phase("closed")
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
            latency = status["latency"]
            for rounds in range(1, ROUNDS + 1):
                command.engine().kill()
                status = command.await_status(lambda each: each["connections"] > rounds)  # noqa: B023
                assert (status["engine_starts"], status["restarts"]) == (rounds + 1, 0)
            assert status["latency"] == latency
            # Without its zygote it plays on, and comes back all the same, only later.
            engine = command.engine()
            psutil.Process(engine.ppid()).kill()
            engine.kill()
            command.await_status(lambda each: each["connections"] > ROUNDS + 1)
            processes = command.processes()
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
        (("--midi-port", "nano"), "expected --midi MAP"),
        (("--engine", "nowhere"), "tcp://HOST:PORT"),
    ],
)
def test_a_mistake_is_one_line(tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    done = live(tmp_path, *arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_without_an_audio_device_there_is_one_line(tmp_path: Path) -> None:
    need_hall()
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
