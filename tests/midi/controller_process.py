"""A controller as a program: python controller_process.py NAME [PORT TO CONNECT TO].

It plays the messages of each line of its standard input, lists of lists of bytes, and writes a line
for every message that it gets.
"""

from __future__ import annotations

import json
import os
import queue
import sys
import threading
import time

import rtmidi


def main(name: str, connect_to: str) -> None:
    faders = rtmidi.MidiOut(rtmidi.API_UNIX_JACK, name=name)
    lights = rtmidi.MidiIn(rtmidi.API_UNIX_JACK, name=f"{name}-lights")
    if connect_to:
        names = faders.get_ports()
        faders.open_port(next(i for i, port in enumerate(names) if connect_to in port), "faders")
    else:
        faders.open_virtual_port("faders")
    lights.open_virtual_port("lights")
    lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()

    def read() -> None:
        for line in sys.stdin:
            lines.put(line)
        lines.put(None)

    threading.Thread(target=read, daemon=True).start()
    sys.stdout.write("READY\n")
    while True:
        sys.stdout.flush()
        while not lines.empty():
            line = lines.get()
            if line is None:
                faders.delete()
                lights.delete()
                os._exit(0)
            for message in json.loads(line):
                faders.send_message(message)
        while (received := lights.get_message()) is not None:
            sys.stdout.write(f"{json.dumps(received[0])}\n")
        time.sleep(0.002)


main(sys.argv[1], sys.argv[2])
