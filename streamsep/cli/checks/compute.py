"""The core: Python, streamsep itself, torch, and reading and writing sound files."""

from __future__ import annotations

import platform
import sys

from streamsep.cli.checks.asking import ProbeError, ask_probe
from streamsep.cli.checks.finding import Finding

__all__ = ["check_python", "check_soundfile", "check_streamsep", "check_torch"]


def check_python() -> Finding:
    """The interpreter that runs this."""
    detail = f"{platform.python_version()} on {platform.platform(terse=True)}, {sys.executable}"
    return Finding("Python", "ok", detail)


def check_streamsep() -> Finding:
    """The version of this package."""
    from streamsep._version import __version__

    return Finding("streamsep", "ok", __version__)


def check_torch() -> Finding:
    """Whether torch computes, and on what."""
    try:
        facts = ask_probe("torch")
    except ProbeError as error:
        advice = "reinstall it: pip install --force-reinstall torch"
        return Finding("torch", "problem", str(error), advice, core=True)
    devices = ", ".join(facts["devices"]) or "no GPU"
    detail = f"{facts['version']}, {facts['threads']} CPU threads, {devices}"
    advice = ""
    if facts["built_for"] and not facts["devices"]:
        advice = "if there is an NVIDIA GPU, look at its driver with nvidia-smi"
    return Finding("torch", "ok", detail, advice, core=True)


def check_soundfile() -> Finding:
    """Whether sound files can be read and written."""
    try:
        facts = ask_probe("soundfile")
    except ProbeError as error:
        advice = "reinstall it: pip install --force-reinstall soundfile"
        return Finding("soundfile", "problem", str(error), advice, core=True)
    detail = f"{facts['version']}, libsndfile {facts['library']}"
    return Finding("soundfile", "ok", detail, core=True)
