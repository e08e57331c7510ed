"""Through a host of our own: every bus, exactly late, whatever the blocks and buffers are like."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from shim_engine import ShimEngine, stream_stems
from vst3_host import OFFLINE, PARAMETERS, PRESETS, REALTIME, Vst3Host

from streamsep.config import load_preset

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    MakeHost = Callable[[str], Vst3Host]

LENGTH = 90_000
TOLERANCE = 1e-6
RAGGED = (1, 0, 64, 8192, 0, 777, 3)


def music(channels: int = 2, length: int = LENGTH) -> np.ndarray:
    return np.random.default_rng(4).uniform(-0.5, 0.5, (channels, length)).astype(np.float32)


def rendered(
    host: Vst3Host, mix: np.ndarray, blocks: Sequence[int], *handling: str, mode: int = OFFLINE
) -> np.ndarray:
    """The five outputs [5, C, T] without the latency before them, which must be silent."""
    host.give(mix)
    latency = host.latency
    host.render(mix.shape[-1] + latency, blocks, *handling, mode=mode)
    out = host.take()
    assert not out[..., :latency].any()
    return out[..., latency:]


@pytest.fixture(scope="module")
def stems() -> np.ndarray:
    """What the engine's stream says to `music`."""
    return stream_stems(music())


def loudness(host: Vst3Host, mix: np.ndarray, *changes: tuple[str, float]) -> np.ndarray:
    """Render with parameters set; the main output."""
    for name, value in changes:
        host.set(name, value)
    host.start()
    return rendered(host, mix, [8192])[0]


@pytest.mark.parametrize(
    "blocks",
    [
        pytest.param([1024], id="1024"),
        pytest.param([8192], id="8192"),
        pytest.param(RAGGED, id="ragged"),
    ],
)
def test_all_five_outputs_are_those_of_the_stream(
    make_host: MakeHost, shim_engine: ShimEngine, stems: np.ndarray, blocks: Sequence[int]
) -> None:
    with make_host(shim_engine.endpoint) as host:
        host.start()
        out = rendered(host, music(), blocks)
        assert host.state["missed"] == "0"
        assert host.tell("tail") == str(host.latency)
    assert np.abs(out[1:] - stems).max() <= TOLERANCE
    assert np.abs(out[0] - stems.sum(0)).max() <= TOLERANCE


@pytest.mark.parametrize("sample_rate", [48_000, 96_000])
def test_other_rates_and_mono(
    make_host: MakeHost, shim_engine: ShimEngine, sample_rate: int
) -> None:
    mix = music(1)
    with make_host(shim_engine.endpoint) as host:
        host.start(sample_rate=sample_rate, channels=1)
        out = rendered(host, mix, [2048])
    assert np.abs(out[1:] - stream_stems(mix, sample_rate=sample_rate)).max() <= TOLERANCE


@pytest.mark.parametrize("handling", ["in-place", "null-buses", "in-place null-buses"])
def test_buffers_of_any_kind(
    make_host: MakeHost, shim_engine: ShimEngine, stems: np.ndarray, handling: str
) -> None:
    with make_host(shim_engine.endpoint) as host:
        host.start()
        out = rendered(host, music(), RAGGED, *handling.split())
    assert np.abs(out[0] - stems.sum(0)).max() <= TOLERANCE


def test_blocks_without_buses_are_time_that_passes(
    make_host: MakeHost, shim_engine: ShimEngine, stems: np.ndarray
) -> None:
    mix = music()
    gap = mix.copy()
    gap[:, 30_000:40_000] = 0
    with make_host(shim_engine.endpoint) as host:
        host.start()
        latency = host.latency
        host.give(mix)
        host.render(30_000, [1000])
        host.render(10_000, [1000], "no-input", "no-outputs")
        host.render(LENGTH - 40_000 + latency, [1000])
        out = host.take()[..., latency:]
    assert np.abs(out[1:] - stream_stems(gap)).max() <= TOLERANCE
    assert np.abs(stream_stems(gap) - stems).max() > 0.1


def test_a_host_may_change_block_sizes_and_modes(
    make_host: MakeHost, shim_engine: ShimEngine
) -> None:
    mix = music(length=250_000)
    with make_host(shim_engine.endpoint) as host:
        host.start(block=4096)
        latency = host.latency
        host.give(mix)
        for mode, blocks in ((OFFLINE, [4096]), (REALTIME, [1, 100]), (1, [333]), (OFFLINE, [64])):
            host.render(10_000, blocks, mode=mode)
        # The engine is a stream behind now; what is rendered next waits for it.
        host.render(mix.shape[-1] + latency - 40_000, [100_000, 17])
        out = host.take()[..., latency:]
        assert host.state["mode"] == "offline"
        assert host.state["failures"] == "0"
    # Wherever its stream began: the sum of stems is never the bare mixture.
    assert np.abs(out[1:].sum(0) - out[0]).max() <= TOLERANCE
    assert np.abs(out[3, :, -50_000:] - mix[:, -50_000:]).max() > 0.01


