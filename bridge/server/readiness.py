"""What is left to be done before a session can be answered at once.

An engine starts with its own preset. A session that asks for another may need a silence to begin
in, or a figure to be let in by, and one at another rate the latency of resampling; that takes a
second or more, which the thread that carries everybody's messages does not have.
"""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING, get_args

from bridge.server.offers import LEAST_FADE, LOWEST_RATE
from streamsep.audio.resample import HIGHEST_RATE, StreamResampler
from streamsep.engine.consistency import ConsistencyName, make_consistency
from streamsep.measuring import MOST_RTF

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bridge.protocol import Hello
    from bridge.server.following import Following
    from bridge.server.measurements import Measurements
    from bridge.server.trials import Trials
    from streamsep.engine import Separator, StreamConfig

__all__ = ["Readiness"]

logger = logging.getLogger(__name__)


class Readiness:
    """Knows what an engine has yet to compute for a session.

    Args:
        separator: what separates.
        presets: what may be asked for, by name.
        trials: computes hops.
        measurements: what is known of their cost.
        following: follows streams; None if every segment is computed anew.
        allow_late: nobody is refused for the time that a preset takes.
    """

    def __init__(
        self,
        separator: Separator,
        presets: Mapping[str, StreamConfig],
        trials: Trials,
        measurements: Measurements,
        following: Following | None,
        *,
        allow_late: bool,
    ) -> None:
        self._separator = separator
        self._presets = presets
        self._trials = trials
        self._measurements = measurements
        self._following = following
        self._allow_late = allow_late
        self._consistencies: set[ConsistencyName] = {"off"}
        self._rates = {separator.sample_rate}

    def chores(self, hello: Hello, preset: str) -> list[Callable[[], object]]:
        """What is to be done, in any thread; when it is, there may be more.

        Args:
            hello: what the session asks for. If it asks for what there is not, nothing is done.
            preset: the name of the one that it gets if it names none.
        """
        name = hello.preset or preset
        if name not in self._presets or not self.can_resample(hello.sample_rate):
            return []
        config = self._presets[name]
        chores: list[Callable[[], object]] = []
        if self._following is not None and not self._begins_at_once(config):
            chores.append(partial(self._following.stream_of, config))
        if hello.sample_rate not in self._rates:
            chores.append(partial(self._measure_resampling, hello.sample_rate))
        for consistency in get_args(ConsistencyName):
            if consistency == hello.consistency and consistency not in self._consistencies:
                chores.append(partial(self._make_consistency, consistency))
        if hello.mode != "offline" and config.crossfade >= LEAST_FADE:
            chores += [partial(self._try_out, each) for each in self._untried(hello, name)]
        return chores

    def can_resample(self, rate: int) -> bool:
        """Whether there can be sessions of so many samples per second."""
        return rate == self._separator.sample_rate or LOWEST_RATE <= rate <= HIGHEST_RATE

    def _measure_resampling(self, rate: int) -> None:
        """The session's stream will ask for the same, which is known from then on."""
        own = self._separator.sample_rate
        there, back = StreamResampler(rate, own, 1), StreamResampler(own, rate, 1)
        logger.debug("%d Hz: resamplers lag %d and %d samples", rate, there.latency, back.latency)
        self._rates.add(rate)

    def _begins_at_once(self, config: StreamConfig) -> bool:
        assert self._following is not None
        followed = self._trials.workload(config).hop > 0
        return not followed or self._following.knows_silence(config.segment)

    def _make_consistency(self, name: ConsistencyName) -> None:
        """As a session will: what that imports need not be imported then."""
        make_consistency(name, self._separator.sources, self._separator.sample_rate)
        self._consistencies.add(name)

    def _untried(self, hello: Hello, name: str) -> list[str]:
        """Presets to be measured before a live session is let in, or refused."""
        measurements, config = self._measurements, self._presets[name]
        if not measurements.knows(config):
            return [name]
        groups = -(-hello.channels // self._separator.channels)
        if self._allow_late or groups * measurements.load_of(config) <= MOST_RTF:
            return []
        # A refusal has to be right now, even if this was measured while the machine had much else
        # to do; and it names those that hold.
        others = [
            each
            for each, other in self._presets.items()
            if other.crossfade >= LEAST_FADE and not measurements.is_own(other)
        ]
        return others if measurements.is_fresh(config) or name in others else [name, *others]

    def _try_out(self, name: str) -> None:
        config = self._presets[name]
        self._measurements.measure(config)
        logger.info("preset '%s': %s", name, self._measurements.describe(config))
