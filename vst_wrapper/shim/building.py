"""Building the plugin: one call of g++, and a clear word about what is missing."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from streamsep._version import __version__
from streamsep.errors import MissingToolError, OutputError
from vst_wrapper.shim.bundle import BUNDLE_NAME, SOURCES, ShimBundle, put_in_place

__all__ = ["DPF_HEADERS", "SANITIZERS", "build_command", "build_shim", "check_tools"]

DPF_HEADERS = Path("/usr/share/dpf/distrho/src")
"""Where Debian's package dpf-source puts the folder `travesty`: VST3's interface, ISC licence."""

SANITIZERS = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-g1", "-O1")
_COMPILE = ("-std=c++17", "-O2", "-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-fPIC")
_HIDE = ("-shared", "-fvisibility=hidden", "-ffunction-sections", "-fdata-sections")
_LINK = ("-Wl,--no-undefined,--gc-sections", "-lpthread")
# The runtime of C++ comes along, so that the plugin does not depend on the host's.
_STATIC = ("-static-libstdc++", "-static-libgcc", "-DSTREAMSEP_OWN_RUNTIME")


def check_tools(compiler: str = "g++", headers: Path = DPF_HEADERS) -> None:
    """Make sure that the plugin can be built here.

    Raises:
        MissingToolError: something is not installed, or this system is not Linux.
    """
    if sys.platform != "linux":
        raise MissingToolError(f"the plugin is built on Linux only, this is {sys.platform}")
    missing = []
    if shutil.which(compiler) is None:
        missing.append("g++")
    if not (headers / "travesty" / "factory.h").is_file():
        missing.append("dpf-source")
    if missing:
        raise MissingToolError(
            f"building the plugin needs {' and '.join(missing)}; install with "
            f"'apt-get install {' '.join(missing)}'"
            + ("" if headers == DPF_HEADERS else f" (looked for travesty in {headers})")
        )


def build_command(
    binary: Path, *, compiler: str = "g++", headers: Path = DPF_HEADERS, sanitize: bool = False
) -> list[str]:
    """The one command that builds the plugin's shared object."""
    return [
        compiler,
        *_COMPILE,
        *_HIDE,
        *(SANITIZERS if sanitize else ()),
        "-isystem",
        str(headers),
        f'-DSTREAMSEP_VERSION="{__version__}"',
        *map(str, sorted(SOURCES.glob("*.cpp"))),
        "-o",
        str(binary),
        *(() if sanitize else _STATIC),
        f"-Wl,--version-script={SOURCES / 'exports.map'}",
        *(("-lpthread",) if sanitize else _LINK),
    ]


def build_shim(
    out: Path, *, sanitize: bool = False, compiler: str = "g++", headers: Path = DPF_HEADERS
) -> Path:
    """Build the plugin as `streamsep.vst3` in a folder. It appears there whole or not at all.

    Args:
        out: the folder; made if it is not there.
        sanitize: with AddressSanitizer and UndefinedBehaviorSanitizer, for tests.
        compiler: a C++17 compiler that takes the options of g++.
        headers: the folder that holds `travesty`.

    Returns:
        The bundle.

    Raises:
        MissingToolError: g++ or the headers are not installed.
        OutputError: the folder cannot be written, or the compiler fails.
    """
    check_tools(compiler, headers)
    target = out / BUNDLE_NAME

    def make(part: Path) -> None:
        bundle = ShimBundle(part)
        bundle.binary.parent.mkdir(parents=True)
        command = build_command(
            bundle.binary, compiler=compiler, headers=headers, sanitize=sanitize
        )
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise OutputError(f"{compiler} could not build the plugin: {_first_error(done.stderr)}")
        bundle.write_record(__version__, compiler, sanitized=sanitize)

    put_in_place(target, make)
    return target


def _first_error(text: str) -> str:
    lines = [line for line in text.splitlines() if "error" in line] or text.splitlines()
    return lines[0] if lines else "it gave no reason"
