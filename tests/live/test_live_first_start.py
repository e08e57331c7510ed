"""`streamsep live` of a new user, who has no network yet."""

from __future__ import annotations

import signal
import socket
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from command_rig import DEVICES, Command, assert_all_end, live

from streamsep.config import load_model_cards

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def new_user() -> Iterator[Path]:
    """The run-time folder of one; not pytest's, whose name is too long for a socket."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


@pytest.mark.usefixtures("jack")
def test_without_a_connection_the_starter_plays_and_the_user_is_told(new_user: Path) -> None:
    command = Command(new_user, "--allow-late", https_proxy="http://127.0.0.1:1")
    try:
        status = command.await_phase("playing")
        assert (status["model"], status["engine_starts"]) == ("starter", 1)
        # Another one must not try to download again.
        asked = command.engine().cmdline()
        assert asked[asked.index("--model") + 1] == "starter"
        processes = command.processes()
        code, _, errors = command.end(signal.SIGINT)
        assert code == 0
        assert "separating with the small built-in network 'starter'" in errors
        assert_all_end(processes)
    finally:
        command.close()


@pytest.mark.usefixtures("jack")
def test_a_network_in_the_cache_of_the_environment_is_the_one_that_is_loaded(
    new_user: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    best = next(card for card in load_model_cards().values() if card.official)
    (new_user / "cache").mkdir()
    with (new_user / "cache" / best.filename).open("wb") as file:
        file.truncate(best.size_bytes)
    monkeypatch.setenv("TORCH_HOME", str(new_user / "torch"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(new_user / "elsewhere"))
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:1")
    done = live(new_user, *DEVICES, "--duration", "1", "--allow-late")
    assert done.returncode == 2, "the starter has played in its place"
    # The engine has found it, and that it is nothing but zeros.
    assert str(new_user / "cache" / best.filename) in done.stderr


@pytest.mark.usefixtures("jack")
def test_a_download_that_stalls_ends_with_ctrl_c_and_no_engine_is_started(new_user: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(60.0)
        proxy = f"http://127.0.0.1:{silent.getsockname()[1]}"
        command = Command(new_user, https_proxy=proxy)
        try:
            asking, _ = silent.accept()
            assert asking.recv(100).startswith(b"CONNECT ")
            assert command.processes() == []
            code, said, errors = command.end(signal.SIGINT)
            assert (code, said, errors) == (0, [], "")
            asking.close()
        finally:
            command.close()
