"""`StemPlugin`: shaped like a pedalboard plugin, at lag 0, smooth, in process or by the engine."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
import torch
from fakes import Gains, Remembering, SegmentShaped
from hypothesis import given, settings
from hypothesis import strategies as st
from streams import one_push

from streamsep import StreamConfig, StreamingSeparator, load_preset
from streamsep.errors import ConfigError, EngineError, InputError
from vst_wrapper import StemPlugin

sys.path.insert(0, str(Path(__file__).parents[1] / "bridge"))
from engine_process import running_engine

RATE = 44_100
PRESET = "shortest"
QUARTERS = Gains(gains=(0.25, 0.25, 0.25, 0.25), stride=2048)


def noise(length: int = 20_000, channels: int = 2) -> np.ndarray:
    return np.random.default_rng(2).uniform(-0.5, 0.5, (channels, length)).astype(np.float32)


def quarters(**options: object) -> StemPlugin:
    """A plugin whose four stems are a quarter of the song each."""
    return StemPlugin.in_process(QUARTERS, preset=PRESET, **options)


def separated(
    song: np.ndarray, sample_rate: int = RATE, tiling: StreamConfig | None = None
) -> np.ndarray:
    """The stems as the core gives them."""
    tiling = tiling or StreamConfig.from_preset(load_preset(PRESET))
    stream = StreamingSeparator(
        SegmentShaped(stride=2048), tiling, sample_rate=sample_rate, channels=len(song)
    )
    return torch.cat([stream.push(torch.from_numpy(song)), stream.flush()], -1).numpy()


@pytest.mark.parametrize("sample_rate", [44_100, 48_000])
@pytest.mark.parametrize("length", [0, 1, 1_000, 20_001])
def test_a_whole_song_comes_back_at_lag_0(length: int, sample_rate: int) -> None:
    song = noise(length)
    plugin = StemPlugin.in_process(SegmentShaped(stride=2048), preset=PRESET, returns="stems")
    assert np.array_equal(plugin(song, sample_rate), separated(song, sample_rate))


@pytest.mark.parametrize(
    ("options", "followed"),
    [({}, True), ({"incremental": False}, False)],
)
def test_hops_keep_what_they_can_as_in_an_engine(options: dict[str, bool], followed: bool) -> None:
    song = noise()
    plugin = StemPlugin.in_process(
        Remembering(stride=2048), preset=PRESET, returns="stems", **options
    )
    tiling = StreamConfig.from_preset(load_preset(PRESET))
    stream = StreamingSeparator(Remembering(stride=2048), tiling, incremental=followed)
    assert np.array_equal(plugin(song, RATE), one_push(stream, torch.from_numpy(song)).numpy())


@pytest.mark.parametrize("channels", [1, 2, 3])
def test_the_mix_is_the_sum_of_the_stems(channels: int) -> None:
    song = noise(channels=channels)
    assert np.abs(quarters()(song, RATE) - song).max() < 1e-6


def test_one_dimension_comes_back_as_one_dimension() -> None:
    song = noise(channels=1)[0]
    assert np.abs(quarters()(song, RATE) - song).max() < 1e-6
    assert quarters(returns="stems")(song, RATE).shape == (4, len(song))


@settings(max_examples=10)
@given(
    lengths=st.lists(st.integers(0, 5_000), max_size=6),
    buffer_size=st.sampled_from([500, 8_192, 100_000]),
)
def test_a_stream_is_the_song_once_it_is_pushed_out(lengths: list[int], buffer_size: int) -> None:
    song = noise(12_000)
    plugin = StemPlugin.in_process(SegmentShaped(stride=2048), preset=PRESET)
    plugin.vocals_db = -6.0
    plugin.dry_wet = 0.7
    whole = plugin.process(song, RATE, buffer_size=buffer_size)
    pieces, position = [], 0
    silence = np.zeros((2, plugin.latency_samples), np.float32)
    for length in (*lengths, song.shape[-1]):
        piece = song[:, position : position + length]
        pieces.append(plugin.process(piece, RATE, reset=False))
        position += length
    pieces.append(plugin.process(silence, RATE, reset=False))
    stream = np.concatenate(pieces, axis=-1)
    assert stream.shape == whole.shape
    # What lies behind the end of a song is silence for a stream and nothing for a whole song.
    known = max(0, song.shape[-1] - plugin.latency_samples)
    assert np.abs(stream - whole)[:, :known].max(initial=0.0) < 1e-6


def test_the_size_of_the_buffer_does_not_matter() -> None:
    plugin = StemPlugin.in_process(SegmentShaped(stride=2048), preset=PRESET)
    song = noise(3_000)
    one, many = (plugin.process(song, RATE, buffer_size=size) for size in (7, 8_192))
    assert np.array_equal(one, many)


def test_nothing_of_a_song_is_heard_in_the_next() -> None:
    plugin = StemPlugin.in_process(SegmentShaped(stride=2048), preset=PRESET)
    song = noise()
    first = plugin(song, RATE)
    plugin.process(noise(5_000), RATE, reset=False)
    assert np.array_equal(plugin(song, RATE), first)
    plugin.process(noise(5_000), RATE, reset=False)
    plugin.reset()
    early = plugin.process(song, RATE, reset=False)
    assert np.array_equal(early, first[:, : early.shape[-1]])


def test_parameters_are_attributes() -> None:
    plugin = quarters()
    song = noise()
    plugin.vocals_mute = True
    plugin.drums_db = -20.0
    assert np.abs(plugin(song, RATE) - (0.025 + 0.5) * song).max() < 1e-6
    plugin.bass_solo = True
    assert np.abs(plugin(song, RATE) - 0.25 * song).max() < 1e-6
    plugin.dry_wet = 0.5
    assert np.abs(plugin(song, RATE) - 0.625 * song).max() < 1e-6
    plugin.bypass = True
    assert np.array_equal(plugin(song, RATE), song)
    assert plugin.parameters["drums_db"] == plugin.drums_db == -20.0
    assert plugin.parameters["bypass"] is True
    assert len(plugin.parameters) == 14
    assert "vocals_db" in dir(plugin)
    assert "drums_db=-20.0" in repr(plugin)


def test_stems_follow_their_gains_and_together_remain_the_song_when_bypassed() -> None:
    plugin = quarters(returns="stems")
    song = noise()
    plugin.drums_db = -20.0
    assert np.abs(plugin(song, RATE)[0] - 0.025 * song).max() < 1e-6
    plugin.bypass = True
    assert np.array_equal(plugin(song, RATE).sum(0), song)


def test_a_change_within_a_stream_does_not_click() -> None:
    plugin = quarters()
    ones = np.ones((1, 10_000), np.float32)
    plugin.process(ones, RATE, reset=False)
    before = plugin.process(ones, RATE, reset=False)
    plugin.vocals_mute = True
    after = plugin.process(ones, RATE, reset=False)
    steps = np.abs(np.diff(np.concatenate([before, after], axis=-1)))
    assert steps.max() < 0.25 / (0.01 * RATE)
    assert abs(after[0, -1] - 0.75) < 1e-6


def test_it_looks_like_a_plugin_of_pedalboard() -> None:
    pedalboard = pytest.importorskip("pedalboard")
    theirs = {name for name in dir(pedalboard.Gain) if not name.startswith("_")} - {"gain_db"}
    assert theirs <= set(dir(StemPlugin))
    assert quarters().process(noise().astype(np.float64), 44_100.0).dtype == np.float32


def test_the_latency_is_that_of_the_stream() -> None:
    plugin = quarters()
    assert plugin.latency_samples == load_preset(PRESET).latency
    assert plugin.process(noise(5_000), RATE, reset=False).shape[-1] == (
        5_000 - plugin.latency_samples
    )
    plugin.process(noise(), 96_000)
    assert plugin.latency_samples > 2 * load_preset(PRESET).latency


@pytest.mark.parametrize(
    ("samples", "said"),
    [
        (np.zeros((44_100, 2), np.float32), r"expected samples \[C, T\].*transpose"),
        (np.zeros((1, 2, 3), np.float32), r"got \[1, 2, 3\]"),
        (np.zeros((0, 3), np.float32), r"got \[0, 3\]"),
        (np.zeros((2, 3), np.int16), "expected an array of float samples, got int16"),
        ([0.0, 1.0], "expected an array of float samples, got list"),
    ],
)
def test_other_arrays_are_refused(samples: object, said: str) -> None:
    with pytest.raises(InputError, match=said):
        quarters().process(samples, RATE)


def test_mistakes_are_one_line() -> None:
    plugin = quarters()
    with pytest.raises(ConfigError, match="no parameter 'vocal_db', did you mean 'vocals_db'"):
        plugin.vocal_db = 1.0
    with pytest.raises(AttributeError, match="did you mean 'drums_mute'"):
        plugin.drum_mute  # noqa: B018, looking at it is the test
    with pytest.raises(ConfigError, match="vocals_db: got 99, expected -inf to 12"):
        plugin.vocals_db = 99
    with pytest.raises(ConfigError, match="vocals_db: got 'loud', expected a number"):
        plugin.vocals_db = "loud"
    with pytest.raises(ConfigError, match=r"sample_rate: got 44100.5, expected a whole number"):
        plugin.process(noise(), 44_100.5)
    with pytest.raises(ConfigError, match="buffer_size: got 0, expected at least 1"):
        plugin.process(noise(), RATE, buffer_size=0)
    with pytest.raises(ConfigError, match="returns: got 'drums', expected 'mix' or 'stems'"):
        quarters(returns="drums")


def test_a_half_made_plugin_has_no_attributes() -> None:
    half_made = StemPlugin.__new__(StemPlugin)
    with pytest.raises(AttributeError, match="no attribute '_controls'"):
        half_made.vocals_db  # noqa: B018, looking at it is the test


def test_a_stream_keeps_its_format() -> None:
    plugin = quarters()
    plugin.process(noise(), RATE, reset=False)
    with pytest.raises(ConfigError, match="got 48000 Hz and 2 channels within a stream of 44100"):
        plugin.process(noise(), 48_000, reset=False)
    plugin.process(noise(channels=1), 48_000)


def test_through_the_engine_it_is_the_same_and_a_dead_engine_is_an_error() -> None:
    config = StreamConfig(context=4096, hop=2048, look_ahead=2048, crossfade=512)
    with (
        tempfile.TemporaryDirectory() as folder,
        running_engine(Path(folder) / "run") as engine,
        StemPlugin.through_engine(address=engine.address, returns="stems") as plugin,
    ):
        assert plugin.stems == ("drums", "bass", "other", "vocals")
        for sample_rate, channels in ((44_100, 2), (48_000, 1)):
            song = noise(30_001, channels)
            expected = separated(song, sample_rate, config)
            for _ in range(2):
                assert np.array_equal(plugin(song, sample_rate), expected)
            plugin.reset()
            early = plugin.process(song, sample_rate, reset=False)
            assert np.array_equal(early, expected[..., : early.shape[-1]])
            assert early.shape[-1] == song.shape[-1] - plugin.latency_samples
        engine.kill()
        with pytest.raises(EngineError):
            plugin(song, sample_rate)


def test_without_an_engine_it_says_so() -> None:
    with (
        tempfile.TemporaryDirectory() as folder,
        pytest.raises(EngineError, match=r"no engine answers at .* start one with"),
    ):
        StemPlugin.through_engine(address=f"ipc://{folder}/audio.ipc", connect_timeout_s=0.2)
