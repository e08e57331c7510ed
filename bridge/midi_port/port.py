"""A MIDI port that cannot take anybody down with it."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

from bridge.midi_port.process import API_NAMES
from bridge.midi_port.reports import Unreachable, decode
from bridge.processes.child_process import ChildProcess
from streamsep.closing import Closing
from streamsep.errors import ConfigError

if TYPE_CHECKING:
    from bridge.midi_port.reports import Report

__all__ = ["MidiPort"]

_MODULE = "bridge.midi_port.process"
_CLOSING_S = 2.0
_BACKOFF_S = (0.25, 2.0)
"""First and longest pause before another process looks for a MIDI system."""


class MidiPort(Closing):
    """A controller by its name, or a port that others connect to, in both directions.

    The port comes and goes with the controller and with the MIDI system; `next` tells.

    Args:
        name: part of the name of the controller's port, in any case; empty for a port of our own
            (on Windows, which has no such thing, for the first port there is).
        api: `alsa`, `jack`, `coremidi`, `winmm`, or `auto` for the first one that answers.

    Raises:
        ConfigError: there is no such api.
    """

    def __init__(self, name: str, *, api: str = "auto") -> None:
        if api not in ("auto", *API_NAMES):
            raise ConfigError(f"MIDI system '{api}': expected auto, {', '.join(API_NAMES)}")
        self._task = json.dumps({"port": name, "apis": [*API_NAMES] if api == "auto" else [api]})
        self._pause_s = _BACKOFF_S[0]
        self._start_at_s = 0.0
        self._child: ChildProcess | None = None

    @property
    def child_pid(self) -> int | None:
        """Of the process that has the port."""
        return self._child.pid if self._child else None

    def next(self, timeout_s: float) -> Report | None:
        """What happens next; None if nothing does for so long."""
        child = self._child
        if child is None:
            wait_s = self._start_at_s - time.monotonic()
            if wait_s > 0:
                time.sleep(min(wait_s, timeout_s))
                return None
            child = self._child = ChildProcess.of_module(_MODULE, f"{self._task}\n")
        line = child.next_line(timeout_s)
        if line is None:
            return self._lost(child) if child.drained else None
        report = decode(line)
        if report is not None and not isinstance(report, Unreachable):
            self._pause_s = _BACKOFF_S[0]
        return report

    def send(self, message: bytes) -> None:
        """Send a message to the controller; it is lost while there is none."""
        if self._child is not None:
            self._child.tell(json.dumps(list(message)))

    def close(self) -> None:
        """Close the port and end its process."""
        if self._child is not None:
            self._child.close(_CLOSING_S)
            self._child = None

    def _lost(self, child: ChildProcess) -> Report | None:
        """Its process has ended; another one will be started."""
        ended_well = child.exit_code == 0
        reason = child.errors[-1] if child.errors else f"exit code {child.exit_code}"
        child.close(0.0)
        self._child = None
        self._start_at_s = time.monotonic() + self._pause_s
        self._pause_s = min(2 * self._pause_s, _BACKOFF_S[1])
        return None if ended_well else Unreachable(f"the MIDI process has ended ({reason})")
