"""The checks of `streamsep doctor`, one small function for each thing that may be missing.

What loads foreign drivers (torch, PortAudio, JACK, MIDI) runs in a process of its own, with a
deadline: a sick driver hangs, aborts or writes to the terminal, and the doctor must survive that.
"""

from __future__ import annotations

from streamsep.cli.checks.finding import Finding, State
from streamsep.cli.checks.round import examine_all

__all__ = ["Finding", "State", "examine_all"]
