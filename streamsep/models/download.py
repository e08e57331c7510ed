"""Fetching large files over connections that break.

What has arrived lies in `NAME.part` next to the destination, and `NAME.part.tag` remembers which
version of the server's file it belongs to (its ETag). After an interruption, of the connection or
of the program, the rest is asked for with a Range request that names this version (If-Range,
RFC 9110): a server whose file has changed, or which knows no ranges, answers with the whole file,
and the download starts over. Only a file of the right length and checksum gets the final name, in
one step. A lock keeps two processes from writing the same part; it goes away with its process.
Where the file system has no locks, every download has a part of its own and starts from nothing.
"""

from __future__ import annotations

import hashlib
import http.client
import logging
import os
import re
import secrets
import ssl
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING
from urllib.parse import urlsplit

from streamsep.errors import DownloadError
from streamsep.file_lock import FileLock

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["Patience", "fetch"]

logger = logging.getLogger(__name__)

_PIECE_BYTES = 2**18
_BUSY = {408, 425, 429, 500, 502, 503, 504}


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """When to give up.

    Attributes:
        attempts: how many times in a row a connection may fail without a new byte arriving.
            A server that never answered is asked twice at most: the machine is likely offline.
        timeout_s: seconds without a byte after which a connection counts as broken.
        pause_s: seconds before the second attempt, doubled for each further one.
        lock_s: seconds to wait for another process that downloads the same file.
    """

    attempts: int = 5
    timeout_s: float = 30
    pause_s: float = 1
    lock_s: float = 3600


def fetch(
    url: str,
    destination: Path,
    *,
    sha256: str | None = None,
    size_bytes: int | None = None,
    progress: Callable[[int, int | None], None] | None = None,
    patience: Patience | None = None,
) -> None:
    """Download a file, whole or not at all. A file that is already there and right is kept.

    Args:
        url: where it is, https or http; proxies are taken from the system's settings.
        destination: where it goes. Its folder is created.
        sha256: checksum in lower-case hex, or the beginning of one; None to check none.
        size_bytes: its length; None to trust the length that the server announces.
        progress: called with the bytes that have arrived and the length of the file, if known.
        patience: when to give up.

    Raises:
        DownloadError: the file could not be fetched, or is not the expected one. What has arrived
            stays for the next call, unless it is wrong.
    """
    if urlsplit(url).scheme not in ("https", "http"):
        raise DownloadError(f"cannot download {url}, expected an address with https")
    job = _Job(url, destination, sha256, size_bytes, progress, patience or Patience())
    try:
        destination.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(destination.with_name(f".{destination.name}.lock"))
        if not lock.acquire(job.patience.lock_s):
            raise job.failure("another process has been downloading it for too long")
        try:
            if job.is_done():
                return
            if lock.excludes_others:
                job.run()
            else:
                job.run_beside_others()
        finally:
            lock.release()
    except OSError as error:
        raise job.failure(f"{error.strerror or error}: {destination}") from error


class _BrokenError(Exception):
    """This attempt failed; the next one may not."""


