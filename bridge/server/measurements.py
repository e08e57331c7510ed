"""How fast an engine is: measured when it has to be known, and remembered from then on.

A preset that nobody asks for is not measured. What is, a later engine like this one need not
measure again: it finds the figure on disk or, if it takes the place of one that died, in that one's
legacy. A figure that is remembered may be wrong, so hops that are computed anyway are held against
it, and nobody is refused because of it: what seems too slow is measured first.
"""

from __future__ import annotations

import logging
import statistics
import threading
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pydantic import TypeAdapter

from streamsep.errors import OutputError
from streamsep.measuring import HopCost

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bridge.server.trials import Trials
    from streamsep.engine import StreamConfig
    from streamsep.measuring import KeptHopCosts, Workload

__all__ = ["Measurements", "read_legacy"]

logger = logging.getLogger(__name__)

_HOPS = 4
"""Hops of a measurement; the first finds cold caches and does not count."""

_GROSS = 2.0
"""Two figures for the same hop, of which one is so many times the other, cannot both be right."""

_FRESH_S = 3.0
"""So long a figure is of this moment: what made it slow goes on, or is over, as the case may be."""

_LEGACY = TypeAdapter(tuple[HopCost, ...])


def read_legacy(text: str) -> tuple[HopCost, ...]:
    """What `Measurements.to_json` made."""
    return _LEGACY.validate_json(text)


class Measurements:
    """What hops cost, by tiling.

    Args:
        trials: computes hops.
        sample_rate: of the tilings, samples per second.
        kept: what engines like this one have kept; None to remember nothing.
        legacy: what the engine that this one replaces knew.
    """

    def __init__(
        self,
        trials: Trials,
        sample_rate: int,
        kept: KeptHopCosts | None = None,
        legacy: Iterable[HopCost] = (),
    ) -> None:
        self._trials = trials
        self._sample_rate = sample_rate
        self._kept = kept
        self._known: dict[Workload, HopCost] = {each.workload: each for each in legacy}
        self._own: dict[Workload, float] = {}
        self._measuring = threading.Lock()

    def recall(self, configs: Iterable[StreamConfig]) -> None:
        """Take what has been kept, for tilings of which nothing is known."""
        if self._kept is None:
            return
        for workload in {self._trials.workload(config) for config in configs}:
            if workload not in self._known and (cost := self._kept.find(workload)):
                self._known[workload] = cost

    def knows(self, config: StreamConfig) -> bool:
        """Whether a tiling's cost is known."""
        return self._trials.workload(config) in self._known

    def is_own(self, config: StreamConfig) -> bool:
        """Whether this engine has measured it itself."""
        return self._trials.workload(config) in self._own

    def is_fresh(self, config: StreamConfig) -> bool:
        """Whether it has been measured a moment ago."""
        measured_s = self._own.get(self._trials.workload(config))
        return measured_s is not None and time.monotonic() - measured_s < _FRESH_S

    def compute_s(self, config: StreamConfig) -> float:
        """Seconds that a hop takes; measured now if it is not known."""
        workload = self._trials.workload(config)
        if workload not in self._known:
            with self._measuring:
                if workload not in self._known:
                    self._take(workload, self._measure_s(config))
        return self._known[workload].compute_s

    def load_of(self, config: StreamConfig) -> float:
        """Share of a hop's time that computing it takes; 1 and more cannot be."""
        return self.compute_s(config) * self._sample_rate / config.hop

    def measure(self, config: StreamConfig, *, faster_counts: bool = False) -> None:
        """Measure now, whatever is known.

        Args:
            config: the tiling.
            faster_counts: keep what was known if that is faster: what else happens on a machine
                makes computing slower, never faster.
        """
        workload = self._trials.workload(config)
        with self._measuring:
            compute_s = self._measure_s(config)
            if faster_counts and workload in self._known:
                compute_s = min(compute_s, self._known[workload].compute_s)
            self._take(workload, compute_s)

    def bear_out(self, config: StreamConfig, took_s: float) -> bool:
        """Hold hops that were computed against what is known; forget that if it cannot be true.

        If it can, the slower of both counts from now on: a machine that has more to do than it had
        then needs the longer budget now.

        Args:
            config: their tiling.
            took_s: seconds that one took.

        Returns:
            Whether what is known is believed.
        """
        workload = self._trials.workload(config)
        cost = self._known.get(workload)
        if cost is None:
            return False
        slower_s = max(took_s, cost.compute_s)
        if slower_s <= _GROSS * min(took_s, cost.compute_s):
            self._known[workload] = cost.model_copy(update={"compute_s": slower_s})
            if slower_s > cost.compute_s:
                # Of a machine that had other work; before anybody is refused it is measured anew.
                self._own.pop(workload, None)
            return True
        logger.info(
            "a hop took %.1f ms, %.1f ms were %s: it will be measured anew",
            1000 * took_s,
            1000 * cost.compute_s,
            self.origin(config),
        )
        self.forget([config])
        return False

    def forget(self, configs: Iterable[StreamConfig]) -> None:
        """What was known of some tilings was wrong; whoever asks for one has it measured."""
        for workload in {self._trials.workload(config) for config in configs}:
            self._known.pop(workload, None)
            self._own.pop(workload, None)
            if self._kept is not None:
                self._kept.forget(workload)

    def origin(self, config: StreamConfig) -> str:
        """Where a tiling's figure, which is known, is from, in words."""
        if self.is_own(config):
            return "measured now"
        measured = self._known[self._trials.workload(config)].measured
        return f"remembered from {measured.astimezone():%Y-%m-%d %H:%M}"

    def describe(self, config: StreamConfig) -> str:
        """A tiling's figure and where it is from, in words."""
        return (
            f"{1000 * self.compute_s(config):.1f} ms to compute a hop of "
            f"{1000 * config.hop / self._sample_rate:.0f} ms, {self.load_of(config):.0%} of the "
            f"time; {self.origin(config)}"
        )

    def to_json(self) -> str:
        """All that is known, in one line."""
        return _LEGACY.dump_json(tuple(self._known.values())).decode()

    def _measure_s(self, config: StreamConfig) -> float:
        return statistics.median(self._trials.time_hops_s(config, _HOPS)[1:])

    def _take(self, workload: Workload, compute_s: float) -> None:
        cost = HopCost(workload=workload, compute_s=compute_s, measured=datetime.now(UTC))
        self._known[workload] = cost
        self._own[workload] = time.monotonic()
        if self._kept is None:
            return
        try:
            self._kept.keep(cost)
        except OutputError as error:
            logger.warning("%s", error)
            self._kept = None
