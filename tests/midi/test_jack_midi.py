"""A controller on a real JACK server: bursts, lights, hot-plug, servers that die."""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING

import numpy as np
import psutil
import pytest
from jack_server import ENVIRONMENT
from midi.controller import STEMS, map_of
from midi.jack_midi import NAME, Controller, running_midi_server, wait_for

from bridge.midi import MidiSession, open_midi
from bridge.mixing import RAMP_S, MixControls, Mixer, parse_route

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jack_server import JackServer

RATE, BLOCK = 44_100, 256
MAP = map_of(
    {"control": "wet", "cc": 1},
    {"control": "drums.gain", "cc": 7, "fine_cc": 39},
    {"control": "drums.mute", "cc": 64},
    port=NAME,
    pick_up=False,
)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[JackServer]:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    with running_midi_server(patient=getattr(request, "param", True)) as running:
        yield running


@pytest.fixture
def controls() -> MixControls:
    return MixControls(STEMS)


def connected(session: MidiSession) -> None:
    wait_for(lambda: session.connected, f"connected; {session.poll()}")


def test_a_burst_of_500_arrives_whole_and_moves_no_gain_by_a_jump(
    server: JackServer, controls: MixControls
) -> None:
    """Through a port of our own, into a mixer that plays a constant all the while."""
    mixer = Mixer(
        STEMS,
        [parse_route("drums:1")],
        channels=1,
        outputs=1,
        sample_rate=RATE,
        longest_block=BLOCK,
    )
    stems, dry = np.zeros((4, 1, BLOCK), np.float32), np.zeros((1, BLOCK), np.float32)
    stems[0] = 0.2
    values = np.random.default_rng(1).integers(0, 128, 500).tolist()
    played = []
    with open_midi(MAP, controls, port="", api="jack") as session:
        connected(session)
        hand = Controller(connect_to="streamsep:control")

        def settled() -> bool:
            out = np.empty((1, BLOCK), np.float32)
            mixer.mix(stems, dry, out, controls)
            played.append(out[0])
            time.sleep(BLOCK / RATE)
            return session.received == 500 and len(played) > 100

        settled()
        hand.send(*((0xB0, 1, value) for value in values))
        wait_for(settled, "500 messages")
        hand.unplug()
    assert session.changed == np.count_nonzero(np.diff(values)) + (values[0] != 127)
    assert controls.get("wet") == values[-1] / 127
    heard = np.concatenate(played)
    assert np.ptp(heard) > 0.02  # it did move
    assert np.abs(np.diff(heard)).max() <= 0.2 / (RAMP_S * RATE) * 1.001


def test_lights_follow_whoever_turns(server: JackServer, controls: MixControls) -> None:
    hand = Controller()
    with open_midi(MAP, controls, api="jack") as session:
        connected(session)
        assert hand.shown() == [0xB0, 64, 0]
        hand.send((0xB0, 64, 127))
        assert hand.shown() == [0xB0, 64, 127]
        assert controls.get("drums.mute") == 1
        controls.set("drums.mute", 0)
        assert hand.shown() == [0xB0, 64, 0]
    hand.unplug()


def test_a_controller_may_come_later_go_and_come_back(
    server: JackServer, controls: MixControls
) -> None:
    with open_midi(MAP, controls, api="jack") as session:
        news: list[str] = []

        def told(words: str) -> bool:
            news.extend(session.poll())
            return any(words in line for line in news)

        wait_for(lambda: told(f"MIDI: no port '{NAME}', waiting for it"), "nothing there")
        for number in (1, 2):
            hand = Controller()
            wait_for(lambda: told(f"MIDI: {NAME}:faders is connected"), "connected")
            assert hand.shown() == [0xB0, 64, 0]
            hand.send((0xB0, 7, 10 * number), (0xB0, 39, number))
            wait_for(lambda: session.changed == number, "a change")  # noqa: B023
            level = controls.get("drums.gain")
            hand.unplug()
            wait_for(lambda: told(f"MIDI: {NAME}:faders has gone, waiting for it"), "gone")
            assert session.connected is None
            assert controls.get("drums.gain") == level
            news.clear()


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_a_server_that_dies_takes_nothing_down_with_it(
    server: JackServer, controls: MixControls, how: signal.Signals
) -> None:
    with open_midi(MAP, controls, api="jack") as session:
        for number in (1, 2):
            hand = Controller()
            connected(session)
            hand.send((0xB0, 1, number))
            wait_for(lambda: controls.get("wet") == number / 127, "a change")  # noqa: B023
            before = session.child_pid
            server.terminate() if how is signal.SIGTERM else server.kill()
            wait_for(lambda: session.connected is None, "noticed")
            assert any("the JACK server has gone" in line for line in session.poll())
            assert before is not None
            wait_for(lambda: not psutil.pid_exists(before), "its process ended")  # noqa: B023
            hand.kill()
            server.start()
        last = session.child_pid
    assert last is None or not psutil.pid_exists(last)


@pytest.mark.parametrize("server", [False], indirect=True)
def test_a_session_closes_at_once_whatever_its_process_does(
    server: JackServer, controls: MixControls
) -> None:
    session = open_midi(MAP, controls, port="", api="jack")
    connected(session)
    assert session.child_pid is not None
    psutil.Process(session.child_pid).kill()
    wait_for(lambda: any("has ended" in line for line in session.poll()), "told")
    connected(session)  # by another one
    stopped = psutil.Process(session.child_pid)
    stopped.suspend()
    session.close()
    assert not stopped.is_running()


def test_without_a_midi_system_it_waits(
    controls: MixControls, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JACK_DEFAULT_SERVER", "ss_nobody")
    monkeypatch.setenv("JACK_NO_START_SERVER", "1")
    with open_midi("generic", controls, api="jack") as session:
        news: list[str] = []
        wait_for(lambda: news.extend(session.poll()) or news, "told")
        assert news == ["MIDI: no MIDI system answers (jack), waiting for it"]
