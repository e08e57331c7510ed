"""A training run that dies without warning; `test_training_run` starts it as a process.

Usage: python killed_run.py DATA OUT STEP
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import torch
from tiny_run import tiny_config, validated

from streamsep.training.loop import TrainingRun
from streamsep.training.reports import StepReport, Watcher


class Killer(Watcher):
    """Kills this process after a step, before it can be saved."""

    def __init__(self, last: int) -> None:
        self.last = last

    def stepped(self, report: StepReport) -> None:
        if report.step == self.last:
            os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    torch.set_num_threads(1)
    data, out, last = sys.argv[1:]
    TrainingRun(tiny_config(**validated()), Path(data), Path(out)).run(Killer(int(last)))
