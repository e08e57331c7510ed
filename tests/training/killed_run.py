"""A training run that dies without warning; `test_training_run` starts it as a process.

Usage: python killed_run.py DATA OUT STEP
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import torch
from tiny_run import tiny_config

from streamsep.training.loop import Progress, TrainingRun


def die_after(last: int):
    def report(progress: Progress) -> None:
        if progress.step == last:
            os.kill(os.getpid(), signal.SIGKILL)

    return report


if __name__ == "__main__":
    torch.set_num_threads(1)
    data, out, last = sys.argv[1:]
    TrainingRun(tiny_config(), Path(data), Path(out)).run(die_after(int(last)))
