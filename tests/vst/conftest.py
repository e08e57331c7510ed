"""The plugin and its host, built once, and engines for them."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from shim_engine import SHARES, ShimEngine
from support import require
from vst3_host import Vst3Host

from vst_wrapper.shim import ShimBundle, build_shim
from vst_wrapper.shim.building import DPF_HEADERS, SANITIZERS
from vst_wrapper.shim.bundle import BUNDLE_NAME, SOURCES, source_hash

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HOST_SOURCES = Path(__file__).parent / "host"


def compile_program(out: Path, names: list[str], natives: list[str], *options: str) -> Path:
    """Compile a test program of sources of ours and of the plugin's."""
    if out.exists():
        return out
    sources = [*(HOST_SOURCES / name for name in names), *(SOURCES / name for name in natives)]
    part = out.with_suffix(".part")
    done = subprocess.run(
        [
            *("g++", "-std=c++17", "-Wall", "-Wextra", *options, "-isystem", str(DPF_HEADERS)),
            *("-I", str(SOURCES), *map(str, sources), "-o", str(part), "-ldl", "-lpthread"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    part.rename(out)
    return out


@contextlib.contextmanager
def builder(workshop: Path) -> Iterator[None]:
    """One process builds while others, which want the same, wait."""
    with (workshop / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def require_tools() -> None:
    require(shutil.which("g++"), "g++ is not installed")
    require(DPF_HEADERS.is_dir(), "the Debian package dpf-source is not installed")


@pytest.fixture(scope="session")
def workshop(request: pytest.FixtureRequest) -> Path:
    """Where things are built: pytest's cache, so that what has not changed is built once."""
    require_tools()
    digest = hashlib.sha256(source_hash().encode())
    for file in sorted(HOST_SOURCES.iterdir()):
        digest.update(file.read_bytes())
    return request.config.cache.mkdir(f"vst-{digest.hexdigest()[:16]}")


@pytest.fixture(scope="session")
def bundle(workshop: Path) -> Path:
    found = workshop / BUNDLE_NAME
    with builder(workshop):
        return found if found.exists() else build_shim(workshop)


@pytest.fixture(scope="session")
def host_program(workshop: Path) -> Path:
    sources = ["main.cpp", "plugin_host.cpp", "audit.cpp"]
    with builder(workshop):
        return compile_program(workshop / "host", sources, [], "-O1", "-rdynamic")


@pytest.fixture(scope="session")
def codec_program(workshop: Path) -> Path:
    """A program that reads and writes messages with the plugin's own code."""
    natives = ["protocol.cpp", "text_fields.cpp"]
    with builder(workshop):
        return compile_program(workshop / "codec", ["codec.cpp"], natives, "-O1")


@pytest.fixture(scope="session")
def sanitized(workshop: Path) -> tuple[Path, Path]:
    """The host and the plugin, both with sanitizers."""
    names = ["main.cpp", "plugin_host.cpp", "no_audit.cpp"]
    folder = workshop / "sanitized"
    built = folder / BUNDLE_NAME
    with builder(workshop):
        program = compile_program(workshop / "sanitized-host", names, [], *SANITIZERS)
        found = built if built.exists() else build_shim(folder, sanitize=True)
    return program, ShimBundle(found).binary


@pytest.fixture(scope="session")
def shim_engine() -> Iterator[ShimEngine]:
    """An engine that no test may harm."""
    with tempfile.TemporaryDirectory() as folder:
        engine = ShimEngine(Path(folder) / "run")
        engine.start()
        yield engine
        engine.kill()


@pytest.fixture(scope="session")
def _mortal_engine() -> Iterator[ShimEngine]:
    with tempfile.TemporaryDirectory() as folder:
        engine = ShimEngine(Path(folder) / "run", "--gains", ",".join(map(str, SHARES)))
        yield engine
        engine.kill()


@pytest.fixture
def mortal_engine(_mortal_engine: ShimEngine) -> ShimEngine:
    """An engine that a test may harm. Its stems are SHARES of the mixture, without memory."""
    _mortal_engine.revive()
    return _mortal_engine


@pytest.fixture
def make_host(host_program: Path, bundle: Path) -> Callable[[str], Vst3Host]:
    """Hosts by the endpoint of the engine that the plugin in them shall use."""
    binary = ShimBundle(bundle).binary
    return lambda endpoint: Vst3Host(host_program, binary, endpoint)
