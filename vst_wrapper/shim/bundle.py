"""A VST3 plugin on disk: a folder that hosts take for a file.

::

    streamsep.vst3/
    └── Contents/
        ├── x86_64-linux/streamsep.so
        └── Resources/build.json         of which sources it was made

Source: Steinberg, "VST 3 Plug-in Locations and Format".
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from streamsep.errors import InputError, OutputError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "BUNDLE_NAME",
    "SOURCES",
    "ShimBundle",
    "default_bundle",
    "install_shim",
    "put_in_place",
    "source_hash",
]

BUNDLE_NAME = "streamsep.vst3"
SOURCES = Path(__file__).resolve().parent.parent / "native"
"""Folder of the plugin's C++ sources."""


def default_bundle() -> Path:
    """Where hosts of this user look for it."""
    return Path.home() / ".vst3" / BUNDLE_NAME


def source_hash() -> str:
    """A number that changes with the sources: 16 hexadecimal digits."""
    digest = hashlib.sha256()
    for file in sorted(SOURCES.iterdir()):
        digest.update(file.name.encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class ShimBundle:
    """A plugin that has been built.

    Attributes:
        path: the folder `streamsep.vst3`.
    """

    path: Path

    @property
    def binary(self) -> Path:
        """The shared object, for this machine's architecture."""
        return self.path / "Contents" / f"{platform.machine()}-linux" / "streamsep.so"

    @property
    def record(self) -> Path:
        """What is known about how it was built."""
        return self.path / "Contents" / "Resources" / "build.json"

    @property
    def exists(self) -> bool:
        """Whether there is a plugin for this machine."""
        return self.binary.is_file()

    @property
    def is_current(self) -> bool:
        """Whether it was built of the sources that are here."""
        try:
            found: Any = json.loads(self.record.read_text())
        except (OSError, ValueError):
            return False
        return isinstance(found, dict) and found.get("sources") == source_hash()

    def write_record(self, version: str, compiler: str, *, sanitized: bool) -> None:
        """Write down how it was built."""
        self.record.parent.mkdir(parents=True, exist_ok=True)
        found = {
            "version": version,
            "sources": source_hash(),
            "compiler": compiler,
            "sanitized": sanitized,
        }
        self.record.write_text(json.dumps(found, indent=2) + "\n")


def install_shim(bundle: Path, folder: Path | None = None) -> Path:
    """Copy a plugin to where hosts look for it; an older one there is replaced at once, or stays.

    Args:
        bundle: what `build_shim` returned.
        folder: None for ``~/.vst3``.

    Returns:
        The installed bundle.

    Raises:
        InputError: there is no plugin for this machine.
        OutputError: the folder cannot be written.
    """
    if not ShimBundle(bundle).exists:
        raise InputError(
            f"{bundle} is no plugin for this machine; build one with 'streamsep vst build'"
        )
    target = (folder or default_bundle().parent) / BUNDLE_NAME
    if target.resolve() == bundle.resolve():
        return target
    put_in_place(target, lambda part: shutil.copytree(bundle, part))
    return target


def put_in_place(target: Path, make: Callable[[Path], object]) -> None:
    """Make a folder under a temporary name beside its own and rename it when it is whole.

    Raises:
        OutputError: it cannot be written; what was there is still there.
    """
    unique = f"{os.getpid()}-{secrets.token_hex(4)}"
    part = target.with_name(f".{target.stem}.{unique}.part")
    old = target.with_name(f".{target.stem}.{unique}.old")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        make(part)
        if target.exists():
            target.rename(old)
        try:
            part.rename(target)
        except OSError:
            if old.exists():
                old.rename(target)
            raise
    except OSError as error:
        raise OutputError(f"cannot write {target}: {error.strerror or error}") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)
