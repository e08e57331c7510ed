"""The network on its device, and what it can offer: everything that sessions share.

Ready means ready: segments have been computed before the first session is let in, because the first
computation takes many times as long as the others, and how long they take decides what fits.
"""

from __future__ import annotations

import math
import statistics
import time
from typing import TYPE_CHECKING, get_args

import torch

from bridge.server.capacity import Capacity, Demand, proposed_budget_s, time_to_compute_s
from bridge.server.following import Following
from bridge.server.measurements import Measurements
from bridge.server.offers import Offer, OfferRefusedError
from bridge.server.scheduler import Scheduler, Ticket
from bridge.server.stream_worker import Finished, StreamWorker
from streamsep.devices import make_executor
from streamsep.engine import StreamConfig
from streamsep.engine.consistency import ConsistencyName
from streamsep.engine.separator import follow
from streamsep.errors import ConfigError
from streamsep.measuring import MOST_RTF

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bridge.protocol import Hello
    from streamsep.config import LatencyPreset
    from streamsep.engine import Separator
    from streamsep.engine.refinement import RefinementName

__all__ = ["LEAST_FADE", "Engine"]

_MEASUREMENTS = 3
LEAST_FADE = 64
"""Samples over which a live session's preset must fade, so that a late segment can be hidden."""


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
        measured: by an engine like this one; None measures.
        allow_late: let in live sessions that the device cannot compute in time.
        precision: ``float32``, ``tf32`` (CUDA), ``bfloat16``, or None to leave it to the separator.

    Raises:
        ConfigError: a preset does not fit the separator or is not among the presets; the device
            does not have the precision, or it is to be chosen for followed streams.
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
        measured: Measurements | None = None,
        allow_late: bool = False,
        precision: str | None = None,
    ) -> None:
        if preset not in presets:
            raise ConfigError(f"unknown preset '{preset}', expected {', '.join(presets)}")
        if incremental and precision is not None:
            raise ConfigError(
                f"precision {precision} is for whole windows and has no effect on streams that are "
                "followed hop by hop; leave out either --precision or --incremental"
            )
        self.separator = separator
        self.model = model
        self.preset = preset
        self.consistency: ConsistencyName = consistency
        self.refinement: RefinementName = refinement
        self.budget_s = budget_s
        self.allow_late = allow_late
        self.capacity = Capacity(allow_late=allow_late)
        executor = make_executor(separator, device, precision=precision)
        self.scheduler = Scheduler(separator, device, executor=executor)
        self.presets = {
            name: StreamConfig.from_preset(each).fitted_to(separator.stride)
            for name, each in presets.items()
        }
        self.scheduler.prepare({each.segment for each in self.presets.values()})
        self._following = Following(separator, self.scheduler) if incremental else None
        self._measured = self.presets[preset].segment
        if measured is None:
            measured = self._measure_presets()
        else:
            self._warm_up()
        self._take(measured)

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
            if groups * self.load_of(each) <= self.MOST_LOAD and each.crossfade >= LEAST_FADE
        ]
        return sorted(able, key=lambda name: self.presets[name].latency)

    def measure_again(self) -> None:
        """Try the default preset once more; the faster of both measurements counts.

        What else happens on a machine makes computing slower, never faster.
        """
        hops_s, segment_s = dict(self.measurements.hops_s), self.measurements.segment_s
        if self.preset in hops_s and self._following is not None:
            again_s = self._following.measure_hop_s(self.presets[self.preset])
            hops_s[self.preset] = min(hops_s[self.preset], again_s or math.inf)
        else:
            segment_s = min(segment_s, self._measure(self._measured))
        self._take(Measurements(segment_s=segment_s, hops_s=hops_s))

    def load_of(self, preset: StreamConfig) -> float:
        """Share of the device's time that one session of a preset takes; 1 and more cannot be."""
        return self.compute_s(preset) * self.separator.sample_rate / preset.hop

    @property
    def can_follow(self) -> bool:
        """Whether incremental streams would be less work."""
        config = self.presets[self.preset]
        following = follow(
            self.separator, segment=config.segment, hop=config.hop, wanted=slice(0, 0)
        )
        return following is not None

    @property
    def sources(self) -> tuple[str, ...]:
        """Names of the stems."""
        return self.separator.sources

    def compute_s(self, preset: StreamConfig) -> float:
        """Seconds that a segment of a preset takes.

        As measured where streams are followed; else as the default's, in proportion.
        """
        in_proportion = self._measured_s * preset.segment / self._measured
        return self._measured_hops.get(preset, in_proportion)

    def offer(self, hello: Hello) -> Offer:
        """What a session that asks like this would get.

        Raises:
            OfferRefusedError: nothing; the message says why.
        """
        name = hello.preset or self.preset
        if name not in self.presets:
            raise OfferRefusedError(f"unknown preset '{name}', expected {', '.join(self.presets)}")
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
        worker.start()
        return worker

    def close_stream(self, worker: StreamWorker) -> None:
        """End a stream and give its capacity back."""
        worker.stop()
        self.capacity.release(worker)

    def stop(self) -> None:
        """End all computing."""
        self.scheduler.stop()

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
            f"'{self.model}' at preset '{name}' would take {demand.load:.0%} of this device's "
            f"time, at most {self.MOST_LOAD:.0%} hold; "
            + (f"take preset {' or '.join(able)}" if able else "none of its presets holds")
        )

    def _take(self, measurements: Measurements) -> None:
        self.measurements = measurements
        """How fast it is."""
        self._measured_s = measurements.segment_s
        self._measured_hops = {
            self.presets[name]: hop_s for name, hop_s in measurements.hops_s.items()
        }

    def _measure_presets(self) -> Measurements:
        hops_s = {}
        if self._following is not None:
            for name, config in self.presets.items():
                if (hop_s := self._following.measure_hop_s(config)) is not None:
                    hops_s[name] = hop_s
        return Measurements(segment_s=self._measure(self._measured), hops_s=hops_s)

    def _warm_up(self) -> None:
        """Compute once what the default preset needs."""
        follow = None if self._following is None else self._following.measure_hop_s
        if follow is None or follow(self.presets[self.preset], hops=1) is None:
            self._compute_now(self._measured)

    def _measure(self, segment: int) -> float:
        """Seconds that a segment takes, by the scheduler, as a stream would see it."""
        self._compute_now(segment)
        return statistics.median(self._compute_now(segment) for _ in range(_MEASUREMENTS))

    def _compute_now(self, segment: int) -> float:
        mix = 0.1 * torch.randn(1, self.separator.channels, segment)
        started = time.monotonic()
        self.scheduler.submit(mix, Ticket(), started).result()
        return time.monotonic() - started
