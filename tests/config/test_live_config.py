"""A live loop's configuration: what may be written, and what is said when it may not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from streamsep.config import configs_folder
from streamsep.config.live import LiveConfig, load_live_config
from streamsep.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("name", [each.stem for each in configs_folder("live").glob("*.yaml")])
def test_every_configuration_that_comes_along_can_be_played(name: str) -> None:
    from bridge.mixing import parse_route

    config = load_live_config(name)
    assert [parse_route(route) for route in config.routes]


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
    config = load_live_config("drummer").changed(mute=["bass"], preset="stage")
    assert (config.mute, config.preset, config.routes) == (
        ["bass"],
        "stage",
        ["mix:1-2", "drums:3-4"],
    )
    with pytest.raises(ConfigError, match="counted from 1"):
        config.changed(input_channels="0")
