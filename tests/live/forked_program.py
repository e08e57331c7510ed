"""A zygote and its forks with an exported program: python forked_program.py DESCRIPTION.

Every fork says READY, how many threads the first segment began, whether the second one came out the
same, and its process.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path

import torch

from bridge.live.zygote import fork_engines
from bridge.processes.lifeline import watch_lifeline
from streamsep.models import load_model

THREADS = 3


def main(description: str) -> None:
    torch.set_num_threads(THREADS)
    program, heir = fork_engines(lambda: load_model(description))
    watch_lifeline(lambda: os.kill(os.getpid(), signal.SIGTERM))
    before = threads()
    mix = torch.linspace(-1, 1, 2 * 4096).reshape(1, 2, 4096)
    stems = program(mix)
    begun = threads() - before
    agreement = "equal" if torch.equal(program(mix), stems) else "different"
    heir.hand_on("")
    sys.stdout.write(f"READY {begun} {agreement} {os.getpid()}\n")
    sys.stdout.flush()
    threading.Event().wait()


def threads() -> int:
    """Of this process, whoever began them."""
    return len(list(Path("/proc/self/task").iterdir()))


main(sys.argv[1])
