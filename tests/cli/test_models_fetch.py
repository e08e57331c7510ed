"""`streamsep models fetch`."""

from __future__ import annotations

import hashlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from cli.commands import typed
from streamsep.config import load_bag_cards, load_model_cards
from streamsep.models import registry

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CONTENT = bytes(i * 7 % 251 for i in range(300_000))
NAME = "demucs_unittest"


class Server(ThreadingHTTPServer):
    """Serves CONTENT under every name, in ranges; the first answer may break off."""

    daemon_threads = True
    cut: int | None = None

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[str | None] = []


class Handler(BaseHTTPRequestHandler):
    """See `Server`."""

    server: Server

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        """Send the content from where it was asked for."""
        asked = self.headers.get("Range")
        self.server.asked.append(asked)
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked else 0
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}")
        self.send_header("Content-Length", str(len(CONTENT) - start))
        self.end_headers()
        self.wfile.write(CONTENT[start : self.server.cut])
        self.server.cut = None


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    http = Server()
    thread = threading.Thread(target=http.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield http
    http.shutdown()
    http.server_close()
    thread.join()


@pytest.fixture
def cards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: Server
) -> dict[str, dict[str, Any]]:
    """The registry, with all its files on the test's server."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    changed = {
        "url": f"http://127.0.0.1:{server.server_port}/file",
        "sha256": hashlib.sha256(CONTENT).hexdigest(),
        "size_bytes": None,
    }
    found = {
        name: card if card.packaged else card.model_copy(update=changed)
        for name, card in load_model_cards().items()
    }
    monkeypatch.setattr(registry, "load_model_cards", lambda: found)
    return {"changed": changed, "found": found}


def test_a_broken_download_goes_on_and_is_checked(
    tmp_path: Path, cards: dict[str, Any], server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    server.cut = 100_000
    ended = typed(capsys, "models", "fetch", NAME, "--cache-dir", tmp_path)
    path = tmp_path / cards["found"][NAME].filename
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.startswith(f"{NAME}: {path}, ")
    assert path.read_bytes() == CONTENT
    assert server.asked == [None, "bytes=100000-"]
    assert typed(capsys, "models", "fetch", NAME, "--cache-dir", tmp_path).code == 0
    assert len(server.asked) == 2, "it was there"


def test_a_file_that_is_not_the_published_one_is_replaced(
    tmp_path: Path, cards: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / cards["found"][NAME].filename
    path.write_bytes(b"something else")
    assert typed(capsys, "models", "fetch", NAME, "--cache-dir", tmp_path).code == 0
    assert path.read_bytes() == CONTENT


def test_a_bag_fetches_its_members_and_a_packaged_network_is_there(
    tmp_path: Path, cards: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    name, bag = next(iter(load_bag_cards().items()))
    ended = typed(capsys, "models", "fetch", name, "starter", "--cache-dir", tmp_path)
    assert ended.code == 0, ended.err
    for member in bag.members:
        assert (tmp_path / cards["found"][member].filename).read_bytes() == CONTENT
    assert "starter.safetensors" in ended.out


def test_a_wrong_checksum_is_one_line_and_leaves_nothing(
    tmp_path: Path, cards: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    found = cards["found"]
    found[NAME] = found[NAME].model_copy(update={"sha256": "0" * 64})
    ended = typed(capsys, "models", "fetch", NAME, "--cache-dir", tmp_path)
    ended.check_one_line(2, "expected 00000000…, what arrived was deleted")
    assert not list(tmp_path.glob("demucs*"))


def test_offline_one_line_says_what_to_put_where(
    tmp_path: Path, cards: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    found = cards["found"]
    url = "http://127.0.0.1:9/weights"
    found[NAME] = found[NAME].model_copy(update={"url": url})
    ended = typed(capsys, "models", "fetch", NAME, "--cache-dir", tmp_path)
    ended.check_one_line(2, f"cannot download {url}")
    assert f"put the file at {tmp_path / found[NAME].filename} by hand" in ended.err


def test_unknown_names_are_told_before_anything_is_fetched(
    tmp_path: Path, cards: dict[str, Any], server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    ended = typed(capsys, "models", "fetch", NAME, "demucs_unitest", "--cache-dir", tmp_path)
    ended.check_one_line(2, f"unknown model 'demucs_unitest', did you mean '{NAME}'?")
    assert not server.asked
