"""Routes as they are typed, and which of them can be played."""

from __future__ import annotations

import pytest
from mixing.desk import Desk

from bridge.mixing import Route, parse_route
from streamsep.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "route"),
    [
        ("vocals:1-2", Route("vocals", (0, 1))),
        ("mix:3,1", Route("mix", (2, 0))),
        ("drums:5", Route("drums", (4,))),
        ("other:3-4:-6", Route("other", (2, 3), -6.0)),
        ("dry:7-8:+1.5dB", Route("dry", (6, 7), 1.5)),
    ],
)
def test_a_route_is_read(text: str, route: Route) -> None:
    assert parse_route(text) == route
    assert parse_route(str(route)) == route


@pytest.mark.parametrize(
    "text", ["", "vocals", "vocals:", ":1", "vocals:a", "vocals:1-", "vocals:-1", "vocals:0",
             "v:2-1", "vocals:1:loud", "vocals:1:nan", "vocals:1:2:3", "vocals:1-99999999999"]
)  # fmt: skip
def test_anything_else_is_one_clear_error(text: str) -> None:
    with pytest.raises(ConfigError, match=f"'{text}' is no route"):
        parse_route(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("vocal:1-2", "there is no 'vocal', expected drums, bass, other, vocals, mix, dry"),
        ("vocals:8-9", "the outputs are 1 to 8"),
        ("vocals:1-3", "2 channels on 3 outputs, expected 2 outputs or one"),
        ("vocals:1,1", "expected different outputs"),
        ("vocals:1-2:13", "at most 12 dB"),
    ],
)
def test_a_route_that_cannot_be_played_is_refused(text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        Desk(text)


def test_a_mixer_without_routes_is_refused() -> None:
    with pytest.raises(ConfigError, match="at least one"):
        Desk()
