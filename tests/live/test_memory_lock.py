"""The process that plays keeps its memory, where it may."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import sys
import numpy as np
from bridge.live.memory_lock import lock_memory

def kilobytes(name):
    lines = open("/proc/self/status").read().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name))

if "--little" in sys.argv:
    import os, resource
    resource.setrlimit(resource.RLIMIT_MEMLOCK, (65536, 65536))
    os.getuid() or os.setuid(65534)
before = kilobytes("VmRSS")
ring = np.zeros(2**24, np.uint8)
locked = lock_memory()
fetched = kilobytes("VmRSS") - before >= 2**14
print(locked, kilobytes("VmLck") > 2**14, fetched)
np.ones(2**24)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="what is locked is read from Linux")
@pytest.mark.parametrize("arguments", [(), ("--little",)])
def test_all_memory_is_fetched_and_kept_or_nothing_has_changed(arguments: tuple[str, ...]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments], check=True, capture_output=True, text=True
    )
    assert len(set(done.stdout.split())) == 1, done.stdout
