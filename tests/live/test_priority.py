"""The process that a sound card waits for comes before others, where it may."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

PROGRAM = """
import os, threading
from bridge.live.priority import raise_priority
raised = raise_priority()
found = []
thread = threading.Thread(target=lambda: found.append(os.sched_getscheduler(0)))
thread.start()
thread.join()
better = found[0] == os.SCHED_RR or os.getpriority(os.PRIO_PROCESS, 0) < 0
print(raised, better)
"""


@pytest.mark.skipif(not hasattr(os, "sched_getscheduler"), reason="this system has other calls")
def test_what_is_said_of_the_priority_is_true_of_later_threads_too() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], check=True, capture_output=True, text=True
    )
    assert done.stdout.split() in (["True", "True"], ["False", "False"])
