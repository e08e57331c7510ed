"""A training run that may not write large files; `test_training_faults` starts it as a process.

Usage: python full_disk_run.py DATA OUT LARGEST_BYTES
"""

from __future__ import annotations

import resource
import sys
from pathlib import Path

import torch
from tiny_run import tiny_config

from streamsep.errors import OutputError
from streamsep.training.loop import TrainingRun

if __name__ == "__main__":
    torch.set_num_threads(1)
    data, out, largest = sys.argv[1:]
    run = TrainingRun(tiny_config(), Path(data), Path(out))
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(largest), int(largest)))
    try:
        run.run()
    except OutputError as error:
        sys.exit(f"{error}")
