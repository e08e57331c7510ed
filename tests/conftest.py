"""Fixtures and settings for all tests."""

from __future__ import annotations

import gc
import os
import signal

import pytest
import torch
from host_steal import HostSteal
from hypothesis import settings
from support import REPOSITORY, WORKER

# What librosa compiles is kept on the disk, and two processes that write it at once may crash.
NUMBA_CACHE = REPOSITORY / ".pytest_cache" / f"numba-{WORKER}"
os.environ["NUMBA_CACHE_DIR"] = str(NUMBA_CACHE)

# Tests start hundreds of processes: where Python is told to keep nothing that it compiles, each
# would compile torch again, which takes longer than to import it.
if os.environ.pop("PYTHONDONTWRITEBYTECODE", None):
    os.environ["PYTHONPYCACHEPREFIX"] = str(REPOSITORY / ".pytest_cache" / "bytecode")

# Shells make what they run in the background ignore Ctrl-C, and so would all that tests interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)

# One thread, here and in the processes that tests start: they run side by side with other work, for
# which two threads that compute together would wait again and again, and bit-exact comparisons need
# a fixed order of additions.
os.environ.setdefault("OMP_NUM_THREADS", "1")
torch.set_num_threads(1)

# No deadlines: a shared machine may stall any example, and no test asserts a wall-clock time.
settings.register_profile("streamsep", deadline=None, derandomize=True)
settings.load_profile("streamsep")

LONGEST_FIRST = ("live", "vst")
"""Folders with the longest files of tests: begun last, they would keep one process waiting."""

REAL_TIME = ("bridge", "cli", "engine", "live", "midi", "recording", "vst")
"""Folders of tests that play, and are late where the host of this machine stops it."""
steal = HostSteal()


def pytest_collection_finish() -> None:
    """Spare the garbage collector what thousands of tests and their modules are made of."""
    gc.collect()
    gc.freeze()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest, and let what plays have another go where the host took its time."""
    items.sort(key=lambda item: item.path.parent.name not in LONGEST_FIRST)
    again = pytest.mark.flaky(reruns=2, condition=steal.disturbed)
    for item in items:
        if item.path.parent.name in REAL_TIME:
            item.add_marker(again)


def pytest_runtest_setup() -> None:
    """Note when a test begins."""
    steal.begin()
