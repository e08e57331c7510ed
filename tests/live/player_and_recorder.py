"""A player and a recorder on a JACK server, in a process that may be killed.

python player_and_recorder.py FOLDER SERVER CHANNELS SECONDS

At the line `play` on standard input it plays FOLDER/signal.npy, float32 [C, T], over and over, and
records, SECONDS at most. At the line `hear` it stops both, writes FOLDER/heard.f32, float32 [R, N],
whose first sample belongs to the same instant of the server as the signal's first, and says `HEARD`
with what it noticed: N, the moments of the server's xruns, and the holes. Where the server's own
count of samples jumps, it has lost something, or its period has changed. Player and recorder count
the samples that they were called for.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from pathlib import Path

import jack
import numpy as np

from bridge.live.memory_lock import lock_memory


def main() -> None:
    folder, server = Path(sys.argv[1]), sys.argv[2]
    recorded_channels, longest_s = int(sys.argv[3]), float(sys.argv[4])
    signal = np.load(folder / "signal.npy")
    options = {"servername": server, "no_start_server": True}
    player, recorder = jack.Client("player", **options), jack.Client("recorder", **options)
    outs = [player.outports.register(f"out_{k}") for k in range(len(signal))]
    ins = [recorder.inports.register(f"in_{k}") for k in range(recorded_channels)]
    # Filled, for the pages of `np.zeros` would be fetched, by megabytes, while the server waits.
    length = round(longest_s * player.samplerate)
    heard = np.full((recorded_channels, length), 0.0, np.float32)
    told = threading.Event()
    state = {}

    def begin() -> None:
        state.update(start=None, played=0, end=0, xruns=[], holes=0, next=None)

    begin()

    @player.set_process_callback
    def play(frames: int) -> None:
        if told.is_set() and state["start"] is None:
            begin()
            state["start"] = state["next"] = player.last_frame_time
        first = state["played"]
        for port, channel in zip(outs, signal, strict=True):
            if state["start"] is None:
                port.get_array().fill(0.0)
            else:
                port.get_array()[:] = channel.take(range(first, first + frames), mode="wrap")
        if state["start"] is not None:
            state["played"] = first + frames

    @recorder.set_process_callback
    def record(frames: int) -> None:
        now = recorder.last_frame_time
        if state["start"] is None or now < state["start"]:
            return
        state["holes"] += state["next"] != now
        state["next"] = now + frames
        first = state["end"]
        if first + frames > heard.shape[1]:
            return
        for port, channel in zip(ins, heard, strict=True):
            channel[first : first + frames] = port.get_array()
        state["end"] = first + frames

    player.set_xrun_callback(lambda _: state["xruns"].append(time.monotonic()))
    recorder.activate()
    player.activate()
    lock_memory()
    say("READY")
    for line in sys.stdin:
        if line == "play\n":
            told.set()
            continue
        told.clear()
        end, xruns, holes = state["end"], state["xruns"], state["holes"]
        begin()
        # Straight from memory and without the interpreter's lock: the callbacks go on meanwhile.
        with (folder / "heard.f32").open("wb", buffering=0) as file:
            for channel in heard:
                left = memoryview(channel[:end]).cast("B")
                while left:
                    left = left[file.write(left) :]
        say(f"HEARD {json.dumps({'length': end, 'xruns': xruns, 'holes': holes})}")
    # A client that leaves without a word holds up the server's end for seconds; with a server that
    # has died this hangs, and somebody ends it.
    player.close()
    recorder.close()
    os._exit(0)


def say(word: str) -> None:
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
