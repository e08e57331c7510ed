"""On a real JACK server: what comes out is what went in, as late as was declared, to the sample."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from hall import playing_hall
from jack_server import running_server
from loop_rig import (
    RATE,
    assert_late_by,
    loop_between,
    noise,
    run_for,
    run_until,
    run_until_playing,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine_process import EngineProcess
    from hall import Hall
    from jack_server import JackServer


SIGNAL = noise(2.5)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JackServer]:
    with running_server(256) as running:
        yield running


@pytest.fixture(scope="module")
def hall(server: JackServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hall]:
    with playing_hall(tmp_path_factory.mktemp("hall"), SIGNAL) as open_hall:
        yield open_hall


@pytest.mark.parametrize("period", [128, 256, 512, 1024, 2048])
def test_the_output_is_the_input_as_late_as_declared(
    passing_engine: EngineProcess, server: JackServer, hall: Hall, period: int
) -> None:
    server.change_period(period)
    with loop_between(passing_engine) as loop:
        run_until_playing(loop)
        hall.play()
        run_for(loop, 2.5)
        heard = hall.hear()
        playing = loop.status.playing
        assert playing is not None
        assert playing.latency_terms["block"] == period
        assert playing.sample_rate == RATE
        assert loop.status.counts["missed"] == 0
    assert heard.holes == 0
    assert_late_by(sum(playing.latency_terms.values()), heard.samples, SIGNAL)


def test_longer_blocks_than_at_first_begin_anew_at_a_longer_latency(
    passing_engine: EngineProcess, server: JackServer, hall: Hall
) -> None:
    server.change_period(256)
    with loop_between(passing_engine) as loop:
        run_until_playing(loop)
        before = loop.status.latency
        server.change_period(1024)
        run_until(loop, lambda: loop.status.restarts == 1, "begins anew")
        run_until_playing(loop)
        assert loop.status.latency == before - 256 + 1024
        hall.play()
        run_for(loop, 2.5)
        heard = hall.hear()
    assert_late_by(loop.status.latency, heard.samples, SIGNAL)


def test_the_latency_of_an_interface_is_what_its_ports_declare(
    passing_engine: EngineProcess, server: JackServer
) -> None:
    server.change_period(512)
    with loop_between(passing_engine, input="system", output="system") as loop:
        run_until_playing(loop)
        assert loop.status.playing is not None
        terms = loop.status.playing.latency_terms
    declared = port_latencies()
    assert min(declared.values()) > 0
    assert {name: terms[name] for name in declared} == declared


def port_latencies() -> dict[str, int]:
    """What the ports of `system` declare, asked by a client in a process of its own."""
    program = """
import ctypes, ctypes.util, json

class Range(ctypes.Structure):
    _fields_ = [("least", ctypes.c_uint32), ("most", ctypes.c_uint32)]

jack = ctypes.CDLL(ctypes.util.find_library("jack"))
jack.jack_client_open.restype = jack.jack_port_by_name.restype = ctypes.c_void_p
client = ctypes.c_void_p(jack.jack_client_open(b"asking", 1, None))  # 1: start no server

def latency(name, direction):
    port, found = ctypes.c_void_p(jack.jack_port_by_name(client, name)), Range()
    jack.jack_port_get_latency_range(port, direction, ctypes.byref(found))
    return found.most

before, after = latency(b"system:capture_1", 0), latency(b"system:playback_1", 1)
print(json.dumps({"device_input": before, "device_output": after}))
jack.jack_client_close(client)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=True
    )
    latencies: dict[str, int] = json.loads(done.stdout)
    return latencies


def test_a_period_that_changes_in_mid_stream_changes_nothing(
    passing_engine: EngineProcess, server: JackServer, hall: Hall
) -> None:
    server.change_period(256)
    with loop_between(passing_engine, block=2048) as loop:
        run_until_playing(loop)
        hall.play()
        for period in (1024, 128, 2048):
            run_for(loop, 1.0)
            server.change_period(period)
        run_for(loop, 1.0)
        heard = hall.hear()
        assert loop.status.restarts == 0
        assert loop.status.counts["missed"] == 0
        latency = loop.status.latency
    assert heard.holes <= 3
    assert_late_by(latency, heard.samples, SIGNAL)
