"""Servers and processes die while music plays: the loop says so, comes back, and leaves nothing."""

from __future__ import annotations

import os
import re
import signal
import time
from typing import TYPE_CHECKING

import numpy as np
import psutil
import pytest
from engine_process import running_engine
from hall import Hall, playing_hall
from jack_server import JackServer, running_server
from loop_rig import (
    RATE,
    assert_late_by,
    loop_between,
    noise,
    run_for,
    run_until,
    run_until_playing,
)

from bridge.live.status import LivePhase
from streamsep.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from engine_process import EngineProcess

    from bridge.live.supervisor import LiveLoop

SIGNAL = noise(2.5)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[JackServer]:
    """A server for each test: one that has lost a client without a word is not what it was."""
    with running_server(512) as running:
        yield running


def audio_processes() -> list[int]:
    """Every audio child that this process has started and that still lives."""
    found = []
    for child in psutil.Process().children(recursive=True):
        try:
            if "bridge.live.audio_child" in child.cmdline():
                found.append(child.pid)
        except psutil.Error:
            continue
    return found


def assert_plays(loop: LiveLoop, hall: Hall) -> None:
    """What is heard now is exact."""
    played = loop.status.counts["samples"]
    hall.play()
    # By the clock of the server, which stands still while it waits for a client that was killed.
    run_until(loop, lambda: loop.status.counts["samples"] > played + 2.2 * RATE, "two seconds")
    assert_late_by(loop.status.latency, hall.hear().samples, SIGNAL)


def test_the_loop_comes_back_when_the_jack_server_does(
    passing_engine: EngineProcess, server: JackServer, tmp_path: Path
) -> None:
    with loop_between(passing_engine, patient=True) as loop:
        for end_server in (server.terminate, server.kill):
            with playing_hall(tmp_path / "hall", SIGNAL) as hall:
                run_until_playing(loop)
                latency = loop.status.latency
                hall.play()
                run_for(loop, 0.5)
                end_server()
                run_until(loop, lambda: loop.status.phase is LivePhase.WAITING, "notices")
                assert len(audio_processes()) <= 1
            server.start()
        with playing_hall(tmp_path / "hall", SIGNAL) as hall:
            run_until_playing(loop)
            assert_plays(loop, hall)
        assert loop.status.latency == latency
        assert loop.status.restarts == 2
        assert audio_processes() == [loop.child_pid]
    assert audio_processes() == []


def test_the_loop_comes_back_when_a_program_at_its_ends_does(
    passing_engine: EngineProcess, server: JackServer, tmp_path: Path
) -> None:
    del server
    with loop_between(passing_engine) as loop:
        with playing_hall(tmp_path / "hall", SIGNAL) as hall:
            run_until_playing(loop)
            latency = loop.status.latency
            hall.play()
            run_for(loop, 0.5)
        news: list[str] = []
        while loop.status.phase is not LivePhase.WAITING or len(news) < 2:
            news += run_for(loop, 0.1)
        assert re.fullmatch(r"the program '(player|recorder)' has gone; starting again", news[0])
        assert news[1].startswith("waiting: no input device is called 'player'")
        with playing_hall(tmp_path / "hall", SIGNAL) as hall:
            run_until_playing(loop)
            assert_plays(loop, hall)
        assert (loop.status.latency, loop.status.restarts) == (latency, 1)
    assert audio_processes() == []


def test_whoever_rewires_a_program_in_a_patch_bay_ends_nothing(
    passing_engine: EngineProcess, server: JackServer, tmp_path: Path
) -> None:
    with (
        playing_hall(tmp_path / "hall", SIGNAL) as hall,
        loop_between(passing_engine) as loop,
    ):
        run_until_playing(loop)
        wires = server.wires()
        assert len(wires) == 4
        for source, sink in wires:
            server.cut(source, sink)
        played = loop.status.counts["samples"]
        assert run_for(loop, 2.0) == []
        assert server.wires() == []
        assert loop.status.counts["samples"] > played + RATE
        for source, sink in wires:
            server.join(source, sink)
        assert_plays(loop, hall)
        assert loop.status.restarts == 0


def test_an_audio_process_that_is_killed_is_replaced_at_the_same_latency(
    passing_engine: EngineProcess, server: JackServer, tmp_path: Path
) -> None:
    del server
    with (
        playing_hall(tmp_path / "hall", SIGNAL) as hall,
        loop_between(passing_engine) as loop,
    ):
        run_until_playing(loop)
        latency, first = loop.status.latency, loop.child_pid
        assert first is not None
        played = loop.status.counts["samples"]
        os.kill(first, signal.SIGKILL)
        run_until(loop, lambda: loop.child_pid not in (None, first), "another child")
        run_until_playing(loop)
        assert_plays(loop, hall)
        assert (loop.status.latency, loop.status.restarts) == (latency, 1)
        assert loop.status.counts["samples"] > played


