"""A zygote and its forks, without an engine in them: python forked_engine.py WHAT.

Every fork says READY, its number, the threads of torch, and what they computed. WHAT is `serve`, to
stay until standard input ends, `refuse`, to end with exit code 2, or `crash`, before it has served.
"""

from __future__ import annotations

import os
import signal
import sys
import threading

import torch

from bridge.live.zygote import fork_engines
from bridge.processes.lifeline import watch_lifeline

THREADS = 2


def main(what: str) -> None:
    torch.set_num_threads(THREADS)
    ones, heir = fork_engines(lambda: torch.ones(256, 256))
    number = int(heir.legacy or 0) + 1
    watch_lifeline(lambda: os.kill(os.getpid(), signal.SIGTERM))
    if what == "refuse":
        sys.exit(2)
    if what == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    total = int((ones @ ones).sum())
    heir.hand_on(str(number))
    sys.stdout.write(f"READY {number} {torch.get_num_threads()} {total} {os.getpid()}\n")
    sys.stdout.flush()
    threading.Event().wait()


main(sys.argv[1])
