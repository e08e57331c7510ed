"""An audio process that plays what a script says: for what no sound server does when asked.

It takes its task on standard input like the real one, appends it to the file `tasks` of its folder,
and says the lines of the file named after its turn: `0`, `1`, and so on. The first one ends then,
all others when their standard input does; before that they say the lines of the file `last`, if
there is one. With a file `hangs` they never end.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

if __name__ == "__main__":
    folder = Path(os.environ["STREAMSEP_SCRIPT"])
    tasks = folder / "tasks"
    task = sys.stdin.readline()
    with tasks.open("a") as file:
        file.write(task)
    turn = len(tasks.read_text().splitlines()) - 1
    sys.stdout.write((folder / str(turn)).read_text() + "\n")
    sys.stdout.flush()
    if turn:
        sys.stdin.read()
        last = folder / "last"
        if last.exists():
            sys.stdout.write(last.read_text() + "\n")
        while (folder / "hangs").exists():
            time.sleep(0.1)
