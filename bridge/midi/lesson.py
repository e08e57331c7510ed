"""Learning while it plays: a map grows by what is moved, and goes on meaning what it meant.

A message that means something already is never taken for what is asked for: whoever plays may use
every other fader meanwhile. Only the control that is asked for lets go of the fader that it had, so
that it may get it again or another one; left out, it keeps it. What has been learnt works at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.midi.learner import MidiLearner
from streamsep.config.midi_map import ButtonBinding, FaderBinding, MidiMap

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bridge.midi.interpreter import MidiInterpreter
    from bridge.mixing import Control

    Binding = FaderBinding | ButtonBinding

__all__ = ["MidiLesson"]


class MidiLesson:
    """A map in the making, and the interpreter that plays with it.

    Args:
        midi_map: what is played with.
        interpreter: plays with it; what is learnt is given to it.
        controls: what to ask for, by name, in this order.
    """

    def __init__(
        self, midi_map: MidiMap, interpreter: MidiInterpreter, controls: Sequence[str]
    ) -> None:
        self._map = midi_map
        self._interpreter = interpreter
        self._learner = MidiLearner(controls)
        self._bindings = midi_map.bindings()
        self._spare: list[Binding] = []
        self._found: set[str] = set()
        self._begin()

    @property
    def asked(self) -> Control | None:
        """What is to be moved now; None when all has been asked for."""
        return self._learner.asked

    @property
    def found(self) -> int:
        """How many controls have been learnt."""
        return len(self._found)

    def feed(self, message: Sequence[int], now_s: float) -> Binding | None:
        """Take in a message, before the interpreter gets it.

        Args:
            message: its bytes.
            now_s: the time, from any beginning.

        Returns:
            What the control that was asked for has got by it.
        """
        if self._interpreter.knows(message):
            return None
        return self._take(self._learner.feed(message, now_s))

    def pass_time(self, now_s: float) -> Binding | None:
        """Say how late it is; a fader that rests is known by it."""
        return self._take(self._learner.pass_time(now_s))

    def skip(self) -> None:
        """Leave the control that is asked for as it was."""
        self._restore()
        self._learner.skip()
        self._begin()

    def back(self) -> None:
        """Ask for the last control again."""
        self._restore()
        self._learner.back()
        self._begin()

    def finish(self) -> None:
        """Ask for nothing more."""
        while self.asked is not None:
            self.skip()

    def learnt(self, name: str, *, description: str, port: str) -> MidiMap:
        """The map by now: what was played with, and what has been learnt.

        Args:
            name: what it is called.
            description: one line.
            port: part of the name of the controller's port.
        """
        return MidiMap(
            name=name,
            description=description,
            port=port,
            channel=self._map.channel,
            pick_up=self._map.pick_up,
            feedback=self._map.feedback,
            faders=tuple(each for each in self._bindings if isinstance(each, FaderBinding)),
            buttons=tuple(each for each in self._bindings if isinstance(each, ButtonBinding)),
        )

    def _begin(self) -> None:
        """Take its fader from the control that is asked for."""
        self._spare = []
        if self.asked is not None:
            self._interpreter.release(self.asked)
            self._spare = [each for each in self._bindings if each.control == str(self.asked)]

    def _restore(self) -> None:
        for binding in self._spare:
            self._interpreter.adopt(binding)

    def _take(self, binding: Binding | None) -> Binding | None:
        if binding is None:
            return None
        self._found.add(binding.control)
        kept = [each for each in self._bindings if each.control != binding.control]
        # The map may have stems that this mixer has not, whose faders mean nothing here.
        self._bindings = [each for each in kept if not self._meet(binding, each)]
        self._bindings.append(binding)
        self._interpreter.adopt(binding)
        self._begin()
        return binding

    def _meet(self, one: Binding, other: Binding) -> bool:
        """Whether both listen to some message."""
        channels = {one.channel or self._map.channel, other.channel or self._map.channel}
        same_channel = None in channels or len(channels) == 1
        return same_channel and not set(one.messages()).isdisjoint(other.messages())
