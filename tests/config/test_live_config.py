"""A live loop's configuration: what may be written, and what is said when it may not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from mixing.desk import Desk, noise

from bridge.mixing import parse_route
from streamsep.config import configs_folder
from streamsep.config.live import LiveConfig, load_live_config
from streamsep.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path


def played(config: LiveConfig, stems: np.ndarray) -> np.ndarray:
    """What comes out of a mixer that is set as a configuration says, [8, T]."""
    desk = Desk(*config.routes)
    for stem in config.mute:
        desk.controls.set(f"{stem}.mute", 1.0)
    for stem, gain_db in config.gains_db.items():
        desk.controls.set(f"{stem}.gain", gain_db)
    return desk.play(stems)


@pytest.mark.parametrize("name", [each.stem for each in configs_folder("live").glob("*.yaml")])
def test_every_route_of_a_configuration_that_comes_along_is_heard(name: str) -> None:
    config = load_live_config(name)
    out = played(config, noise(4, 2, 500))
    for route in config.routes:
        assert out[list(parse_route(route).outputs)].any(axis=1).all()


def test_a_drummer_hears_the_others_and_the_drums_have_outputs_of_their_own() -> None:
    stems = noise(4, 2, 500)
    out = played(load_live_config("drummer"), stems)
    np.testing.assert_array_equal(out[:2], stems[1:].sum(0, dtype=np.float32))
    np.testing.assert_array_equal(out[2:4], stems[0])


@pytest.mark.parametrize(
    ("written", "channels"), [("1-2", (0, 1)), ("3-4", (2, 3)), ("1", (0,)), ("1, 3", (0, 2))]
)
def test_channels_are_counted_from_one(written: str, channels: tuple[int, ...]) -> None:
    assert LiveConfig(input_channels=written).separated_channels() == channels


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("input_channels: 0-1", "counted from 1"),
        ("input_channels: 2-1", "counted from 1"),
        ("input_channels: 1,1", "counted from 1"),
        ("input_channels: left", "counted from 1"),
        ("input_channels: 1-40", "up to 32 channels"),
        ("rotes: [mix:1-2]", "did you mean 'routes'"),
        ("routes: []", "at least 1 item"),
        ("block: 0", "greater than or equal to 1"),
        ("wet: 2.0", "less than or equal to 1"),
        ("consistency: some", "'off', 'other' or 'energy'"),
    ],
)
def test_a_mistake_in_a_file_is_one_line(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=said) as caught:
        load_live_config(path)
    assert "\n" not in str(caught.value)


def test_an_unknown_name_is_answered_with_those_that_are_known() -> None:
    with pytest.raises(ConfigError, match="did you mean 'drummer'"):
        load_live_config("drumer")


def test_what_is_typed_takes_precedence_and_is_checked() -> None:
    config = load_live_config("vocals_down").changed(mute=["bass"], preset="stage")
    assert (config.mute, config.preset, config.routes) == (["bass"], "stage", ["mix:1-2"])
    with pytest.raises(ConfigError, match="counted from 1"):
        config.changed(input_channels="0")