class _Job:
    """One download, with everything known about it."""

    def __init__(
        self,
        url: str,
        destination: Path,
        sha256: str | None,
        size_bytes: int | None,
        progress: Callable[[int, int | None], None] | None,
        patience: Patience,
    ) -> None:
        self.url = url
        self.destination = destination
        self.sha256 = sha256
        self.size_bytes = size_bytes
        self.progress = progress
        self.patience = patience
        self._name_part(destination.name)
        self.answered = False
        self.resumed = False
        handlers = [_NoDowngrade()] if url.startswith("https:") else []
        self.opener = urllib.request.build_opener(*handlers)

    def failure(self, reason: str) -> DownloadError:
        """Say what went wrong and how to do without the download."""
        return DownloadError(
            f"cannot download {self.url}: {reason}; check the connection and try again, or put "
            f"the file at {self.destination} by hand"
        )

    def is_done(self) -> bool:
        """Whether the right file is already there."""
        return self.destination.is_file() and self._fault(self.destination) is None

    def run(self) -> None:
        """Fetch, check and name the file."""
        self._fetch_all()
        fault = self._fault(self.part)
        if fault and self.resumed:
            # The first half may have come from another version or been damaged on disk.
            logger.info("%s: %s after resuming, starting over", self.url, fault)
            self._discard()
            self._fetch_all()
            fault = self._fault(self.part)
        if fault:
            self._discard()
            raise self.failure(f"{fault}, what arrived was deleted")
        self.part.replace(self.destination)
        self.tag.unlink(missing_ok=True)

    def run_beside_others(self) -> None:
        """Do the same in a part of its own, of which nothing stays for the next call."""
        self._name_part(f".{self.destination.name}.{os.getpid()}-{secrets.token_hex(4)}")
        try:
            self.run()
        finally:
            self._discard()

    def _name_part(self, name: str) -> None:
        self.part = self.destination.with_name(f"{name}.part")
        self.tag = self.destination.with_name(f"{name}.part.tag")

    def _fetch_all(self) -> None:
        """Make attempts until everything is there, or several in a row bring nothing new."""
        furthest = self._arrived()
        failures = 0
        while True:
            try:
                self._attempt()
            except _BrokenError as error:
                # Not compared with the last attempt but with the best one: a server without
                # ranges that breaks off every time must not be asked for ever.
                failures = 1 if self._arrived() > furthest else failures + 1
                furthest = max(furthest, self._arrived())
                logger.info("%s: %s, failure %d", self.url, error, failures)
                most = self.patience.attempts
                if failures >= (most if self.answered else min(most, 2)):
                    raise self.failure(str(error)) from error
                time.sleep(min(self.patience.pause_s * 2 ** (failures - 1), 30))
            else:
                return

    def _attempt(self) -> None:
        """Ask for what is missing and append it to the part."""
        have = self._resumable()
        request = urllib.request.Request(self.url, headers=self._headers(have))
        try:
            with self.opener.open(request, timeout=self.patience.timeout_s) as response:
                self._receive(response, have)
        except urllib.error.HTTPError as error:
            self.answered = True
            self._refused(error.code)
        except urllib.error.URLError as error:
            raise _BrokenError(_reason(error.reason)) from error
        except (http.client.HTTPException, ssl.SSLError, TimeoutError, ConnectionError) as error:
            raise _BrokenError(_reason(error)) from error

    def _headers(self, have: int) -> dict[str, str]:
        headers = {"User-Agent": "streamsep", "Accept-Encoding": "identity"}
        if have:
            headers["Range"] = f"bytes={have}-"
            if tag := self._saved_tag():
                headers["If-Range"] = tag
        return headers

    def _refused(self, status: int) -> None:
        if status == 416:
            # The part is as long as the file, or longer than it.
            self._discard()
            raise _BrokenError("the server has no more bytes than have arrived")
        if status in _BUSY:
            raise _BrokenError(f"the server answers {status}")
        raise self.failure(f"the server answers {status}")

    def _receive(self, response: http.client.HTTPResponse, have: int) -> None:
        """Write one answer into the part."""
        self.answered = True
        start, total = _extent(response)
        if start not in (0, have) or (start and self._is_other_version(response)):
            self._discard()
            raise _BrokenError(f"the server sends byte {start} of a file, asked for {have}")
        if total is not None and self.size_bytes not in (None, total):
            raise self.failure(f"the server offers {total} bytes, expected {self.size_bytes}")
        if start == 0:
            self._save_tag(response)
        else:
            self.resumed = True
        with self.part.open("r+b" if start else "wb") as part:
            part.truncate(start)
            part.seek(start)
            most = self.size_bytes if total is None else total
            arrived = self._copy(response, part, start, most)
        if most is not None and arrived > most:
            self._discard()
            raise self.failure(f"the server sends more than {most} bytes")
        if total is not None and arrived < total:
            raise _BrokenError(f"the connection broke after {arrived} of {total} bytes")

    def _copy(
        self, response: http.client.HTTPResponse, part: IO[bytes], arrived: int, most: int | None
    ) -> int:
        """Copy until the server stops or has sent too much; return the length of the part."""
        while most is None or arrived <= most:
            if self.progress:
                self.progress(arrived, most)
            piece = response.read1(_PIECE_BYTES)
            if not piece:
                break
            part.write(piece)
            arrived += len(piece)
        return arrived

    def _arrived(self) -> int:
        return self.part.stat().st_size if self.part.is_file() else 0

    def _resumable(self) -> int:
        """Bytes that need not be asked for again."""
        have = self._arrived()
        # Without a version to compare or a checksum, two halves of different files could meet.
        if have and (self._saved_tag() or self.sha256):
            return have
        return 0

    def _saved_tag(self) -> str:
        return self.tag.read_text(encoding="latin-1") if self.tag.is_file() else ""

    def _is_other_version(self, response: http.client.HTTPResponse) -> bool:
        """Whether a server that ignores If-Range continues another file than the one begun."""
        tag, saved = response.headers.get("ETag"), self._saved_tag()
        return bool(tag and saved and tag != saved)

    def _save_tag(self, response: http.client.HTTPResponse) -> None:
        tag = response.headers.get("ETag") or ""
        # A weak ETag (W/) promises the same meaning, not the same bytes.
        if tag.startswith('"'):
            self.tag.write_text(tag, encoding="latin-1")
        else:
            self.tag.unlink(missing_ok=True)

    def _discard(self) -> None:
        self.part.unlink(missing_ok=True)
        self.tag.unlink(missing_ok=True)

    def _fault(self, path: Path) -> str | None:
        """What is wrong with a file, if anything."""
        size = path.stat().st_size
        if self.size_bytes not in (None, size):
            return f"got {size} bytes, expected {self.size_bytes}"
        if self.sha256 is None:
            return None
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found.startswith(self.sha256):
            return None
        return f"got a file with checksum {found[:8]}…, expected {self.sha256[:8]}…"


class _NoDowngrade(urllib.request.HTTPRedirectHandler):
    """Follows redirects from https to https only."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        """Refuse an insecure new address, otherwise do as usual."""
        if not newurl.startswith("https:"):
            raise urllib.error.HTTPError(newurl, code, "insecure redirect", headers, fp)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _extent(response: http.client.HTTPResponse) -> tuple[int, int | None]:
    """First byte of an answer and length of the whole file."""
    if response.status == 206:
        header = response.headers.get("Content-Range", "")
        match = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", header.strip())
        if not match:
            raise _BrokenError(f"the server answers with the range {header!r:.60}")
        return int(match[1]), None if match[2] == "*" else int(match[2])
    length = response.headers.get("Content-Length", "")
    return 0, int(length) if length.isdigit() else None


def _reason(error: object) -> str:
    if isinstance(error, TimeoutError):
        return "the server does not answer in time"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return " ".join(f"{type(error).__name__}: {error}".split())[:120]
