"""Where an engine and its clients meet without being told: a folder of the user's own.

An ipc socket is a file. A second process that binds the same name takes it away without an error,
and whoever may enter the folder may connect. So the folder belongs to one user, nobody else may
enter it, and a locked file in it says that an engine is there. Where everybody may make a folder
of that name, somebody else may have been first: no engine serves there then, and no client asks.
"""

from __future__ import annotations

import ipaddress
import os
import stat
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from streamsep.errors import ConfigError, EngineError

__all__ = [
    "Endpoints",
    "EngineLock",
    "default_run_folder",
    "ipc_endpoints",
    "tcp_endpoints",
    "users_endpoints",
]

_LONGEST_PATH = 107
"""Bytes of a socket's path, by the operating systems' `sockaddr_un`."""


@dataclass(frozen=True, slots=True)
class Endpoints:
    """The addresses of an engine's three sockets."""

    audio: str
    control: str
    stems: str

    def check_private(self) -> None:
        """Make sure that only processes of this machine can reach them.

        Raises:
            ConfigError: others can, so keys are needed.
        """
        scheme, _, rest = self.audio.partition("://")
        if scheme == "tcp" and not _is_loopback(rest.rpartition(":")[0].strip("[]")):
            raise ConfigError(
                f"{self.audio} can be reached from other machines and needs keys: make them with "
                "'streamsep keys FOLDER' and pass --keys FOLDER"
            )


def default_run_folder() -> Path:
    """`$XDG_RUNTIME_DIR/streamsep`, or a folder of the user's among the temporary ones.

    The plugin looks in the same place, so it must not depend on what a shell calls temporary.
    """
    base = os.environ.get("XDG_RUNTIME_DIR")
    if base:
        return Path(base) / "streamsep"
    if sys.platform == "win32":
        return Path(tempfile.gettempdir()) / "streamsep"
    return Path("/tmp") / f"streamsep-{os.getuid()}"


def ipc_endpoints(folder: Path) -> Endpoints:
    """The sockets of the engine that uses a folder.

    Raises:
        ConfigError: the folder's path is too long for a socket.
    """
    paths = [str(folder / f"{name}.ipc") for name in ("audio", "control", "stems")]
    longest = max(len(os.fsencode(path)) for path in paths)
    if longest > _LONGEST_PATH:
        raise ConfigError(
            f"the run-time folder {folder} makes a socket's path {longest} bytes long, "
            f"{_LONGEST_PATH} are possible; set XDG_RUNTIME_DIR to a shorter one"
        )
    return Endpoints(*(f"ipc://{path}" for path in paths))


def users_endpoints() -> Endpoints:
    """The sockets of this user's engine, for its clients; nobody needs to serve there yet.

    Raises:
        ConfigError: somebody else could serve there, or the folder's path is too long.
    """
    folder = default_run_folder()
    try:
        _check_private(folder)
    except FileNotFoundError:
        pass  # there is no engine
    except OSError as error:
        raise _unusable(folder, error) from error
    return ipc_endpoints(folder)


def tcp_endpoints(address: str) -> Endpoints:
    """The sockets at `tcp://HOST:PORT` and the two ports after it.

    Raises:
        ConfigError: it is no such address.
    """
    scheme, _, rest = address.partition("://")
    host, _, port = rest.rpartition(":")
    if scheme != "tcp" or not host or not port.isdigit() or not 1 <= int(port) <= 65_533:
        raise ConfigError(
            f"'{address}' is no address; expected tcp://HOST:PORT with a port from 1 to 65533 "
            "(the two ports after it are used as well)"
        )
    return Endpoints(*(f"tcp://{host}:{int(port) + offset}" for offset in range(3)))


class EngineLock:
    """Says that an engine uses a folder, for as long as this process lives.

    Args:
        folder: made, for its owner alone, if it is not there.

    Raises:
        EngineError: another engine is there.
        ConfigError: the folder cannot be used, or others may enter it.
    """

    def __init__(self, folder: Path) -> None:
        _make_private(folder)
        self._file = _lock(folder / "engine.lock")

    def release(self) -> None:
        """Let another engine use the folder."""
        self._file.close()


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _make_private(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _check_private(folder)
    except OSError as error:
        raise _unusable(folder, error) from error


def _unusable(folder: Path, error: OSError) -> ConfigError:
    return ConfigError(
        f"cannot use the run-time folder {folder}: {error.strerror or error}; "
        "set XDG_RUNTIME_DIR to another"
    )


def _check_private(folder: Path) -> None:
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode):
        raise ConfigError(f"the run-time folder {folder} is no folder; remove it")
    if sys.platform == "win32":
        return
    if status.st_uid != os.getuid() or status.st_mode & 0o077:
        raise ConfigError(
            f"others may enter the run-time folder {folder} (owner {status.st_uid}, mode "
            f"{stat.S_IMODE(status.st_mode):o}); expected it to be yours with mode 700: remove it"
        )


def _lock(path: Path) -> IO[str]:
    """Open and lock a file; the system unlocks it when this process ends, however it ends."""
    file = path.open("a+")
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.close()
        raise EngineError(
            f"an engine is running already (it holds {path}); use it, or stop it first"
        ) from error
    return file
