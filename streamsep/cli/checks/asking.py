"""Ask another process, and take no for an answer: it may be absent, fail, crash or never end."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

__all__ = ["ProbeError", "ask_probe", "first_line_of", "run_quietly"]

_PROBES = Path(__file__).with_name("probes.py")


class ProbeError(Exception):
    """A process gave no usable answer; the message says why."""


def run_quietly(command: list[str], timeout_s: float) -> str:
    """Run a program with nothing on its input and nothing of it on the screen.

    Returns:
        What it wrote to standard output, or to standard error if that is all.

    Raises:
        ProbeError: it cannot be started, failed, crashed or took longer than `timeout_s`.
    """
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise ProbeError(f"no answer within {timeout_s:g} s") from None
    except OSError as error:
        raise ProbeError(f"cannot be started ({error.strerror or error})") from None
    if done.returncode != 0:
        lines = (done.stderr or done.stdout).strip().splitlines()
        raise ProbeError(lines[-1].strip() if lines else f"ended with code {done.returncode}")
    return done.stdout.strip() or done.stderr.strip()


def ask_probe(name: str, timeout_s: float = 60.0) -> dict[str, Any]:
    """Run one of the functions of `probes` in a process of its own.

    Raises:
        ProbeError: it raised, crashed or hung.
    """
    # By path and with -P: a file called torch.py in the present folder must not be imported.
    answer = run_quietly([sys.executable, "-P", str(_PROBES), name], timeout_s)
    try:
        facts: dict[str, Any] = json.loads(answer.rpartition("\n")[2])
    except ValueError:
        raise ProbeError("the answer cannot be understood") from None
    return facts


def first_line_of(program: str, *options: str, timeout_s: float = 15.0) -> str | None:
    """The first line that a program writes, or None if it is not installed.

    Raises:
        ProbeError: it is installed and does not run.
    """
    path = shutil.which(program)
    if path is None:
        return None
    return run_quietly([path, *options], timeout_s).partition("\n")[0].strip()
