"""Fixtures of the live loop: a real JACK server, a real engine, and the loop between them."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

# The engines with fake separators belong to the bridge's tests.
sys.path.append(str(Path(__file__).parents[1] / "bridge"))

from engine_process import EngineProcess, running_engine
from hall import need_hall, playing_hall
from jack_server import ENVIRONMENT, running_server
from loop_rig import noise

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def passing_engine() -> Iterator[EngineProcess]:
    """An engine that gives the mixture back in `other`; nobody harms it."""
    need_hall()
    with (
        tempfile.TemporaryDirectory() as folder,
        running_engine(
            Path(folder) / "run", "--separator", "PassThrough", "--budget-ms", "500"
        ) as running,
    ):
        yield running


@pytest.fixture(autouse=True)
def _our_jack_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a test starts meets our server and no other."""
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(scope="module")
def jack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A server, and on it a player and a recorder with two channels each."""
    folder = tmp_path_factory.mktemp("jack")
    with running_server(512), playing_hall(folder / "hall", noise(2.0)) as hall:
        hall.play()
        yield


@pytest.fixture(scope="module")
def user() -> Iterator[Path]:
    """The run-time folder of a user whose engine runs already: it gives the mixture back."""
    need_hall()
    with (
        tempfile.TemporaryDirectory() as folder,
        running_engine(
            Path(folder) / "streamsep", "--separator", "PassThrough", "--budget-ms", "500"
        ),
    ):
        yield Path(folder)
