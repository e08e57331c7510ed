"""Boards with a plugin from a file: the shim, which without an engine gives its input back late."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pedalboard
import pytest
from pedalboard_native import ExternalPluginReloadType

sys.path.insert(0, str(Path(__file__).parents[1] / "boards"))
from board_material import RATE, STEMS, config_of, in_pieces, noise_stems

from streamsep.errors import ConfigError
from vst_wrapper import StemBoard, build_board, load_shim
from vst_wrapper.boards import BoardRenderer, check_board


@pytest.fixture(autouse=True)
def no_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))


@pytest.mark.parametrize("channels", [1, 2])
def test_a_vst3_that_reports_its_latency_stays_aligned(
    channels: int, bundle: Path, tmp_path: Path
) -> None:
    late = [{"plugin": str(bundle), "parameters": {"bypass": True}}]
    config = config_of(
        tmp_path,
        stems={"vocals": {"plugins": late}, "drums": {"sends": {"back": 0}}},
        sends={"back": {"plugins": late}},
        mix={"plugins": late},
        outputs=["mix", "stems"],
    )
    board = build_board(config)
    assert all(plugin.reported_latency_samples > RATE for plugin in board_plugins(board))
    stems = noise_stems(50_000, channels)
    outputs = board.process(stems, RATE)
    for stem, expected in zip(STEMS, stems, strict=True):
        assert np.array_equal(outputs[stem], expected)
    assert np.array_equal(outputs["mix"], ((stems[0] + stems[1]) + stems[2]) + stems[3] + stems[0])
    pieces = in_pieces(board, stems, [1, 4_999, 20_000])
    assert np.array_equal(pieces, np.stack(list(outputs.values())))


def board_plugins(board: StemBoard) -> list[pedalboard.VST3Plugin]:
    return [plugin for stage in board.stages() for plugin in stage.plugins()]


def test_a_plugin_that_only_the_main_thread_can_reset_is_refused(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load = pedalboard.load_plugin

    def load_stubborn(*arguments: object, **options: object) -> pedalboard.VST3Plugin:
        plugin = load(*arguments, **options)
        plugin._reload_type = ExternalPluginReloadType.PersistsAudioOnReset
        return plugin

    monkeypatch.setattr(pedalboard, "load_plugin", load_stubborn)
    config = config_of(tmp_path, mix={"plugins": [{"plugin": str(bundle)}]})
    with pytest.raises(ConfigError, match=r"mix, plugin 1 \(streamsep\): does not fall silent"):
        BoardRenderer(config, STEMS)
    # In the main thread pedalboard really loads it again, and it works.
    stems = noise_stems(2_000)
    for _ in range(2):
        mix = build_board(config).process(stems, RATE)["mix"]
        assert np.array_equal(mix, ((stems[0] + stems[1]) + stems[2]) + stems[3])


def test_parameters_presets_and_automation_reach_the_plugin(bundle: Path, tmp_path: Path) -> None:
    shim = load_shim(bundle=bundle)
    shim.vocals_gain_db = -12.0
    shim.process(noise_stems(100)[0], RATE)  # parameters travel with the next block
    (tmp_path / "quiet.vstpreset").write_bytes(shim.preset_data)
    config = config_of(
        tmp_path,
        mix={
            "plugins": [
                {
                    "plugin": str(bundle),
                    "preset": "quiet.vstpreset",
                    "parameters": {"drums_mute": True, "render_mode": "Never wait"},
                    "automation": {"dry_wet": [[0, 100], [0.5, 50]]},
                }
            ]
        },
    )
    check_board(config)
    board = build_board(config)
    (plugin,) = board_plugins(board)
    assert plugin.drums_mute
    board.process(noise_stems(RATE), RATE)
    # pedalboard does not look at its parameters again after a preset; the plugin's state tells.
    assert b"gain_vocals=666667\n" in plugin.preset_data
    # The board has been reset for the next song.
    assert plugin.dry_wet == pytest.approx(100.0)
    board.start(RATE, 2)
    board.push(noise_stems(RATE))
    assert plugin.dry_wet == pytest.approx(50.0, abs=0.2)


@pytest.mark.parametrize(
    ("plugin", "said"),
    [
        (
            {"parameters": {"vocal_gain_db": 0}},
            "unknown parameter 'vocal_gain_db', did you mean 'v",
        ),
        (
            {"parameters": {"vocals_gain_db": 99}},
            "mix, plugin 1, parameter 'vocals_gain_db': got 99.0, expected a number from -60 to 12",
        ),
        ({"parameters": {"bypass": 1}}, "parameter 'bypass': got 1.0, expected true or false"),
        ({"parameters": {"latency": "Never"}}, "parameter 'latency': got 'Never', expected "),
        ({"automation": {"bypass": [[0, 0]]}}, "parameter 'bypass': "),
        ({"preset": "none.vstpreset"}, "the preset '.*none.vstpreset' does not exist"),
        ({"preset": "mine.yaml"}, "the preset '.*mine.yaml' does not fit the plugin"),
    ],
)
def test_mistakes_are_one_line(
    plugin: dict[str, object], said: str, bundle: Path, tmp_path: Path
) -> None:
    config = config_of(tmp_path, mix={"plugins": [{"plugin": str(bundle), **plugin}]})
    with pytest.raises(ConfigError, match=said) as raised:
        build_board(config)
    assert "\n" not in str(raised.value)
