"""`streamsep train` in processes that have an OUT each; `test_training_team` starts them.

Usage: torchrun --nproc-per-node 2 scattered_team.py CONFIG DATA OUT

OUT is followed by the number of the process.
"""

from __future__ import annotations

import os
import signal
import sys

from streamsep.cli import main

if __name__ == "__main__":
    # torchrun ends all processes as soon as one has failed, and each is to have its say.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    config, data, out = sys.argv[1:]
    out = f"{out}-{os.environ['RANK']}"
    sys.argv = ["streamsep", "train", config, "--data", data, "--out", out, "--device", "cpu"]
    main()
