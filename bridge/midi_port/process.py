"""The process that has the MIDI ports; it knows nothing of what the messages mean.

    python -m bridge.midi_port.process      lines of JSON on standard input and output

rtmidi cannot be used any more once a JACK server has died, and may take its process with it. So it
lives here: the process ends without ceremony, and `MidiPort` starts another. The first line that it
reads says which ports to open; every line after it is a message to send.
"""

from __future__ import annotations

import importlib
import json
import os
import queue
import sys
import threading
import time
from typing import Any, NoReturn

from bridge.midi_port.jack_watch import JackWatch
from bridge.midi_port.reports import Messages, Opened, Report, Unplugged, Unreachable, encode

__all__ = ["API_NAMES"]

API_NAMES = {
    "alsa": "API_LINUX_ALSA",
    "jack": "API_UNIX_JACK",
    "coremidi": "API_MACOSX_CORE",
    "winmm": "API_WINDOWS_MM",
}
_CLIENT = "streamsep"
_QUEUE = 1 << 14
"""Messages that wait for us at most; at the speed of a MIDI cable, 16 s."""
_LOOK_S = 0.25
"""Between looks at the list of ports."""
_PAUSE_S = 0.002


class _Ports:
    """One port in each direction, of a controller or of our own."""

    def __init__(self, rtmidi: Any, api: int, wanted: str) -> None:
        self._error = rtmidi.RtMidiError
        self._input = rtmidi.MidiIn(api, name=_CLIENT, queue_size_limit=_QUEUE)
        self._output = rtmidi.MidiOut(api, name=f"{_CLIENT}-lights")
        self._wanted = wanted
        self._shared = not wanted and api != rtmidi.API_WINDOWS_MM
        self._opened: dict[Any, str | None] = {self._input: None, self._output: None}
        self._told: Opened | Unplugged | None = None
        if self._shared:
            self._input.open_virtual_port("control")
            self._output.open_virtual_port("lights")
            _tell(Opened(f"{_CLIENT}:control", shared=True))

    def look(self) -> None:
        """Open the controller's ports when they come, close them when they have gone."""
        if self._shared:
            return
        names = self._input.get_ports()
        self._attend(self._input, names, "control")
        self._attend(self._output, self._output.get_ports(), "lights")
        self._tell_state(self._opened[self._input], names)

    def receive(self) -> bool:
        """Hand on what has come; whether anything has."""
        messages = []
        while (received := self._input.get_message()) is not None:
            messages.append(list(received[0]))
        if messages:
            _tell(Messages(messages))
        return bool(messages)

    def send(self, message: list[int]) -> None:
        """Send a message, if there is anybody to send it to."""
        if self._shared or self._opened[self._output] is not None:
            self._output.send_message(message)

    def close(self) -> None:
        """Leave a server that is alive in order: one that finds a dead client is busy with it."""
        for port in self._opened:
            port.delete()

    def _tell_state(self, opened: str | None, names: list[str]) -> None:
        """Tell what has become of the controller, once."""
        told = self._told
        if opened is not None:
            state: Opened | Unplugged = Opened(opened, shared=False)
        elif isinstance(told, Unplugged):
            state = told
        else:
            state = Unplugged(self._wanted, names, gone=told.port if told else "")
        if state != told:
            self._told = state
            _tell(state)

    def _attend(self, port: Any, names: list[str], own_name: str) -> None:
        if self._opened[port] in names:
            return
        if self._opened[port] is not None:
            port.close_port()
            self._opened[port] = None
        found = [name for name in names if self._wanted.casefold() in name.casefold()]
        if found:
            try:
                port.open_port(names.index(found[0]), own_name)
            except self._error:
                return  # gone in between, or held by another program: the next look tells
            self._opened[port] = found[0]


def _tell(report: Report) -> None:
    sys.stdout.write(f"{encode(report)}\n")
    sys.stdout.flush()


def _end(report: Report | None = None) -> NoReturn:
    if report is not None:
        _tell(report)
    # Not the ordinary way out: closing clients of a server that has died hangs or crashes.
    os._exit(0)


def _read_requests(requests: queue.SimpleQueue[list[int] | None]) -> None:
    """Queue what is to be sent; None when whoever started us has ended."""
    for line in sys.stdin:
        requests.put(json.loads(line))
    requests.put(None)


def _open_any(rtmidi: Any, wanted: str, apis: list[str]) -> tuple[_Ports, JackWatch | None]:
    """Ports of the first MIDI system that answers; ends the process where none does."""
    compiled = rtmidi.get_compiled_api()
    for name in apis:
        api = getattr(rtmidi, API_NAMES[name])
        if api not in compiled:
            continue
        try:
            watch = JackWatch() if name == "jack" else None
            if watch is not None and watch.server_gone:
                continue
            return _Ports(rtmidi, api, wanted), watch
        except rtmidi.RtMidiError:
            continue
    _end(Unreachable(f"no MIDI system answers ({', '.join(apis)})"))


def _run() -> NoReturn:
    task = json.loads(sys.stdin.readline())
    requests: queue.SimpleQueue[list[int] | None] = queue.SimpleQueue()
    threading.Thread(target=_read_requests, args=(requests,), daemon=True).start()
    rtmidi: Any = importlib.import_module("rtmidi")
    ports, watch = _open_any(rtmidi, task["port"], task["apis"])
    look_at_s = 0.0
    while True:
        if watch is not None and watch.server_gone:
            _end(Unreachable("the JACK server has gone"))
        if time.monotonic() >= look_at_s:
            look_at_s = time.monotonic() + _LOOK_S
            ports.look()
        while not requests.empty():
            message = requests.get()
            if message is None:
                ports.close()
                _end()
            ports.send(message)
        if not ports.receive():
            time.sleep(_PAUSE_S)


if __name__ == "__main__":
    _run()