def test_music_goes_on_where_the_recording_cannot_begin_again(
    passing_engine: EngineProcess, server: JackServer, tmp_path: Path
) -> None:
    del server
    takes = tmp_path / "takes"
    with (
        playing_hall(tmp_path / "hall", SIGNAL) as hall,
        loop_between(passing_engine, record=str(takes)) as loop,
    ):
        run_until_playing(loop)
        takes.rename(tmp_path / "unplugged")
        takes.touch()
        first = loop.child_pid
        assert first is not None
        os.kill(first, signal.SIGKILL)
        news: list[str] = []
        while not any(line.startswith("playing again") for line in news):
            news += run_for(loop, 0.1)
        (said,) = [line for line in news if "record" in line]
        assert said == f"playing without a recording: cannot record into '{takes}': it is no folder"
        run_until_playing(loop)
        assert_plays(loop, hall)
        assert loop.status.measured is not None
        assert loop.status.measured.recording.startswith("stopped: cannot record into")
        assert loop.status.restarts == 1


def test_a_recording_that_cannot_begin_at_all_is_refused(
    passing_engine: EngineProcess, server: JackServer, tmp_path: Path
) -> None:
    del server
    takes = tmp_path / "takes"
    takes.touch()
    with (
        playing_hall(tmp_path / "hall", SIGNAL),
        loop_between(passing_engine, record=str(takes)) as loop,
        pytest.raises(ConfigError, match="it is no folder"),
    ):
        run_until_playing(loop)
    assert audio_processes() == []


def test_an_audio_process_that_stands_still_is_replaced(
    passing_engine: EngineProcess, server: JackServer, tmp_path: Path
) -> None:
    del server
    with (
        playing_hall(tmp_path / "hall", SIGNAL) as hall,
        loop_between(passing_engine) as loop,
    ):
        run_until_playing(loop)
        first = loop.child_pid
        assert first is not None
        os.kill(first, signal.SIGSTOP)
        run_until(loop, lambda: loop.child_pid not in (None, first), "another child")
        run_until_playing(loop)
        assert_plays(loop, hall)
        assert audio_processes() == [loop.child_pid]


def test_while_the_engine_is_dead_the_delayed_input_plays_and_nothing_is_lost(
    server: JackServer, tmp_path: Path
) -> None:
    del server
    with (
        running_engine(
            tmp_path / "run", "--separator", "PassThrough", "--budget-ms", "500"
        ) as engine,
        playing_hall(tmp_path / "hall", SIGNAL) as hall,
        loop_between(engine) as loop,
    ):
        run_until_playing(loop)
        hall.play()
        run_for(loop, 1.5)
        engine.kill()
        news: list[str] = []
        while loop.status.counts["missed"] < RATE or not news:
            news += run_for(loop, 0.1)
        assert news[0].startswith("no stems")
        assert news[0].endswith("the delayed input plays")
        engine.launch()
        connections = loop.status.counts["connections"]
        run_until(loop, lambda: loop.status.counts["connections"] > connections, "an engine")
        run_for(loop, loop.status.latency / RATE + 0.5)
        missed = loop.status.counts["missed"]
        run_for(loop, 1.0)
        heard = hall.hear()
        engine.await_ready()
        assert loop.status.counts["missed"] == missed
        assert loop.status.counts["gaps"] == 1
        assert loop.status.restarts == 0
        latency = loop.status.latency
    samples = heard.samples
    length = samples.shape[-1] - latency
    played = SIGNAL.take(range(length), axis=1, mode="wrap")
    # Stems and mixture are the same here; only the fades between them round.
    np.testing.assert_allclose(samples[:, latency:], played, atol=1e-6)


def test_a_command_that_stood_still_blames_nobody_for_it(
    passing_engine: EngineProcess, server: JackServer, tmp_path: Path
) -> None:
    """Ctrl-Z and fg, or a full pipe: what plays went on meanwhile."""
    with (
        playing_hall(tmp_path / "hall", SIGNAL),
        loop_between(passing_engine) as loop,
    ):
        run_until_playing(loop)
        run_for(loop, 0.5)
        pid = loop.child_pid
        time.sleep(4.0)
        assert loop.poll(0.5) == []
        assert (loop.child_pid, loop.status.engine_starts) == (pid, 0)


def test_a_device_that_is_missing_is_refused_at_first(
    passing_engine: EngineProcess, server: JackServer
) -> None:
    del server
    with (
        loop_between(passing_engine, input="nobody") as loop,
        pytest.raises(ConfigError, match="no input device is called 'nobody'"),
    ):
        run_until_playing(loop)
    assert audio_processes() == []


def test_a_server_that_does_not_answer_yet_is_waited_for(
    passing_engine: EngineProcess, tmp_path: Path
) -> None:
    server = JackServer(512)
    with loop_between(passing_engine, input="system", output="system") as loop:
        run_until(loop, lambda: loop.status.phase is LivePhase.WAITING, "it looks for devices")
        server.start()
        try:
            run_until_playing(loop)
            assert loop.status.counts["samples"] > 0
        finally:
            server.terminate()