def test_gain_mute_solo_and_mix(
    make_host: MakeHost, shim_engine: ShimEngine, stems: np.ndarray
) -> None:
    mix = music()
    drums, bass, other, vocals = stems
    with make_host(shim_engine.endpoint) as host:
        out = loudness(host, mix, ("vocals_solo", 1))
        assert np.abs(out - vocals).max() <= TOLERANCE
        out = loudness(host, mix, ("drums_solo", 1), ("drums_gain", (60 - 6) / 72))
        assert np.abs(out - vocals - drums * 10 ** (-6 / 20)).max() <= TOLERANCE
        out = loudness(host, mix, ("vocals_solo", 0), ("drums_solo", 0), ("drums_mute", 1))
        assert np.abs(out - bass - other - vocals).max() <= TOLERANCE
        out = loudness(host, mix, ("other_gain", 0), ("mix", 0.5))
        assert np.abs(out - (bass + vocals + mix) / 2).max() <= TOLERANCE
        out = loudness(host, mix, ("bypass", 1))
        assert np.array_equal(out, mix)


def test_automation_does_not_depend_on_blocks_and_does_not_click(
    make_host: MakeHost, shim_engine: ShimEngine
) -> None:
    mix = np.full((2, LENGTH), 0.25, np.float32)
    outs = []
    for blocks in ([8192], [100], [2500, 1]):
        with make_host(shim_engine.endpoint) as host:
            host.set("mix", 0)
            host.start()
            latency = host.latency
            host.give(mix)
            position = 0
            total, change = latency + 20_000, latency + 5_003
            number = 0
            while position < total:
                length = min(blocks[number % len(blocks)], total - position)
                if position <= change < position + length:
                    host.tell("queue", PARAMETERS["bypass"], 0, 0)
                    host.tell("queue", PARAMETERS["mix"], change - position, 1)
                    host.tell("queue", PARAMETERS["other_mute"], change - position, 1)
                host.tell("process", OFFLINE, length)
                position += length
                number += 1
            outs.append(host.take()[0][0, latency:])
    assert np.array_equal(outs[0], outs[1])
    assert np.array_equal(outs[0], outs[2])
    assert np.array_equal(outs[0][:5_003], mix[0, :5_003])
    steps = np.abs(np.diff(outs[0][5_000:6_000]))
    assert 0 < steps.max() < 0.25 / 64


def test_however_many_points_a_block_has_parameters_end_where_the_last_one_says(
    make_host: MakeHost,
) -> None:
    with make_host("ipc:///nowhere.ipc") as host:
        host.start()
        for point in range(300):
            host.tell("queue", PARAMETERS["mix"], point, point / 299)
        host.tell("queue", PARAMETERS["bypass"], 0, 1)
        host.tell("process", OFFLINE, 8192)
        assert float(host.tell("get", PARAMETERS["mix"])) == 1
        assert host.state["mix"] == "1000000"
        assert host.state["bypass"] == "1000000"


def test_a_reset_leaves_exact_silence(make_host: MakeHost, shim_engine: ShimEngine) -> None:
    mix = music()
    with make_host(shim_engine.endpoint) as host:
        host.start()
        host.give(mix)
        host.render(LENGTH + host.latency, [4096])
        host.take()
        for command in (["processing 0", "processing 1"], ["active 0", "active 1"]):
            for word in command:
                host.tell(word)
            # Everything comes out again as if it were the first time.
            out = rendered(host, mix, [4096])
            assert np.abs(out[1:] - stream_stems(mix)).max() <= TOLERANCE


def test_without_an_engine_the_mixture_plays_late(make_host: MakeHost) -> None:
    mix = music()
    mix[:, 100] = np.nan
    mix[:, 200] = np.inf
    with make_host("ipc:///nowhere.ipc") as host:
        for mode in (OFFLINE, REALTIME):
            host.start(mode=mode)
            out = rendered(host, mix, [512, 0, 1, 5000], mode=mode)
            assert np.array_equal(out[0], np.nan_to_num(mix, nan=0, posinf=0))
            assert np.array_equal(out[3], out[0])
            assert not out[[1, 2, 4]].any()
            host.tell("active", 0)
        assert host.state["failures"] == "1"
        assert host.state["missed"] == str(2 * LENGTH)


