"""The plugin from Python: built, installed, loaded in pedalboard, rendered through."""

from __future__ import annotations

import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pedalboard
import pytest
from fake_engine import EndsOnce, Poisoned
from shim_engine import ShimEngine, stream_stems

from streamsep import load_separator
from streamsep.cli.app import app
from streamsep.config import load_presets
from streamsep.errors import (
    ConfigError,
    EngineError,
    InputError,
    MissingToolError,
    OutputError,
)
from vst_wrapper import load_shim, render_with_shim, shim_status
from vst_wrapper.shim import ShimBundle, build_shim, default_bundle, install_shim
from vst_wrapper.shim.building import check_tools
from vst_wrapper.shim.bundle import SOURCES, put_in_place
from vst_wrapper.shim.preset_file import PresetFile

if TYPE_CHECKING:
    from collections.abc import Iterator

TOLERANCE = 1e-6
NOWHERE = "ipc:///nowhere/audio.ipc"


def music(channels: int, length: int) -> np.ndarray:
    return np.random.default_rng(8).uniform(-0.5, 0.5, (channels, length)).astype(np.float32)


@pytest.mark.parametrize(
    ("sample_rate", "channels", "block"),
    [
        (44_100, 2, 8192),
        (44_100, 2, 1),
        (44_100, 1, 500),
        (48_000, 2, 500),
        (48_000, 1, 8192),
        (96_000, 2, 8192),
    ],
)
def test_a_render_is_the_stream_of_the_preset_at_lag_0(
    bundle: Path, shim_engine: ShimEngine, sample_rate: int, channels: int, block: int
) -> None:
    mix = music(channels, 30_077)
    plugin = load_shim(bundle, endpoint=shim_engine.endpoint)
    out = render_with_shim(plugin, mix, sample_rate, buffer_size=block)
    expected = stream_stems(mix, sample_rate=sample_rate)
    assert np.abs(out - expected.sum(0)).max() <= TOLERANCE
    plugin.vocals_solo = True
    out = render_with_shim(plugin, mix, sample_rate, buffer_size=block)
    assert np.abs(out - expected[3]).max() <= TOLERANCE
    assert shim_status(plugin).missed == 0


def test_every_preset_has_the_plugins_latency(bundle: Path, shim_engine: ShimEngine) -> None:
    mix = music(2, 20_000)
    for preset in ("stage", "live"):
        plugin = load_shim(bundle, endpoint=shim_engine.endpoint, preset=preset)
        out = render_with_shim(plugin, mix, 44_100)
        expected = stream_stems(mix, preset=preset).sum(0)
        assert np.abs(out - expected).max() <= TOLERANCE


def test_presets_are_those_of_the_configuration() -> None:
    source = (SOURCES / "latency.hpp").read_text()
    presets = [each for each in load_presets().values() if each.crossfade > 0]
    for preset in presets:
        line = (
            f'{{"{preset.name}", "{preset.name.capitalize()}", {preset.hop}, {preset.look_ahead}}}'
        )
        assert line in source
    assert source.count('{"') == len(presets)


