"""The network on its device, and what it can offer: everything that sessions share.

Ready means ready: hops of the engine's own preset have been computed before the first session is
let in, because the first computation takes many times as long as the others, and how long they
take decides what fits. Other presets are tried out when somebody asks for one of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

import torch

from bridge.protocol.stem_list import join_stems
from bridge.server.capacity import Capacity, Demand, proposed_budget_s, time_to_compute_s
from bridge.server.following import Following
from bridge.server.measurements import Measurements
from bridge.server.offers import LEAST_FADE, LOWEST_RATE, Offer, OfferRefusedError
from bridge.server.readiness import Readiness
from bridge.server.scheduler import Scheduler, Ticket
from bridge.server.stream_worker import Finished, StreamWorker
from bridge.server.trials import Trials
from streamsep.audio.resample import HIGHEST_RATE
from streamsep.devices import make_executor
from streamsep.engine import StreamConfig
from streamsep.engine.consistency import ConsistencyName, make_consistency
from streamsep.engine.separator import follow, hops_at_once
from streamsep.errors import ConfigError, LocalProtocolError
from streamsep.measuring import MOST_RTF

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from bridge.protocol import Hello
    from streamsep.config import LatencyPreset
    from streamsep.engine import Separator
    from streamsep.engine.refinement import RefinementName
    from streamsep.engine.separator import SegmentFollower
    from streamsep.measuring import HopCost, KeptHopCosts

__all__ = ["LEAST_FADE", "Engine"]

_WARM_UP_HOPS = 2
_ENOUGH_HOPS = 20
"""So many of a session show how long a hop takes."""


class Engine:
    """A separator, its scheduler, and the presets that streams may have.

    Args:
        separator: what separates; on its device, warm or not.
        model: its name.
        device: where it computes.
        presets: what may be asked for, by name; rounded up to the separator's stride.
        preset: the name of the one that is used when none is asked for.
        consistency: what is used when none is asked for.
        refinement: of all sessions.
        budget_s: seconds for computing and transport; None chooses by measurement.
        incremental: let streams keep from hop to hop what they can; a fraction of the work, and
            nearly the same estimates.
        kept: what engines like this one have measured and kept; None to remember nothing.
        legacy: what the engine that this one replaces had measured, the last time it started.
        allow_late: let in live sessions that the device cannot compute in time.
        precision: ``float32``, ``tf32`` (CUDA), ``bfloat16``, or None to leave it to the separator.

    Raises:
        ConfigError: a preset does not fit the separator or is not among the presets; the device
            does not have the precision, or it is to be chosen for followed streams; the separator
            has no stem that the consistency needs, or stems that no client could be told.
    """

    def __init__(
        self,
        separator: Separator,
        model: str,
        device: torch.device,
        *,
        presets: Mapping[str, LatencyPreset],
        preset: str,
        consistency: ConsistencyName = "off",
        refinement: RefinementName = "off",
        budget_s: float | None = None,
        incremental: bool = False,
        kept: KeptHopCosts | None = None,
        legacy: Iterable[HopCost] = (),
        allow_late: bool = False,
        precision: str | None = None,
    ) -> None:
        if preset not in presets:
            raise ConfigError(f"unknown preset '{preset}', expected {', '.join(presets)}")
        _check_stems(model, separator.sources)
        if incremental and precision is not None:
            raise ConfigError(
                f"precision {precision} is for whole windows and has no effect on streams that are "
                "followed hop by hop; leave out either --precision or --incremental"
            )
        self.separator = separator
        self.model = model
        self.preset = preset
        # As sessions will; what that imports need not be imported then.
        make_consistency(consistency, separator.sources, separator.sample_rate)
        self.consistency: ConsistencyName = consistency
        self.refinement: RefinementName = refinement
        self.budget_s = budget_s
        self.allow_late = allow_late
        self.presets = {
            name: StreamConfig.from_preset(each).fitted_to(separator)
            for name, each in presets.items()
        }
        executor = make_executor(separator, device, precision=precision)
        self.workers = self._hops_at_once() if incremental and device.type == "cpu" else 1
        """Hops that are computed beside each other."""
        self.capacity = Capacity(self.workers, allow_late=allow_late)
        self.scheduler = Scheduler(separator, device, executor=executor, workers=self.workers)
        self.scheduler.prepare({each.segment for each in self.presets.values()})
        self._following = Following(separator, self.scheduler) if incremental else None
        self._trials = Trials(separator, self.scheduler, self._following)
        self.measurements = Measurements(self._trials, separator.sample_rate, kept, legacy)
        """How fast it is."""
        self._readiness = Readiness(
            separator,
            self.presets,
            self._trials,
            self.measurements,
            self._following,
            allow_late=allow_late,
        )
        self._watched: dict[StreamWorker, StreamConfig] = {}
        self._warm_up()

    MOST_LOAD = MOST_RTF
    """Share of the time that a preset may need on a device; beyond, it would not hold for long."""

    def able_presets(self, groups: int = 1) -> list[str]:
        """Names of the presets that a live session can have, the shortest latency first.

        Args:
            groups: how many times the session has the separator's channels.
        """
        able = [
            name
            for name, each in self.presets.items()
            if each.crossfade >= LEAST_FADE and groups * self.load_of(each) <= self.MOST_LOAD
        ]
        return sorted(able, key=lambda name: self.presets[name].latency)

    def measure_again(self) -> None:
        """Try the default preset once more; the faster of both measurements counts."""
        self.measurements.measure(self.presets[self.preset], faster_counts=True)

    def load_of(self, preset: StreamConfig) -> float:
        """Share of a hop's time that computing it takes at a preset; 1 and more cannot be."""
        return self.measurements.load_of(preset)

    @property
    def can_follow(self) -> bool:
        """Whether incremental streams would be less work."""
        return self._follower() is not None

    @property
    def sources(self) -> tuple[str, ...]:
        """Names of the stems."""
        return self.separator.sources

    def compute_s(self, preset: StreamConfig) -> float:
        """Seconds that a hop of a preset takes; measured now if nobody has."""
        return self.measurements.compute_s(preset)

    def is_ready_for(self, hello: Hello) -> bool:
        """Whether `offer` and `open_stream` would answer at once."""
        return not self._readiness.chores(hello, self.preset)

    def get_ready_for(self, hello: Hello) -> None:
        """Compute and measure what a session needs; in any thread, beside sessions that play.

        Raises:
            ConfigError: what it asks for cannot be.
            EngineError: the engine is stopping.
        """
        while chores := self._readiness.chores(hello, self.preset):
            for chore in chores:
                chore()

    def offer(self, hello: Hello) -> Offer:
        """What a session that asks like this would get.

        Raises:
            OfferRefusedError: nothing; the message says why.
        """
        name = hello.preset or self.preset
        if name not in self.presets:
            raise OfferRefusedError(f"unknown preset '{name}', expected {', '.join(self.presets)}")
        if not self._readiness.can_resample(hello.sample_rate):
            raise OfferRefusedError(
                f"a sample rate of {hello.sample_rate} Hz: expected {LOWEST_RATE} to {HIGHEST_RATE}"
            )
        consistency = self._consistency_of(hello)
        preset = self.presets[name]
        hop_s = preset.hop / self.separator.sample_rate
        if hello.mode == "offline":
            return Offer(preset=name, consistency=consistency, budget=0, demand=None, hop_s=hop_s)
        if preset.crossfade < LEAST_FADE:
            raise OfferRefusedError(
                f"preset '{name}' fades over {preset.crossfade} samples and could not hide a late "
                f"segment; live sessions need {LEAST_FADE}: take another preset"
            )
        demand = self._demand(preset, hello, hop_s)
        self._check_holds(name, demand)
        refusal = self.capacity.refusal(demand)
        if refusal:
            raise OfferRefusedError(refusal, for_lack_of_room=True)
        budget = round(demand.budget_s * hello.sample_rate)
        return Offer(
            preset=name, consistency=consistency, budget=budget, demand=demand, hop_s=hop_s
        )

    def open_stream(
        self, offer: Offer, hello: Hello, deliver: Callable[[Finished], None]
    ) -> StreamWorker:
        """Make the stream of a session. The capacity it takes is released by `close_stream`."""
        live = offer.demand is not None
        within_s = time_to_compute_s(offer.budget / hello.sample_rate)
        ticket = Ticket(offer.hop_s, within_s) if live else Ticket()
        worker = StreamWorker(
            self.separator,
            self.scheduler,
            ticket,
            self.presets[offer.preset],
            sample_rate=hello.sample_rate,
            channels=hello.channels,
            consistency=offer.consistency,
            refinement=self.refinement,
            deliver=deliver,
            following=self._following,
        )
        if offer.demand is not None:
            self.capacity.admit(worker, offer.demand)
            if hello.channels <= self.separator.channels:
                self._watched[worker] = self.presets[offer.preset]
        worker.start()
        return worker

    def close_stream(self, worker: StreamWorker) -> None:
        """End a stream and give its capacity back."""
        worker.stop()
        self.capacity.release(worker)
        config = self._watched.pop(worker, None)
        took_s = worker.hop_took_s(_ENOUGH_HOPS)
        # Elsewhere several sessions are computed at once, and take the time of all.
        if config is not None and took_s is not None and self.scheduler.device.type == "cpu":
            self.measurements.bear_out(config, took_s)

    def stop(self) -> None:
        """End all computing."""
        self.scheduler.stop()

    def _follower(self) -> SegmentFollower | None:
        config = self.presets[self.preset]
        return follow(self.separator, segment=config.segment, hop=config.hop, wanted=slice(0, 0))

    def _hops_at_once(self) -> int:
        return hops_at_once(self._follower(), torch.get_num_threads())

    def _consistency_of(self, hello: Hello) -> ConsistencyName:
        if not hello.consistency:
            return self.consistency
        for name in get_args(ConsistencyName):
            if name == hello.consistency:
                return name
        raise OfferRefusedError(
            f"unknown consistency '{hello.consistency}', expected "
            f"{', '.join(get_args(ConsistencyName))}"
        )

    def _demand(self, preset: StreamConfig, hello: Hello, hop_s: float) -> Demand:
        width = self.separator.channels
        groups = -(-hello.channels // width)
        compute_s = self.compute_s(preset) * groups
        if hello.budget:
            budget_s = hello.budget / hello.sample_rate
        else:
            budget_s = self.budget_s or proposed_budget_s(compute_s, hop_s)
        return Demand(compute_s, hop_s, budget_s)

    def _check_holds(self, name: str, demand: Demand) -> None:
        if demand.load <= self.MOST_LOAD or self.allow_late:
            return
        able = self.able_presets(round(demand.compute_s / self.compute_s(self.presets[name])))
        raise OfferRefusedError(
            f"'{self.model}' at preset '{name}' would take {demand.load:.0%} of a hop's time to "
            f"compute it, at most {self.MOST_LOAD:.0%} hold; "
            + (f"take preset {' or '.join(able)}" if able else "none of its presets holds")
        )

    def _warm_up(self) -> None:
        """Compute what the default preset needs, and look whether what is known of it is true."""
        config = self.presets[self.preset]
        if self.measurements.knows(config):
            # It is from the engine that died a moment ago, on this machine.
            self._trials.time_hops_s(config, 1)
            return
        self.measurements.recall(self.presets.values())
        if self.measurements.knows(config):
            took_s = self._trials.time_hops_s(config, _WARM_UP_HOPS)[-1]
            if self.measurements.bear_out(config, took_s):
                return
            self.measurements.forget(self.presets.values())
        self.measurements.measure(config)


def _check_stems(model: str, names: Sequence[str]) -> None:
    """Make sure that clients can be told which stems there are.

    Raises:
        ConfigError: they cannot.
    """
    try:
        join_stems(names)
    except LocalProtocolError as error:
        raise ConfigError(
            f"'{model}' cannot be served: {error}; files can be separated without an engine"
        ) from error
