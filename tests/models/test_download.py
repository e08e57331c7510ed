"""Downloads against a real server that breaks off, lies, stalls and changes its mind."""

from __future__ import annotations

import errno
import hashlib
import multiprocessing
import os
import re
import socket
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from streamsep.errors import DownloadError
from streamsep.file_lock import FileLock
from streamsep.models.download import Patience, fetch

CONTENT = bytes(i * 7 % 251 for i in range(600_000))
SHA256 = hashlib.sha256(CONTENT).hexdigest()
QUICK = Patience(attempts=4, timeout_s=5, pause_s=0.001, lock_s=0.2)


@dataclass
class Server:
    """What the server does, and what it was asked."""

    content: bytes = CONTENT
    etag: str | None = '"v1"'
    knows_ranges: bool = True
    announces_length: bool = True
    honours_if_range: bool = True
    # Bytes of the body after which each of the next answers breaks off.
    cuts: list[int] = field(default_factory=list)
    stalls: int = 0
    statuses: list[int] = field(default_factory=list)
    shift: int = 0
    requests: list[dict] = field(default_factory=list)
    url: str = ""


def make_handler(server: Server):
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_):
            pass

        def do_GET(self):
            server.requests.append(dict(self.headers))
            if server.statuses:
                self.send_error(server.statuses.pop(0))
                return
            if server.stalls:
                server.stalls -= 1
                server.resume.wait(20)
                return
            start = self.start()
            if start > 0 and start >= len(server.content):
                self.send_error(416)
                return
            body = server.content[start:]
            self.send_response(206 if start else 200)
            if start:
                first, last = start + server.shift, len(server.content) - 1
                self.send_header("Content-Range", f"bytes {first}-{last}/{len(server.content)}")
            if server.announces_length:
                self.send_header("Content-Length", str(len(body)))
            if server.etag:
                self.send_header("ETag", server.etag)
            self.end_headers()
            if server.cuts:
                body = body[: server.cuts.pop(0)]
            self.wfile.write(body)
            self.close_connection = True

        def start(self):
            match = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
            condition = self.headers.get("If-Range")
            changed = server.honours_if_range and condition and condition != server.etag
            return int(match[1]) if match and server.knows_ranges and not changed else 0

    return Handler


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    state = Server()
    state.resume = threading.Event()
    http = ThreadingHTTPServer(("127.0.0.1", 0), make_handler(state))
    http.daemon_threads = True
    http.handle_error = lambda *_: None  # a client that hangs up is no error here
    thread = threading.Thread(target=http.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    state.url = f"http://127.0.0.1:{http.server_port}/weights.bin"
    yield state
    state.resume.set()
    http.shutdown()
    http.server_close()
    thread.join()


@pytest.fixture
def target(tmp_path):
    return tmp_path / "cache" / "weights.bin"


def ranges(server):
    return [request.get("Range") for request in server.requests]


def leftovers(target):
    return sorted(path.name for path in target.parent.iterdir() if not path.name.endswith(".lock"))


def test_a_file_arrives_whole_and_alone(server, target):
    fetch(server.url, target, sha256=SHA256, size_bytes=len(CONTENT), patience=QUICK)
    assert target.read_bytes() == CONTENT
    assert leftovers(target) == ["weights.bin"]


def test_the_beginning_of_a_checksum_is_enough(server, target):
    fetch(server.url, target, sha256=SHA256[:8], patience=QUICK)
    assert target.read_bytes() == CONTENT


def test_progress_goes_from_nothing_to_everything(server, target):
    calls = []
    fetch(server.url, target, progress=lambda *call: calls.append(call), patience=QUICK)
    assert calls[0] == (0, len(CONTENT))
    assert calls[-1] == (len(CONTENT), len(CONTENT))
    assert calls == sorted(calls)


def test_a_broken_connection_is_resumed_where_it_broke(server, target):
    server.cuts = [100_000, 250_000]
    fetch(server.url, target, sha256=SHA256, patience=QUICK)
    assert target.read_bytes() == CONTENT
    assert ranges(server) == [None, "bytes=100000-", "bytes=350000-"]
    assert server.requests[1]["If-Range"] == '"v1"'


def test_a_connection_that_keeps_breaking_is_resumed_as_long_as_bytes_arrive(server, target):
    server.cuts = [50_000] * 11
    fetch(server.url, target, sha256=SHA256, patience=QUICK)
    assert len(server.requests) == 12


def test_a_second_call_goes_on_where_the_first_gave_up(server, target):
    server.cuts = [100_000, 0, 0, 0, 0]
    with pytest.raises(DownloadError, match="broke after 100000 of 600000 bytes"):
        fetch(server.url, target, sha256=SHA256, patience=QUICK)
    assert not target.exists()
    server.cuts.clear()
    server.requests.clear()
    fetch(server.url, target, sha256=SHA256, patience=QUICK)
    assert ranges(server) == ["bytes=100000-"]
    assert target.read_bytes() == CONTENT


def test_a_server_without_ranges_sends_everything_again(server, target):
    server.knows_ranges = False
    server.cuts = [100_000]
    fetch(server.url, target, sha256=SHA256, patience=QUICK)
    assert target.read_bytes() == CONTENT


def test_a_server_without_ranges_that_always_breaks_off_is_given_up(server, target):
    server.knows_ranges = False
    server.cuts = [100_000] * 50
    with pytest.raises(DownloadError, match="broke after"):
        fetch(server.url, target, sha256=SHA256, patience=QUICK)
    assert len(server.requests) == QUICK.attempts + 0


def test_a_file_that_changed_in_between_is_fetched_anew(server, target):
    server.cuts = [100_000, 0, 0, 0, 0]
    with pytest.raises(DownloadError):
        fetch(server.url, target, patience=QUICK)
    server.cuts.clear()
    server.content, server.etag = CONTENT[::-1], '"v2"'
    fetch(server.url, target, patience=QUICK)
    assert target.read_bytes() == CONTENT[::-1]


def test_a_server_that_continues_another_version_is_noticed(server, target):
    server.cuts = [100_000]
    server.honours_if_range = False

    def change_version(arrived, _):
        if arrived == 100_000:
            server.content, server.etag = CONTENT[::-1], '"v2"'

    fetch(server.url, target, progress=change_version, patience=QUICK)
    assert target.read_bytes() == CONTENT[::-1]


def test_halves_are_not_joined_without_version_or_checksum(server, target):
    server.etag = None
    server.cuts = [100_000]
    fetch(server.url, target, patience=QUICK)
    assert ranges(server) == [None, None]
    assert target.read_bytes() == CONTENT


def test_a_part_that_was_damaged_on_disk_is_fetched_anew(server, target):
    target.parent.mkdir()
    target.with_name("weights.bin.part").write_bytes(b"x" * 5000)
    fetch(server.url, target, sha256=SHA256, patience=QUICK)
    assert ranges(server) == ["bytes=5000-", None]
    assert target.read_bytes() == CONTENT


@pytest.mark.parametrize("extra", [0, 10])
def test_a_part_as_long_as_the_file_or_longer_is_fetched_anew(server, target, extra):
    target.parent.mkdir()
    target.with_name("weights.bin.part").write_bytes(b"x" * (len(CONTENT) + extra))
    fetch(server.url, target, sha256=SHA256, patience=QUICK)
    assert target.read_bytes() == CONTENT


def test_an_answer_from_the_wrong_place_is_not_joined(server, target):
    server.cuts = [100_000]
    server.shift = 3
    fetch(server.url, target, sha256=SHA256, patience=QUICK)
    assert target.read_bytes() == CONTENT


def test_wrong_bytes_are_deleted(server, target):
    with pytest.raises(DownloadError, match=r"checksum .*expected 00000000…, what arrived was del"):
        fetch(server.url, target, sha256="0" * 64, patience=QUICK)
    assert leftovers(target) == []


def test_a_wrong_length_is_refused_before_the_transfer(server, target):
    with pytest.raises(DownloadError, match="offers 600000 bytes, expected 599999"):
        fetch(server.url, target, size_bytes=599_999, patience=QUICK)
    assert leftovers(target) == []


@pytest.mark.parametrize("size", [599_999, 600_001])
def test_a_wrong_length_is_noticed_when_the_server_announces_none(server, target, size):
    server.announces_length = False
    with pytest.raises(DownloadError, match=r"more than 599999|got 600000 bytes, expected 600001"):
        fetch(server.url, target, size_bytes=size, patience=QUICK)
    assert leftovers(target) == []


def test_a_stalled_transfer_is_tried_again(server, target):
    server.stalls = 1
    patience = Patience(attempts=2, timeout_s=0.3, pause_s=0.001)
    fetch(server.url, target, sha256=SHA256, patience=patience)
    assert target.read_bytes() == CONTENT


def test_a_busy_server_is_asked_again(server, target):
    server.statuses = [503, 429]
    fetch(server.url, target, sha256=SHA256, patience=QUICK)
    assert target.read_bytes() == CONTENT


def test_a_missing_file_is_not_asked_for_again(server, target):
    server.statuses = [404, 404]
    with pytest.raises(DownloadError, match="the server answers 404"):
        fetch(server.url, target, patience=QUICK)
    assert len(server.requests) == 1


def test_a_right_file_is_kept_and_a_wrong_one_replaced(server, target):
    target.parent.mkdir()
    target.write_bytes(b"old")
    fetch(server.url, target, sha256=SHA256, patience=QUICK)
    fetch(server.url, target, sha256=SHA256, patience=QUICK)
    assert len(server.requests) == 1
    assert target.read_bytes() == CONTENT


def test_no_server_is_one_line_with_the_place_for_the_file(target, monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/weights.bin"
        with pytest.raises(DownloadError) as caught:
            fetch(url, target, patience=QUICK)
    message = str(caught.value)
    assert url in message
    assert str(target) in message
    assert "refused" in message
    assert "\n" not in message


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://example.org/x", "weights.bin"])
def test_only_web_addresses_are_fetched(target, url):
    with pytest.raises(DownloadError, match="expected an address with https"):
        fetch(url, target)


def test_an_unwritable_folder_is_one_line(server, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(DownloadError, match="cannot download"):
        fetch(server.url, tmp_path / "file" / "weights.bin", patience=QUICK)


def hold_lock(path, held, done):
    lock = FileLock(path)
    assert lock.acquire(0)
    held.set()
    done.wait(20)


def test_two_processes_do_not_write_the_same_part(server, target):
    target.parent.mkdir()
    context = multiprocessing.get_context("spawn")
    held, done = context.Event(), context.Event()
    path = target.parent / ".weights.bin.lock"
    other = context.Process(target=hold_lock, args=(path, held, done))
    other.start()
    try:
        assert held.wait(60)
        with pytest.raises(DownloadError, match="another process"):
            fetch(server.url, target, patience=QUICK)
        assert server.requests == []
    finally:
        other.kill()
        other.join()
    # The lock of a process that was killed is free again.
    fetch(server.url, target, patience=QUICK)
    assert target.read_bytes() == CONTENT


@pytest.fixture(params=["ENOSYS", "ENOLCK", "EOPNOTSUPP"])
def without_locks(request, monkeypatch):
    """The cache lies on a disk whose file system has no locks."""
    fcntl = pytest.importorskip("fcntl")
    code = getattr(errno, request.param)

    def flock(descriptor, operation):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(fcntl, "flock", flock)


@pytest.mark.usefixtures("without_locks")
def test_a_disk_without_locks_takes_a_file_too(server, target):
    server.cuts = [100_000]
    fetch(server.url, target, sha256=SHA256, patience=QUICK)
    assert target.read_bytes() == CONTENT
    assert ranges(server) == [None, "bytes=100000-"]
    assert sorted(file.name for file in target.parent.iterdir()) == [
        ".weights.bin.lock",
        "weights.bin",
    ]


@pytest.mark.usefixtures("without_locks")
def test_without_locks_two_downloads_do_not_write_the_same_part(server, target):
    target.parent.mkdir()
    (target.parent / "weights.bin.part").write_bytes(b"of another process")
    threads = [
        threading.Thread(target=fetch, args=(server.url, target), kwargs={"sha256": SHA256})
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert target.read_bytes() == CONTENT
    assert (target.parent / "weights.bin.part").read_bytes() == b"of another process"


@pytest.mark.usefixtures("without_locks")
def test_without_locks_a_failed_download_leaves_nothing(server, target):
    server.cuts = [100_000] + [0] * 9
    with pytest.raises(DownloadError, match="broke after 100000"):
        fetch(server.url, target, sha256=SHA256, patience=QUICK)
    assert [file.name for file in target.parent.iterdir()] == [".weights.bin.lock"]


def test_many_threads_fetch_a_file_once(server, target):
    patience = Patience(pause_s=0.001, lock_s=20)
    threads = [
        threading.Thread(target=fetch, args=(server.url, target), kwargs={"patience": patience})
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(server.requests) == 1
    assert target.read_bytes() == CONTENT
