"""What `test_workshop` lets other processes do; in a module that is quick to import.

Usage: python workshop_tasks.py FOLDER

This works in two processes for ever. Each writes a file with its id as its name when it begins.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

from streamsep.errors import InputError
from streamsep.training.workshop import Workshop


def double(number: int) -> int:
    if number < 0:
        raise InputError(f"{number} is below 0")
    return 2 * number


def process_id(number: int) -> int:
    return os.getpid()


def die(number: int) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def work_for_ever(folder: Path) -> None:
    (folder / str(os.getpid())).touch()
    time.sleep(600)


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    with Workshop(2) as workshop:
        workshop.do(work_for_ever, [folder] * 4, title="working")
