"""An engine may be killed, stopped, started again: the host plays on, and a render is told."""

from __future__ import annotations

import signal
import threading
import time
from typing import TYPE_CHECKING

import numpy as np
from shim_engine import SHARES, ShimEngine, stream_stems
from vst3_host import OFFLINE, REALTIME, Vst3Host

from vst_wrapper.shim import ShimBundle

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    MakeHost = Callable[[str], Vst3Host]

FADE = 64
PATIENCE_S = 60.0


def music(length: int) -> np.ndarray:
    return np.random.default_rng(5).uniform(-0.5, 0.5, (2, length)).astype(np.float32)


def in_shares(mix: np.ndarray) -> np.ndarray:
    """The stems that the engine makes of a mixture."""
    return mix * np.array(SHARES, np.float32)[:, None, None]


class Player:
    """Plays in real time, and knows which share of the mixture each stem has been."""

    def __init__(self, host: Vst3Host) -> None:
        self._host = host
        self._length = 60 * 44_100
        self._mix = music(self._length)
        host.choose_preset("live")
        host.start(block=512, mode=REALTIME)
        host.give(self._mix)
        self._latency = host.latency
        self._position = 0

    def play_until(self, status: str) -> None:
        """Play until the plugin says so."""
        end_s = time.monotonic() + PATIENCE_S
        while self._host.state["status"] != status:
            assert time.monotonic() < end_s, f"never {status}: {self._host.state}"
            self.play(2048)

    def play(self, samples: int) -> None:
        self._host.render(samples, [512, 100, 0], "paced", mode=REALTIME)
        self._position += samples
        assert self._position < self._length

    def shares(self) -> np.ndarray:
        """The vocals' share of the mixture at every moment: 1/8 with stems, 0 without."""
        out = self._host.take()[..., self._latency :]
        mix = self._mix[:, : out.shape[-1]]
        # Whatever happens, the main output is the mixture, late by the same.
        assert np.abs(out[0] - mix).max() < 1e-5
        heard = np.abs(mix[0]) > 0.1
        return np.interp(
            np.arange(mix.shape[-1]), np.flatnonzero(heard), (out[4, 0] / mix[0])[heard]
        )


def assert_no_click(shares: np.ndarray) -> None:
    """Between stems and mixture every change takes a fade."""
    assert np.abs(np.diff(shares)).max() <= 0.125 / FADE * 1.1


def test_killed_in_real_time_the_mixture_goes_on_and_the_stems_come_back(
    make_host: MakeHost, mortal_engine: ShimEngine
) -> None:
    with make_host(mortal_engine.endpoint) as host:
        player = Player(host)
        player.play_until("streaming")
        player.play(50_000)
        mortal_engine.kill()
        player.play_until("unreachable")
        player.play(40_000)
        missed = int(host.state["missed"])
        mortal_engine.start()
        player.play_until("streaming")
        player.play(80_000)
        shares = player.shares()
        assert host.state["connections"] == "2"
        assert missed > 0
    assert_no_click(shares)
    assert shares.min() < 0.01
    assert shares[-1] > 0.12
    assert shares.max() > 0.12


def test_stopped_in_real_time_nothing_waits(make_host: MakeHost, mortal_engine: ShimEngine) -> None:
    with make_host(mortal_engine.endpoint) as host:
        player = Player(host)
        player.play_until("streaming")
        player.play(20_000)
        mortal_engine.send(signal.SIGSTOP)
        player.play_until("stalled")
        player.play(30_000)
        mortal_engine.send(signal.SIGCONT)
        player.play_until("streaming")
        player.play(80_000)
        shares = player.shares()
    assert_no_click(shares)
    assert shares.min() < 0.01
    assert shares[-1] > 0.12


def test_stopped_in_a_render_it_waits_and_is_exact(
    make_host: MakeHost, mortal_engine: ShimEngine
) -> None:
    mix = music(120_000)
    with make_host(mortal_engine.endpoint) as host:
        host.start()
        latency = host.latency
        host.give(mix)
        host.render(latency + 20_000, [4096])
        mortal_engine.send(signal.SIGSTOP)
        # Wakes the engine while the host stands still in `process`.
        waker = threading.Timer(1.0, lambda: mortal_engine.send(signal.SIGCONT))
        waker.start()
        host.render(100_000, [4096])
        waker.join()
        out = host.take()[..., latency:]
        assert host.state["failures"] == "0"
        assert host.state["missed"] == "0"
    assert np.abs(out[1:] - in_shares(mix)).max() <= 1e-6


def test_killed_in_a_render_it_gives_up_once_and_counts(
    make_host: MakeHost, mortal_engine: ShimEngine
) -> None:
    mix = music(120_000)
    with make_host(mortal_engine.endpoint) as host:
        host.start()
        latency = host.latency
        host.give(mix)
        host.render(latency + 5_000, [4096])
        mortal_engine.kill()
        host.render(115_000, [4096])
        out = host.take()[..., latency:]
        state = host.state
        assert state["failures"] == "1"
        assert int(state["missed"]) > 0
        assert "engine" in state["problem"]
    assert np.array_equal(out[0][:, -4096:], mix[:, -4096:])


def test_always_and_never_wait(make_host: MakeHost, shim_engine: ShimEngine) -> None:
    mix = music(60_000)
    for render, mode, expected in ((1.0, REALTIME, "offline"), (0.5, OFFLINE, "live")):
        with make_host(shim_engine.endpoint) as host:
            host.set("render", render)
            host.start(mode=mode)
            host.give(mix)
            host.render(60_000 + host.latency, [4096], mode=mode)
            _await_mode(host, expected)
            if expected == "offline":
                out = host.take()[..., host.latency :]
                assert np.abs(out[1:] - stream_stems(mix)).max() <= 1e-6
            else:
                assert host.state["failures"] == "0"


def test_many_lives_leave_nothing_behind(
    make_host: MakeHost, shim_engine: ShimEngine, bundle: Path
) -> None:
    binary = ShimBundle(bundle).binary
    with make_host(shim_engine.endpoint) as host:
        host.tell("unload")
        host.tell("cycles", binary, 10)
        memory, threads, files = map(int, host.tell("usage").split())
        host.tell("cycles", binary, 200)
        memory_after, threads_after, files_after = map(int, host.tell("usage").split())
    assert (threads_after, files_after) == (threads, files)
    assert memory_after - memory < 4096  # KiB; one plugin has 9 MiB


def test_an_engine_that_comes_later_is_found(
    make_host: MakeHost, mortal_engine: ShimEngine
) -> None:
    mortal_engine.kill()
    mix = music(60_000)
    with make_host(mortal_engine.endpoint) as host:
        host.start()
        host.give(mix)
        host.render(20_000, [4096])
        mortal_engine.start()
        end_s = time.monotonic() + PATIENCE_S
        while host.state["status"] != "streaming":
            assert time.monotonic() < end_s
            time.sleep(0.05)
        host.tell("processing", 1)
        host.take()
        host.give(mix)
        host.render(60_000 + host.latency, [4096])
        out = host.take()[..., host.latency :]
    assert np.abs(out[1:] - in_shares(mix)).max() <= 1e-6


def _await_mode(host: Vst3Host, expected: str) -> None:
    end_s = time.monotonic() + PATIENCE_S
    while host.state["mode"] != expected:
        assert time.monotonic() < end_s, host.state
        time.sleep(0.05)
