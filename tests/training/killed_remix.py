"""A run of remixes that dies without warning; `test_remix_songs` starts it as a process.

Usage: python killed_remix.py DATA OUT COPIES NUMBER

It dies when the stems of remix NUMBER, counted from 0, are written and do not have their name yet.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import torch

from streamsep.training.remixing import RemixSettings, production, remix_songs


def dying_after(last: int):
    write = production.write_stems
    written = []

    def write_and_die(folder: Path, *arguments: object) -> None:
        write(folder, *arguments)
        written.append(folder)
        if len(written) > last:
            os.kill(os.getpid(), signal.SIGKILL)

    return write_and_die


if __name__ == "__main__":
    torch.set_num_threads(1)
    data, out, copies, number = sys.argv[1:]
    production.write_stems = dying_after(int(number))
    remix_songs(Path(data), Path(out), copies=int(copies), settings=RemixSettings(), jobs=1)
