"""Boards in YAML: what comes with streamsep works, and mistakes are one line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from board_material import RATE, config_of, noise_stems

from streamsep.config.board import load_board, load_boards
from streamsep.errors import ConfigError
from vst_wrapper import build_board
from vst_wrapper.boards import check_board

if TYPE_CHECKING:
    from pathlib import Path

BUNDLED = sorted(load_boards())


@pytest.mark.parametrize("name", BUNDLED)
@pytest.mark.parametrize("channels", [1, 2])
def test_the_boards_that_come_along_work(name: str, channels: int) -> None:
    config = load_board(name)
    check_board(config)
    stems = noise_stems(RATE, channels)
    outputs = build_board(config).process(stems, RATE)
    longest = RATE * (1 + config.tail_s)
    assert all(RATE <= output.shape[-1] <= longest for output in outputs.values())
    assert all(np.isfinite(output).all() for output in outputs.values())
    assert 0.01 < np.abs(outputs["mix"]).max() < 2.0


def test_karaoke_is_the_song_without_its_vocals() -> None:
    stems = noise_stems()
    mix = build_board(load_board("karaoke")).process(stems, RATE)["mix"]
    assert np.array_equal(mix, (stems[0] + stems[1]) + stems[2])


def test_stems_to_folder_gives_every_stem_and_the_mix() -> None:
    board = build_board(load_board("stems_to_folder"), ("drums", "other", "vocals", "piano"))
    assert board.outputs == ("drums", "other", "vocals", "piano", "mix")


def test_everything_a_file_says_is_done(tmp_path: Path) -> None:
    config = config_of(
        tmp_path,
        stems={
            "drums": {"gain_db": -20, "sends": {"copy": 0}},
            "bass": {"mute": True},
            "vocals": {"plugins": [{"effect": "Invert"}]},
        },
        sends={"copy": {"plugins": [{"effect": "Gain", "parameters": {"gain_db": 20}}]}},
        mix={"gain_db": 6.0206},
        outputs=["mix", "vocals"],
    )
    stems = noise_stems()
    outputs = build_board(config).process(stems, RATE)
    expected = 2.0 * (1.1 * stems[0] + stems[2] - stems[3])
    assert np.abs(outputs["mix"] - expected).max() < 1e-4
    assert np.array_equal(outputs["vocals"], -stems[3])


def test_files_are_looked_for_beside_the_board(tmp_path: Path) -> None:
    plugins = [
        {"plugin": "mine.vst3", "preset": "set/a.vstpreset"},
        {"effect": "Convolution", "parameters": {"impulse_response_filename": "hall.wav"}},
    ]
    reverb, hall = config_of(tmp_path, mix={"plugins": plugins}).mix.plugins
    assert reverb.plugin == str(tmp_path / "mine.vst3")
    assert reverb.preset == str(tmp_path / "set" / "a.vstpreset")
    assert hall.parameters["impulse_response_filename"] == str(tmp_path / "hall.wav")


def on_vocals(**plugin: Any) -> dict[str, Any]:
    return {"stems": {"vocals": {"plugins": [plugin]}}}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"stem": {}}, "unknown key 'stem', did you mean 'stems'?"),
        ({"tail_s": 31}, "key 'tail_s': got 31"),
        ({"stems": {"bass": {"gain_db": "loud"}}}, "key 'stems.bass.gain_db': got 'loud'"),
        (
            {"stems": {"bass": {"sends": {"hal": 0}}}, "sends": {"hall": {}}},
            "stem 'bass' goes to the send 'hal', did you mean 'hall'?",
        ),
        ({"stems": {"bass": {"sends": {"hall": 0}}}}, "send 'hall', expected no sends"),
        ({"outputs": ["mix", "mix"]}, "expected each once"),
        (on_vocals(), r"key 'stems.vocals.plugins.0': .*expected either 'effect' or 'plugin'"),
        (on_vocals(effect="Gain", plugin="a.vst3"), "expected either .* got both"),
        (on_vocals(effect="Gain", preset="a"), "'name' and 'preset' belong to a 'plugin'"),
        (
            on_vocals(effect="Gain", parameters={"gain_db": [1]}),
            r"key 'stems.vocals.plugins.0.parameters.gain_db': got \[1\], expected a number, true",
        ),
        (on_vocals(effect="Gain", parameters={"gain_db": float("nan")}), "got nan, expected"),
        (
            on_vocals(effect="Gain", automation={"gain_db": [[1, 0], [0, 0]]}),
            "expected points .* in the order of their times",
        ),
        (on_vocals(effect="Gain", automation={"gain_db": []}), "at least 1 item"),
        (
            on_vocals(effect="Gain", parameters={"gain_db": 1}, automation={"gain_db": [[0, 0]]}),
            "'gain_db' stands in 'parameters' and in 'automation', keep one",
        ),
    ],
)
def test_mistakes_in_a_file_are_one_line(
    content: dict[str, Any], said: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=said) as raised:
        config_of(tmp_path, **content)
    assert str(raised.value).startswith(str(tmp_path / "mine.yaml"))
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("plugin", "said"),
    [
        (
            {"effect": "Compresor"},
            "stem 'vocals', plugin 1: unknown effect 'Compresor', did you mean 'Compressor'?",
        ),
        (
            {"effect": "Compressor", "parameters": {"threshold": -20}},
            r"stem 'vocals', plugin 1 \(Compressor\): unknown parameter 'threshold', did you mean "
            "'threshold_db'",
        ),
        (
            {"effect": "Compressor", "parameters": {"ratio": 0}},
            r"stem 'vocals', plugin 1 \(Compressor\), parameter 'ratio': got 0.0, expected a n",
        ),
        (
            {"effect": "Compressor", "automation": {"ratio": [[0, 1], [9, 0]]}},
            r"plugin 1 \(Compressor\), parameter 'ratio': got 0.0, expected a number from 1",
        ),
        ({"plugin": "no.vst3"}, "stem 'vocals', plugin 1: '.*no.vst3' does not exist"),
    ],
)
def test_mistakes_on_a_board_name_stem_plugin_and_parameter(
    plugin: dict[str, Any], said: str, tmp_path: Path
) -> None:
    config = config_of(tmp_path, **on_vocals(**plugin))
    for look in (check_board, build_board):
        with pytest.raises(ConfigError, match=said) as raised:
            look(config)
        assert "\n" not in str(raised.value)


def test_a_stem_that_the_network_lacks_is_named(tmp_path: Path) -> None:
    config = config_of(tmp_path, stems={"guitar": {"mute": True}})
    with pytest.raises(ConfigError, match="unknown stem 'guitar', expected bass, drums, other, v"):
        build_board(config)
    assert build_board(config, ("guitar", "rest")).outputs == ("mix",)


def test_a_board_that_is_not_there() -> None:
    with pytest.raises(ConfigError, match="unknown board 'karaokee', did you mean 'karaoke'"):
        load_board("karaokee")
    with pytest.raises(ConfigError, match=r"nowhere\.yaml: cannot be read"):
        load_board("nowhere.yaml")


def test_something_that_is_no_plugin_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "fake.vst3").write_bytes(b"not a plugin")
    config = config_of(tmp_path, mix={"plugins": [{"plugin": "fake.vst3"}]})
    with pytest.raises(
        ConfigError, match=r"mix, plugin 1: '.*fake\.vst3' cannot be loaded"
    ) as raised:
        build_board(config)
    assert "\n" not in str(raised.value)
