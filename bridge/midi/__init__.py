"""MIDI controllers for the mixer: maps, ports that come and go, and learning.

    controller ──► port process ──► MidiPort ──► MidiInterpreter ──► MixControls
               ◄──   (rtmidi)   ◄──          ◄──      lights     ◄──

Messages are carried in one place and understood in another, which has no port, clock or thread.
"""

from __future__ import annotations

from bridge.midi.dialogue import LearnRequest
from bridge.midi.interpreter import Change, MidiInterpreter
from bridge.midi.learner import MidiLearner
from bridge.midi.lesson import MidiLesson
from bridge.midi.session import MidiSession, open_midi
from bridge.midi_port.port import MidiPort

__all__ = [
    "Change",
    "LearnRequest",
    "MidiInterpreter",
    "MidiLearner",
    "MidiLesson",
    "MidiPort",
    "MidiSession",
    "open_midi",
]
