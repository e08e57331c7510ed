"""The effects of pedalboard's own: the table of their parameters is true, and they stream."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pedalboard
import pytest
import soundfile
from board_material import RATE, noise_stems

from streamsep.errors import ConfigError
from vst_wrapper import StemBoard
from vst_wrapper.boards.effects import CANNOT_STREAM, EFFECTS, Choice, Number, Text, make_effect

if TYPE_CHECKING:
    from pathlib import Path

    from streamsep.config.board import ParameterValue

NO_EFFECTS = {"Chain", "ExternalPlugin", "IIRFilter", "Mix", "Pedalboard", "Plugin"}
NO_EFFECTS |= {"PluginContainer", "VST3Plugin", "AudioUnitPlugin"}


def settable(effect: type) -> set[str]:
    return {name for name in dir(effect) if getattr(getattr(effect, name), "fset", None)}


def with_impulse(folder: Path, name: str) -> dict[str, ParameterValue]:
    """What an effect cannot be made without."""
    if name != "Convolution":
        return {}
    path = folder / "impulse.wav"
    soundfile.write(path, np.exp(-np.arange(2_000) / 300.0), RATE)
    return {"impulse_response_filename": str(path)}


def test_every_effect_of_pedalboard_is_in_the_table() -> None:
    found = {
        name
        for name in dir(pedalboard)
        if not name.startswith("_")
        and isinstance(getattr(pedalboard, name), type)
        and issubclass(getattr(pedalboard, name), pedalboard.Plugin)
    }
    assert found - NO_EFFECTS == set(EFFECTS) | CANNOT_STREAM


@pytest.mark.parametrize("name", EFFECTS)
def test_the_table_holds_the_parameters_that_pedalboard_has(name: str) -> None:
    made_with = {key for key, kind in EFFECTS[name].items() if isinstance(kind, Text)}
    assert set(EFFECTS[name]) - made_with == settable(getattr(pedalboard, name))


@pytest.mark.parametrize("name", EFFECTS)
def test_pedalboard_takes_both_ends_of_every_range(name: str, tmp_path: Path) -> None:
    sound = noise_stems(5_000)[0]
    for parameter, kind in EFFECTS[name].items():
        if isinstance(kind, Text):
            continue
        if isinstance(kind, Number):
            top = min(kind.high, RATE / 2 - 1) if kind.below_nyquist else kind.high
            values: tuple[ParameterValue, ...] = (kind.low, top)
        else:
            values = kind.names if isinstance(kind, Choice) else (False, True)
        for value in values:
            effect = make_effect(name, {**with_impulse(tmp_path, name), parameter: value}, "here")
            assert np.isfinite(effect.process(sound, RATE)).all(), (parameter, value)


@pytest.mark.parametrize("name", EFFECTS)
def test_a_stream_is_what_pedalboard_makes_of_the_whole(name: str, tmp_path: Path) -> None:
    stems = noise_stems(60_000)
    parameters = with_impulse(tmp_path, name)
    board = StemBoard(stems={"bass": [make_effect(name, parameters, "here")]}, outputs=("bass",))
    expected = make_effect(name, parameters, "here").process(stems[1], RATE)
    # A codec's last block depends on what comes after it: pedalboard lets it end, a stream goes on.
    compared = slice(0, expected.shape[-1] if name != "MP3Compressor" else 55_000)
    for _ in range(2):
        got = board.process(stems, RATE)["bass"]
        assert got.shape == stems[1].shape
        assert np.abs(got[:, compared] - expected[:, compared]).max() < 1e-6


@pytest.mark.parametrize("name", sorted(CANNOT_STREAM))
def test_what_cannot_be_streamed_really_cannot(name: str) -> None:
    """If this fails, pedalboard has learnt it, and the effect belongs into the table."""
    sound = noise_stems(3 * RATE)[0]
    effect = getattr(pedalboard, name)()
    whole = effect.process(sound, RATE)
    effect.reset()
    blocks = [
        effect.process(sound[:, start : start + 8_192], RATE, reset=False)
        for start in range(0, sound.shape[-1], 8_192)
    ]
    stream = np.concatenate(blocks, axis=-1)
    assert np.abs(stream - whole[:, : stream.shape[-1]]).max() > 0.01


@pytest.mark.parametrize(
    ("name", "parameters", "said"),
    [
        ("compressor", {}, "here: unknown effect 'compressor', did you mean 'Compressor'?"),
        ("Reverbs", {}, "unknown effect 'Reverbs', did you mean 'Reverb'?"),
        ("Frobnicator", {}, "unknown effect 'Frobnicator', expected Bitcrush, BrickwallLimiter"),
        ("PitchShift", {}, "here: PitchShift cannot be used on a board"),
        ("Gain", {"gain": 1.0}, r"here \(Gain\): unknown parameter 'gain', did you mean 'gain_db'"),
        ("Invert", {"mix": 1.0}, r"\(Invert\): unknown parameter 'mix', it takes none"),
        (
            "Compressor",
            {"ratio": 0.5},
            r"here \(Compressor\), parameter 'ratio': got 0.5, expected a number from 1 to 1000",
        ),
        ("Reverb", {"room_size": float("nan")}, "got nan, expected a number from 0 to 1"),
        ("Gain", {"gain_db": True}, "parameter 'gain_db': got True, expected a number"),
        ("Gain", {"gain_db": "loud"}, "got 'loud', expected a number from -120 to 40"),
        ("BrickwallLimiter", {"true_peak": 1.0}, "got 1.0, expected true or false"),
        ("LadderFilter", {"mode": "lpf24"}, "got 'lpf24', did you mean 'LPF24'?"),
        ("Convolution", {}, "expected the parameter 'impulse_response_filename'"),
        ("Convolution", {"impulse_response_filename": "/no/where.wav"}, "Unable to load impulse"),
    ],
)
def test_mistakes_name_the_effect_and_the_parameter(
    name: str, parameters: dict[str, ParameterValue], said: str
) -> None:
    with pytest.raises(ConfigError, match=said) as raised:
        make_effect(name, parameters, "here")
    assert "\n" not in str(raised.value)