def test_the_latency_depends_on_settings_alone(
    make_host: MakeHost, shim_engine: ShimEngine
) -> None:
    latencies = []
    for endpoint in ("ipc:///nowhere.ipc", shim_engine.endpoint):
        with make_host(endpoint) as host:
            found = []
            for preset in sorted(PRESETS, key=lambda name: load_preset(name).latency):
                host.choose_preset(preset)
                host.start(sample_rate=48_000, block=512)
                found.append(host.latency)
                host.tell("active", 0)
            latencies.append(found)
    assert latencies[0] == latencies[1] == sorted(latencies[0])


def test_another_preset_is_reported_and_takes_effect_at_the_next_activation(
    make_host: MakeHost,
) -> None:
    with make_host("ipc:///nowhere.ipc") as host:
        host.start()
        before = host.latency
        host.choose_preset("instant")
        assert host.tell("restarts") == "1"
        assert host.latency == before
        host.tell("active", 0)
        assert host.latency < before
        host.tell("active", 1)
        # From the audio thread nothing may be reported; the next call of the controller does it.
        host.tell("queue", PARAMETERS["preset"], 0, 1)
        host.tell("process", REALTIME, 512)
        assert host.tell("restarts") == "1"
        host.set("mix", 1)
        assert host.tell("restarts") == "2"


def test_a_preset_that_is_pending_is_reported_once_whatever_else_is_turned(
    make_host: MakeHost,
) -> None:
    with make_host("ipc:///nowhere.ipc") as host:
        host.start()
        for preset, reports in (("instant", 1), ("live", 2), ("studio", 2), ("live", 3)):
            host.choose_preset(preset)
            for step in range(10):
                host.set("vocals_gain", step / 10)
            assert host.tell("restarts") == str(reports), preset
        # Once it plays, it may be chosen anew later.
        host.start()
        host.choose_preset("instant")
        host.start()
        host.choose_preset("live")
        assert host.tell("restarts") == "5"


def test_a_state_comes_back_and_what_is_none_changes_nothing(make_host: MakeHost) -> None:
    with make_host("ipc:///nowhere.ipc") as host:
        host.set("vocals_gain", 0.25)
        host.set("bypass", 1)
        saved = host.state
        assert host.restore(
            b"streamsep plugin state 1\ngain_vocals=500000\nunknown=new\nendpoint=ipc:///else\n"
        )
        assert float(host.tell("get", PARAMETERS["vocals_gain"])) == 0.5
        assert float(host.tell("get", PARAMETERS["bypass"])) == 0
        assert host.state["endpoint"] == "ipc:///else"
        host.change_state(**saved)
        before = host.state
        for wrong in (
            b"",
            b"streamsep plugin state 2\nmix=0\n",
            b"streamsep plugin state 1\nmix=2000000\n",
            b"streamsep plugin state 1\nmix=1\nmix=2\n",
            b"streamsep plugin state 1\nmix\n",
            b"streamsep plugin state 1\nendpoint=\xff\xfe\n",
            bytes(range(256)) * 5000,
        ):
            assert not host.restore(wrong)
            assert host.state == before


def test_a_saved_song_has_its_preset_by_name(make_host: MakeHost) -> None:
    with make_host("ipc:///nowhere.ipc") as host:
        host.choose_preset("live")
        assert host.state["preset"] == "Live"
        host.choose_preset("instant")
        host.change_state(preset="Live")
        assert host.state["preset"] == "Live"
        # A newer plugin's, as if the song said nothing of it.
        host.change_state(preset="Telepathic", bypass=1_000_000)
        assert host.state["preset"] == "Studio"
        assert host.state["bypass"] == "1000000"


def test_the_audio_thread_neither_allocates_nor_locks_nor_calls_the_system(
    make_host: MakeHost, shim_engine: ShimEngine
) -> None:
    with make_host(shim_engine.endpoint) as host:
        host.choose_preset("live")
        host.start(block=512, mode=REALTIME)
        host.tell("audit")
        host.give(music())
        for _ in range(20):
            for parameter in (0, 13, 30, 31, 32, 33):
                host.tell("queue", parameter, 100, 0.5)
            host.tell("process", REALTIME, 512)
            host.render(6000, RAGGED, "paced", mode=REALTIME)
        allocations, locks, writes, others = map(int, host.tell("audit").split())
    assert (allocations, locks, others) == (0, 0, 0)
    assert writes == 1  # the wake-up of the network thread


def test_what_the_audit_finds_is_found(make_host: MakeHost, shim_engine: ShimEngine) -> None:
    """Waiting offline is the one thing that does call the system, and the audit sees it."""
    with make_host(shim_engine.endpoint) as host:
        host.start()
        host.tell("audit")
        host.give(music())
        host.render(200_000, [8192])
        assert int(host.tell("audit").split()[3]) > 0
