"""Who may talk to an engine, and how it keeps others out."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import fakes
import numpy as np
import pytest
import torch
from engine_thread import free_ports, serving

from bridge.client import LiveStemClient, StemClient, ask_engine
from bridge.client.connection import Connection
from bridge.keys import ClientKeys, EngineKeys, make_keys
from bridge.run_folder import EngineLock, default_run_folder, ipc_endpoints, tcp_endpoints
from bridge.server import Engine, EngineServer
from streamsep.cli.engine_address import find_engine
from streamsep.config import load_presets
from streamsep.errors import ConfigError, EngineError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bridge.protocol import Hello


def test_a_second_engine_is_refused_and_a_later_one_is_not(tmp_path: Path) -> None:
    lock = EngineLock(tmp_path / "run")
    assert (tmp_path / "run").stat().st_mode & 0o777 == 0o700
    with pytest.raises(EngineError, match="running already"):
        EngineLock(tmp_path / "run")
    lock.release()
    EngineLock(tmp_path / "run").release()


def test_a_folder_that_others_may_enter_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir(mode=0o755)
    folder.chmod(0o755)
    with pytest.raises(ConfigError, match="others may enter"):
        EngineLock(folder)


@pytest.mark.skipif(os.name == "nt", reason="Windows has other folders")
def test_clients_do_not_ask_where_somebody_else_could_serve(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    folder = tmp_path / "streamsep"
    asking: tuple[Callable[[], object], ...] = (
        lambda: StemClient(sample_rate=44_100, connect_timeout_s=0.1),
        lambda: LiveStemClient(sample_rate=44_100, block=64, connect_timeout_s=0.1),
        lambda: ask_engine({"request": "status"}, timeout_s=0.1),
    )
    for ask in asking:
        with pytest.raises(EngineError, match="no engine answers"):
            ask()
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    folder.symlink_to("elsewhere")
    for ask in (*asking, lambda: find_engine(None, None)):
        with pytest.raises(ConfigError, match="is no folder"):
            ask()
    folder.unlink()
    folder.mkdir()
    folder.chmod(0o755)
    for ask in (*asking, lambda: find_engine(None, None)):
        with pytest.raises(ConfigError, match="others may enter"):
            ask()
    folder.chmod(0o700)
    monkeypatch.setattr("os.getuid", lambda: folder.stat().st_uid + 1)
    with pytest.raises(ConfigError, match="others may enter"):
        find_engine(None, None)


@pytest.mark.skipif(os.name == "nt", reason="Windows has other folders")
def test_engine_and_plugin_meet_whatever_a_shell_calls_temporary(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    # Not `tempfile.gettempdir()`: the protocol names this folder, whatever TMPDIR says.
    assert default_run_folder() == Path(f"/tmp/streamsep-{os.getuid()}")


def test_a_path_too_long_for_a_socket_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="107"):
        ipc_endpoints(tmp_path / ("x" * 100))


@pytest.mark.parametrize("address", ["localhost:5000", "tcp://:1", "tcp://a:99999", "udp://a:1"])
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(ConfigError, match="tcp://HOST:PORT"):
        tcp_endpoints(address)


def test_keys_are_for_their_owner_alone_and_are_kept(tmp_path: Path) -> None:
    made = make_keys(tmp_path / "keys")
    assert {path.name for path in made} == {
        "engine.key",
        "engine.key_secret",
        "client.key",
        "client.key_secret",
    }
    assert all(path.stat().st_mode & 0o077 == 0 for path in made)
    before = [path.read_bytes() for path in made]
    assert make_keys(tmp_path / "keys") == []
    assert [path.read_bytes() for path in made] == before
    made[-1].chmod(0o644)
    with pytest.raises(ConfigError, match="others may read"):
        ClientKeys.load(tmp_path / "keys")


def test_one_damaged_key_is_named_before_it_keeps_everybody_out(tmp_path: Path) -> None:
    make_keys(tmp_path / "keys")
    (tmp_path / "keys" / "clients" / "guest.key").touch()
    with pytest.raises(ConfigError, match=r"cannot read the key .*guest\.key"):
        EngineKeys.load(tmp_path / "keys")


def fake_engine() -> Engine:
    presets = load_presets()
    return Engine(
        fakes.Gains(stride=2048), "fake", torch.device("cpu"), presets=presets, preset="live"
    )


def test_an_address_of_the_network_needs_keys() -> None:
    with pytest.raises(ConfigError, match="needs keys"):
        EngineServer(fake_engine(), [tcp_endpoints("tcp://0.0.0.0:47000")])


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[str]:
    """The address of an engine that asks for keys."""
    make_keys(tmp_path / "keys")
    endpoints = tcp_endpoints(f"tcp://127.0.0.1:{free_ports()}")
    with serving(fake_engine(), endpoints, EngineKeys.load(tmp_path / "keys")):
        yield endpoints.audio


def test_who_holds_a_known_key_comes_in(guarded: str, tmp_path: Path) -> None:
    keys = ClientKeys.load(tmp_path / "keys")
    mix = np.ones((2, 5000), np.float32)
    with StemClient(sample_rate=44_100, address=guarded, keys=keys) as client:
        assert np.array_equal(client.separate(mix)[0], mix)


def test_who_holds_none_or_a_strange_one_hears_nothing(guarded: str, tmp_path: Path) -> None:
    make_keys(tmp_path / "strange")
    (tmp_path / "strange" / "engine.key").unlink()
    os.link(tmp_path / "keys" / "engine.key", tmp_path / "strange" / "engine.key")
    for keys in (None, ClientKeys.load(tmp_path / "strange")):
        with pytest.raises(EngineError, match="no engine answers"):
            StemClient(sample_rate=44_100, address=guarded, keys=keys, connect_timeout_s=0.5)


def test_nor_does_who_is_turned_away_before_asking(
    guarded: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    greet = Connection.greet

    def late(self: Connection, hello: Hello) -> None:
        time.sleep(0.5)
        greet(self, hello)

    monkeypatch.setattr(Connection, "greet", late)
    with pytest.raises(EngineError, match="no engine answers"):
        StemClient(sample_rate=44_100, address=guarded, connect_timeout_s=0.5)


def test_keys_count_from_when_they_lie_there_until_they_are_removed(
    guarded: str, tmp_path: Path
) -> None:
    make_keys(tmp_path / "guests")
    (tmp_path / "guests" / "engine.key").unlink()
    os.link(tmp_path / "keys" / "engine.key", tmp_path / "guests" / "engine.key")
    guest = ClientKeys.load(tmp_path / "guests")
    known = tmp_path / "keys" / "clients" / "guest.key"
    with pytest.raises(EngineError, match="no engine answers"):
        StemClient(sample_rate=44_100, address=guarded, keys=guest, connect_timeout_s=0.5)
    os.link(tmp_path / "guests" / "clients" / "client.key", known)
    with StemClient(sample_rate=44_100, address=guarded, keys=guest) as client:
        known.unlink()
        with pytest.raises(EngineError, match="no engine answers"):
            StemClient(sample_rate=44_100, address=guarded, keys=guest, connect_timeout_s=0.5)
        # Who is in already stays.
        assert client.separate(np.ones((2, 5000), np.float32)).shape == (4, 2, 5000)


def test_a_key_that_is_damaged_later_keeps_nobody_else_out(guarded: str, tmp_path: Path) -> None:
    (tmp_path / "keys" / "clients" / "guest.key").write_text("cut o")
    with StemClient(
        sample_rate=44_100, address=guarded, keys=ClientKeys.load(tmp_path / "keys")
    ) as client:
        assert client.stems
