"""Keys for engines that are reached over a network: who may come in, and whom one talks to.

A folder of keys, made by `streamsep keys`::

    keys/
    ├── engine.key             public   goes to the clients' machines
    ├── engine.key_secret      secret   stays with the engine
    ├── client.key_secret      secret   one client's own
    └── clients/               public   whoever is in here may come in
        └── client.key

The cipher and the handshake are ZeroMQ's CURVE (elliptic curves of NaCl).
"""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import zmq
import zmq.auth

from streamsep.errors import ConfigError, OutputError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["ClientKeys", "EngineKeys", "KnownClients", "make_keys"]

logger = logging.getLogger(__name__)

_ENGINE, _CLIENT, _CLIENTS = "engine", "client", "clients"


@dataclass(frozen=True, slots=True)
class EngineKeys:
    """What an engine needs.

    Attributes:
        secret: its own key pair's halves.
        public: the other half.
        clients: folder of the public keys of those who may come in.
    """

    public: bytes
    secret: bytes
    clients: Path

    @classmethod
    def load(cls, folder: Path) -> EngineKeys:
        """Read an engine's keys.

        Raises:
            ConfigError: they are not there or damaged, or others may read them.
        """
        public, secret = _load_pair(folder / f"{_ENGINE}.key_secret")
        clients = folder / _CLIENTS
        if not any(clients.glob("*.key")):
            raise ConfigError(
                f"{clients} holds no client's key, so nobody could come in; put a client's .key "
                "file there ('streamsep keys' makes one)"
            )
        for path in clients.glob("*.key"):
            # One that cannot be read would keep all of them out.
            _load_public(path)
        return cls(public, secret, clients)

    def guard(self, socket: zmq.Socket[bytes]) -> None:
        """Let a socket speak only to those who hold a key that is known."""
        socket.curve_server = True
        socket.curve_publickey = self.public
        socket.curve_secretkey = self.secret


@dataclass(frozen=True, slots=True)
class ClientKeys:
    """What a client needs: its own pair, and the engine's public key."""

    public: bytes
    secret: bytes
    engine: bytes

    @classmethod
    def load(cls, folder: Path) -> ClientKeys:
        """Read a client's keys.

        Raises:
            ConfigError: they are not there, or others may read them.
        """
        public, secret = _load_pair(folder / f"{_CLIENT}.key_secret")
        return cls(public, secret, _load_public(folder / f"{_ENGINE}.key"))

    def guard(self, socket: zmq.Socket[bytes]) -> None:
        """Let a socket speak only to the engine that holds its secret."""
        socket.curve_serverkey = self.engine
        socket.curve_publickey = self.public
        socket.curve_secretkey = self.secret


class KnownClients:
    """Who may come in: those whose public keys lie in a folder when they ask.

    Args:
        folder: of the .key files; they may come and go.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._seen: dict[Path, tuple[int, int]] = {}
        self._keys: set[bytes] = set()
        self._read_again()

    def callback(self, domain: str, key: bytes) -> bool:
        """Whether the owner of a key, in Z85, may come in. The name is pyzmq's."""
        del domain
        self._read_again()
        return key in self._keys

    def _read_again(self) -> None:
        """Read the keys if files have changed; one that cannot be read lets nobody in."""
        present: dict[Path, tuple[int, int]] = {}
        for path in self._folder.glob("*.key"):
            try:
                status = path.stat()
            except OSError:
                continue  # it has gone meanwhile
            present[path] = (status.st_mtime_ns, status.st_size)
        if present == self._seen:
            return
        self._seen = present
        self._keys = set()
        for path in present:
            try:
                self._keys.add(_load_public(path))
            except ConfigError as error:
                logger.warning("%s", error)


def make_keys(folder: Path) -> list[Path]:
    """Make an engine's and a client's keys; keys that are there are kept.

    Returns:
        The files that were made.

    Raises:
        OutputError: they cannot be written.
    """
    made: list[Path] = []
    # pyzmq writes secret keys that anybody may read unless it is told otherwise.
    mask = os.umask(0o077)
    try:
        clients = folder / _CLIENTS
        clients.mkdir(parents=True, exist_ok=True)
        for name in (_ENGINE, _CLIENT):
            if (folder / f"{name}.key_secret").exists():
                continue
            zmq.auth.create_certificates(folder, name)
            public = folder / f"{name}.key"
            if name == _CLIENT:
                public = public.replace(clients / public.name)
            made += [public, folder / f"{name}.key_secret"]
    except OSError as error:
        raise OutputError(
            f"cannot write keys to {folder}: {error.strerror or error}; name another folder"
        ) from error
    finally:
        os.umask(mask)
    return made


def _load_public(path: Path) -> bytes:
    """The key in a file that was brought from another machine."""
    try:
        public, _ = zmq.auth.load_certificate(path)
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"cannot read the key {path} ({error}); copy it anew from the machine it was made on"
        ) from error
    return public


def _load_pair(path: Path) -> tuple[bytes, bytes]:
    """The public and the secret half in a file that only its owner may read."""
    try:
        mode = path.stat().st_mode & 0o077
        public, secret = zmq.auth.load_certificate(path)
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"cannot read the key {path} ({error}); make keys with 'streamsep keys {path.parent}'"
        ) from error
    if mode and os.name == "posix":
        raise ConfigError(f"others may read the secret key {path}; chmod 600 it, or make new keys")
    if secret is None:
        raise ConfigError(f"{path} holds no secret key; expected the .key_secret file")
    return public, secret
