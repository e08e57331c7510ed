"""The process that a sound card waits for comes before others, where it may."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

PROGRAM = """
import os, subprocess, sys, threading
from bridge.live.priority import raise_priority
raise_now, found = threading.Event(), []
def look():
    raise_now.wait()
    found.append(os.sched_getscheduler(0) & ~os.SCHED_RESET_ON_FORK)
thread = threading.Thread(target=look)
thread.start()
raised = raise_priority()
raise_now.set()
thread.join()
better = found[0] == os.SCHED_RR or os.getpriority(os.PRIO_PROCESS, 0) < 0
child = "import os; print(os.sched_getscheduler(0) == os.SCHED_OTHER)"
print(raised, better, flush=True)
subprocess.run([sys.executable, "-c", child], check=True)
"""


@pytest.mark.skipif(not hasattr(os, "sched_getscheduler"), reason="this system has other calls")
def test_what_is_said_of_the_priority_is_true_of_every_thread_and_of_no_child() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], check=True, capture_output=True, text=True
    )
    raised, child = done.stdout.splitlines()
    assert raised.split() in (["True", "True"], ["False", "False"])
    assert child == "True"
