"""What a network and its stems are called costs no session, or the engine does not start."""

from __future__ import annotations

import contextlib
import dataclasses
from typing import TYPE_CHECKING

import fakes
import pytest
import torch
from engine_thread import serving

from bridge.client.connection import Connection
from bridge.protocol import Hello, Mode, Welcome
from bridge.run_folder import Endpoints, ipc_endpoints
from bridge.server import Engine
from streamsep.config import load_presets
from streamsep.errors import ConfigError, EngineError

if TYPE_CHECKING:
    from pathlib import Path

    from bridge.server.offers import Offer

UNPRINTABLE = "my\u3000pre\nset"


def engine(
    model: str = "fake",
    stems: tuple[str, ...] = fakes.STEMS,
    kind: type[Engine] = Engine,
) -> Engine:
    separator = fakes.Gains(stride=2048, sources=stems, gains=(1.0,) * len(stems))
    presets = load_presets()
    presets[UNPRINTABLE] = presets["live"]
    return kind(separator, model, torch.device("cpu"), presets=presets, preset="live")


@pytest.fixture
def endpoints(tmp_path: Path) -> Endpoints:
    folder = tmp_path / "run"
    folder.mkdir(mode=0o700)
    return ipc_endpoints(folder)


def welcome(endpoints: Endpoints, preset: str = "") -> Welcome:
    hello = Hello(
        client="test",
        mode=Mode.OFFLINE,
        sample_rate=44_100,
        channels=2,
        block=1024,
        preset=preset,
    )
    with contextlib.closing(Connection(endpoints.audio)) as connection:
        return connection.open(hello, 5.0)


@pytest.mark.parametrize(
    ("model", "seen"),
    [
        ("my\u3000net", "my net"),
        ("two\nlines", "two lines"),
        ("ネット", "ネット"),
        ("", ""),
        ("x" * 5_000, "x" * 400),
    ],
)
def test_a_network_is_served_whatever_its_file_is_called(
    endpoints: Endpoints, model: str, seen: str
) -> None:
    with serving(engine(model), endpoints):
        assert welcome(endpoints).model == seen


class ForgetfulEngine(Engine):
    """Offers a preset whose name cannot be told, unless it is asked for one."""

    def offer(self, hello: Hello) -> Offer:
        offer = super().offer(hello)
        return offer if hello.preset else dataclasses.replace(offer, preset=UNPRINTABLE)


def test_an_answer_that_cannot_be_sent_costs_one_session_alone(endpoints: Endpoints) -> None:
    with serving(engine(kind=ForgetfulEngine), endpoints):
        with pytest.raises(EngineError, match="cannot send the field 'preset'"):
            welcome(endpoints)
        assert welcome(endpoints, preset="live").model == "fake"


@pytest.mark.parametrize(
    ("stems", "why"),
    [
        (tuple(f"stem {number}" for number in range(17)), "17 stems, expected 1 to 16"),
        (("vocals", "drums, bass"), "'drums, bass', expected a printable name without commas"),
        (("vocals", "the\u3000rest"), "expected a printable name without commas"),
        (("vocals", "vocals"), "the stem 'vocals' comes twice"),
        (tuple(f"{n:02}" + "ネ" * 58 for n in range(16)), "take 2831 bytes, at most 2048"),
    ],
)
def test_an_engine_refuses_stems_that_no_client_could_be_told(
    stems: tuple[str, ...], why: str
) -> None:
    with pytest.raises(ConfigError, match="'fake' cannot be served: ") as caught:
        engine(stems=stems)
    assert why in str(caught.value)
    assert "\n" not in str(caught.value)