def test_six_instances_at_once(bundle: Path, shim_engine: ShimEngine) -> None:
    mix = music(2, 30_000)
    expected = stream_stems(mix).sum(0)
    plugins = [load_shim(bundle, endpoint=shim_engine.endpoint) for _ in range(6)]
    outs: dict[int, np.ndarray] = {}

    def render(number: int) -> None:
        block = (64, 512, 1024, 8192, 333, 4096)[number]
        outs[number] = render_with_shim(plugins[number], mix, 44_100, buffer_size=block)

    threads = [threading.Thread(target=render, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outs) == list(range(6))
    assert max(np.abs(out - expected).max() for out in outs.values()) <= TOLERANCE


def test_a_stream_in_pieces_is_the_whole(bundle: Path, shim_engine: ShimEngine) -> None:
    mix = music(2, 40_000)
    plugin = load_shim(bundle, endpoint=shim_engine.endpoint)
    whole = render_with_shim(plugin, mix, 44_100)
    plugin.reset()
    latency = shim_status(plugin).latency
    padded = np.concatenate([mix, np.zeros((2, latency), np.float32)], -1)
    parts = [
        plugin.process(padded[:, start : start + 7_000], 44_100, reset=False)
        for start in range(0, padded.shape[-1], 7_000)
    ]
    assert np.abs(np.concatenate(parts, -1)[:, :40_000] - whole).max() <= TOLERANCE


@pytest.fixture
def starter() -> Iterator[ShimEngine]:
    with tempfile.TemporaryDirectory() as folder:
        engine = ShimEngine(Path(folder) / "run", "--starter")
        engine.start()
        yield engine
        engine.kill()


def test_with_the_starter(bundle: Path, starter: ShimEngine) -> None:
    mix = 0.5 * music(2, 20_000)
    plugin = load_shim(bundle, endpoint=starter.endpoint)
    plugin.drums_solo = True
    out = render_with_shim(plugin, mix, 44_100)
    expected = stream_stems(mix, separator=load_separator("starter"))
    assert np.abs(out - expected[0]).max() <= TOLERANCE


def test_without_an_engine_the_song_passes_and_the_helper_says_so(bundle: Path) -> None:
    mix = music(2, 20_000)
    plugin = load_shim(bundle, endpoint=NOWHERE)
    assert np.array_equal(plugin.process(mix, 44_100), mix)
    with pytest.raises(EngineError, match=r"20000 of 20000 samples .* no engine is there"):
        render_with_shim(plugin, mix, 44_100)
    assert shim_status(plugin).status == "unreachable"


def test_an_engine_killed_in_a_render_makes_the_helper_raise(
    bundle: Path, mortal_engine: ShimEngine
) -> None:
    plugin = load_shim(bundle, endpoint=mortal_engine.endpoint)
    render_with_shim(plugin, music(2, 44_100), 44_100)  # as long as it lives, all is well
    song = music(2, 120 * 44_100)
    killer = threading.Timer(0.1, mortal_engine.kill)
    killer.start()
    with pytest.raises(EngineError, match="the render is not whole"):
        render_with_shim(plugin, song, 44_100, buffer_size=64)
    killer.join()


def test_values_that_are_not_finite_make_the_helper_raise(bundle: Path, tmp_path: Path) -> None:
    with Poisoned(f"ipc://{tmp_path}/a.ipc") as engine:
        plugin = load_shim(bundle, endpoint=engine.endpoint, preset="stage")
        with pytest.raises(EngineError, match=r"not whole: values that were not finite: \d+;"):
            render_with_shim(plugin, music(2, 60_000), 44_100)


class PausingHost:
    """Renders half a song, waits until the engine has ended the session, and goes on."""

    def __init__(self, plugin: pedalboard.VST3Plugin, engine: EndsOnce) -> None:
        self._plugin = plugin
        self._engine = engine

    @property
    def preset_data(self) -> bytes:
        state: bytes = self._plugin.preset_data
        return state

    def process(self, mix: np.ndarray, sample_rate: int, **options: object) -> np.ndarray:
        half = mix.shape[-1] // 2
        first = self._plugin.process(mix[:, :half], sample_rate, **options)
        before = shim_status(self._plugin)
        self._engine.ends = True
        end_s = time.monotonic() + 30
        while shim_status(self._plugin).connections == before.connections:
            assert time.monotonic() < end_s
            time.sleep(0.02)
        rest = self._plugin.process(mix[:, half:], sample_rate, reset=False)
        return np.concatenate([first, rest], -1)


def test_a_session_lost_in_a_render_makes_the_helper_raise_though_another_took_over(
    bundle: Path, tmp_path: Path
) -> None:
    with EndsOnce(f"ipc://{tmp_path}/a.ipc") as engine:
        plugin = load_shim(bundle, endpoint=engine.endpoint, preset="stage")
        host: Any = PausingHost(plugin, engine)
        with pytest.raises(EngineError, match="not whole: sessions that were lost: 1;"):
            render_with_shim(host, music(2, 61_440), 44_100)
        assert shim_status(plugin).missed == 0


def test_the_helper_refuses_other_shapes(bundle: Path) -> None:
    plugin = load_shim(bundle, endpoint=NOWHERE)
    for shape in ((3, 100), (100,), (1, 2, 3)):
        with pytest.raises(InputError, match="1 or 2 channels"):
            render_with_shim(plugin, np.zeros(shape, np.float32), 44_100)


def test_a_loaded_plugin_keeps_its_endpoint_and_parameters(bundle: Path) -> None:
    plugin = load_shim(bundle, endpoint=NOWHERE, preset="stage")
    plugin.vocals_gain_db = -12.0
    plugin.process(np.zeros((2, 512), np.float32), 44_100)
    assert shim_status(plugin).endpoint == NOWHERE
    other = load_shim(bundle)
    other.preset_data = plugin.preset_data
    assert shim_status(other).endpoint == NOWHERE
    assert other.vocals_gain_db == pytest.approx(-12.0, abs=0.05)
    assert str(other.latency) == "Stage"


def test_what_cannot_be_loaded_is_named(bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(MissingToolError, match="streamsep vst install"):
        load_shim(tmp_path / "streamsep.vst3")
    with pytest.raises(ConfigError, match="unknown preset 'slow', expected instant, stage"):
        load_shim(bundle, preset="slow")
    broken = ShimBundle(tmp_path / "streamsep.vst3")
    broken.binary.parent.mkdir(parents=True)
    broken.binary.write_bytes(b"no library")
    with pytest.raises(InputError, match="cannot be loaded"):
        load_shim(broken.path)


def test_another_plugins_state_is_refused() -> None:
    with pytest.raises(InputError, match="something else"):
        PresetFile.read(bytes(100))
    with pytest.raises(InputError, match="cut off"):
        PresetFile.read(b"VST3")
    preset = PresetFile(b"A" * 32, {b"Comp": b"other", b"Cont": b""})
    assert PresetFile.read(preset.write()) == preset


def test_building_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(
        MissingToolError, match=r"needs g\+\+ and dpf-source; install with 'apt-get"
    ):
        check_tools("no-such-compiler", tmp_path)


def test_a_failed_build_leaves_nothing(bundle: Path, tmp_path: Path) -> None:
    compiler = tmp_path / "g++"
    compiler.write_text("#!/bin/sh\necho 'x.cpp:1: error: no disk' >&2\nexit 1\n")
    compiler.chmod(0o755)
    out = tmp_path / "out"
    install_shim(bundle, out)
    before = ShimBundle(out / bundle.name).binary.read_bytes()
    with pytest.raises(OutputError, match=r"could not build the plugin: x\.cpp:1: error: no disk"):
        build_shim(out, compiler=str(compiler))
    assert ShimBundle(out / bundle.name).binary.read_bytes() == before
    assert [path.name for path in out.iterdir()] == [bundle.name]


def test_installing_replaces_what_was_there(bundle: Path, tmp_path: Path) -> None:
    assert ShimBundle(bundle).is_current
    old = ShimBundle(tmp_path / bundle.name)
    old.binary.parent.mkdir(parents=True)
    old.binary.write_bytes(b"old")
    (old.path / "left over").touch()
    assert not old.is_current
    installed = install_shim(bundle, tmp_path)
    assert ShimBundle(installed).is_current
    assert not (installed / "left over").exists()
    assert [path.name for path in tmp_path.iterdir()] == [bundle.name]
    assert default_bundle().parent.name == ".vst3"
    with pytest.raises(InputError, match="is no plugin for this machine"):
        install_shim(tmp_path, tmp_path)


def test_what_cannot_be_written_stays_as_it_was(tmp_path: Path) -> None:
    target = tmp_path / "kept"
    target.mkdir()
    (target / "file").touch()

    def fail(part: Path) -> None:
        part.mkdir()
        raise OSError(28, "No space left on device")

    with pytest.raises(OutputError, match="No space left"):
        put_in_place(target, fail)
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]
    assert (target / "file").exists()


def test_parameters_have_clean_steps(bundle: Path) -> None:
    plugin = load_shim(bundle, endpoint=NOWHERE)
    assert isinstance(plugin, pedalboard.VST3Plugin)
    gain = plugin.parameters["vocals_gain_db"]
    assert gain.range == (-60.0, 12.0, pytest.approx(0.1))
    assert [str(value) for value in plugin.parameters["render_mode"].valid_values] == [
        "Auto",
        "Never wait",
        "Always wait",
    ]


def test_the_command_line_names_the_plugin() -> None:
    assert "vst" in [group.name for group in app.registered_groups]
