"""The process that writes a take: from the ring into files, until the player closes it or ends.

python -m bridge.recording.writer_process       a line of JSON on standard input
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import threading
import time
from pathlib import Path

from bridge.processes.lifeline import watch_lifeline
from bridge.recording.reports import Failed, Finished, Report, Written, encode
from bridge.recording.ring import RecordingRing
from bridge.recording.take import TakeFiles

_PAUSE_S = 0.05
_REPORT_S = 0.25
_LONGEST_S = 0.1
"""Written at once; as much may be lost if this very process is killed."""
_NICENESS = 5
"""It has seconds of time where the audio has milliseconds."""


def _tell(report: Report) -> None:
    # Whoever listened may have ended; the take is finished all the same.
    with contextlib.suppress(OSError):
        sys.stdout.write(f"{encode(report)}\n")
        sys.stdout.flush()


def _carry(ring: RecordingRing, files: TakeFiles, ended: threading.Event, most: int) -> None:
    """Write what comes, until nothing more will."""
    told_s = time.monotonic()
    while True:
        # Asked before the ring is: what was put in before the end must not be missed.
        is_end = ended.is_set() or ring.closed
        tracks = ring.take(most)
        if tracks.shape[1]:
            files.write(tracks)
            files.update()
        elif is_end:
            return
        else:
            time.sleep(_PAUSE_S)
        if time.monotonic() - told_s >= _REPORT_S:
            told_s = time.monotonic()
            _tell(Written(files.safe_frames))


def _run() -> None:
    task = json.loads(sys.stdin.readline())
    ended = threading.Event()
    watch_lifeline(ended.set)
    if hasattr(os, "nice"):
        os.nice(_NICENESS)
    names, channels, sample_rate = task["names"], task["channels"], task["sample_rate"]
    ring = RecordingRing(Path(task["ring"]), len(names) * channels, task["frames"])
    ring.unlink()
    files: TakeFiles | None = None
    try:
        files = TakeFiles(
            Path(task["folder"]),
            names,
            channels,
            sample_rate,
            container=task["container"],
            depth=task["depth"],
        )
        _carry(ring, files, ended, most=round(_LONGEST_S * sample_rate) or 1)
        files.finish()
        _tell(Finished(files.safe_frames))
    except OSError as error:
        if files is not None:
            files.rescue()
        _tell(Failed(files.safe_frames if files else 0, error.strerror or str(error)))


if __name__ == "__main__":
    _run()
