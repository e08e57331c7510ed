"""One round of `streamsep bench`: load each network, time it at each preset, add what follows."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import torch
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from bridge.server.capacity import Demand, most_sessions, proposed_budget_s
from bridge.server.engine import LEAST_FADE
from streamsep.cli.device_precision import precision_of_weights
from streamsep.cli.engine_costs import engine_costs
from streamsep.cli.loading import announce_model, load_with_progress
from streamsep.devices.allocator import keep_freed_memory
from streamsep.devices.out_of_memory import is_out_of_memory, release_memory
from streamsep.devices.precision import arithmetic, check_precision
from streamsep.engine import StreamConfig
from streamsep.errors import ConfigError, OutputError, StreamSepError
from streamsep.measuring import (
    MOST_RTF,
    HopCost,
    Measurement,
    Workload,
    fingerprint,
    this_machine,
)
from streamsep.measuring.device import device_name, device_peak_bytes, forget_device_peak
from streamsep.measuring.hops import HopTimes, measure_hops
from streamsep.measuring.other_programs import OtherPrograms
from streamsep.measuring.peak_memory import forget_peak, peak_memory_bytes
from streamsep.measuring.recorded_names import path_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from rich.progress import TaskID

    from streamsep.cli.device_precision import DevicePrecision
    from streamsep.config import LatencyPreset
    from streamsep.models import LoadedModel

__all__ = ["BenchRound"]

_MOST_SESSIONS = 64
"""As many as an engine lets in unless it is told otherwise."""

_MEBIBYTE = 2**20


class BenchRound:
    """Measures networks and remembers those that could not be measured.

    Args:
        presets: at which.
        device: where they compute.
        seconds: of computing that are timed per network and preset.
        block: samples of the audio device's block, for the declared latency.
        incremental: keep from hop to hop what a network can keep.
        precision: how exactly they compute; None for as they were made to.
        quiet: say nothing meanwhile.

    Raises:
        ConfigError: the processor does not have the precision, or another device does not for
            streams that are followed.
    """

    def __init__(
        self,
        presets: Sequence[LatencyPreset],
        device: str,
        *,
        seconds: float,
        block: int,
        incremental: bool,
        precision: DevicePrecision | None,
        quiet: bool,
    ) -> None:
        self._presets = presets
        self._device = device
        self._seconds = seconds
        self._block = block
        self._incremental = incremental
        self._precision = None if precision is None else precision.value
        self._of_weights = precision_of_weights(precision, device)
        if precision is not None and device != "cpu" and incremental:
            raise ConfigError(
                f"on '{device}' a precision is for whole windows: add --exact, or leave out "
                f"--precision {precision.value}"
            )
        self._quiet = quiet
        self._machine = this_machine()
        self.failures: list[StreamSepError] = []
        """Why some could not be measured."""

    def measure(
        self, name: str, cache_dir: Path | None, *, download: bool
    ) -> Iterator[Measurement]:
        """Load a network and measure it preset by preset; failures are only remembered.

        Args:
            name: of the network, or its file.
            cache_dir: folder of downloaded networks.
            download: whether it may be downloaded.
        """
        # As engines do: before weights are tuned, which ends it until they have their last place.
        keep_freed_memory()
        try:
            network = load_with_progress(
                name,
                device=self._device,
                cache_dir=cache_dir,
                download=download,
                precision=self._of_weights,
            )
        except StreamSepError as error:
            self.failures.append(error)
            return
        announce_model(network, quiet=self._quiet)
        with self._progress() as bar:
            for preset in self._presets:
                task = bar.add_task(f"{network.name} at {preset.name}", total=1.0)

                def show(done: float, task: TaskID = task) -> None:
                    bar.update(task, completed=done)

                try:
                    measured = self._measure(network, preset, show)
                    self._keep_for_engines(measured, network, cache_dir)
                except StreamSepError as error:
                    self.failures.append(error)
                else:
                    yield measured
                bar.remove_task(task)

    def _measure(
        self, network: LoadedModel, preset: LatencyPreset, show: Callable[[float], None]
    ) -> Measurement:
        config = StreamConfig.from_preset(preset).fitted_to(network)
        release_memory()
        forget_peak()
        forget_device_peak(self._device)
        others = OtherPrograms()
        times = self._time(network, config, show)
        if times is None:
            raise ConfigError(
                f"'{network.name}' at preset '{preset.name}' does not fit into the memory of "
                f"'{self._device}'; take a smaller network or a preset with a shorter context"
            )
        memory_bytes, device_bytes = peak_memory_bytes(), device_peak_bytes(self._device)
        playable = config.crossfade >= LEAST_FADE
        demand = _demand(times)
        fits = playable and demand.load <= MOST_RTF
        return Measurement(
            machine=self._machine,
            device=device_name(self._device),
            threads=torch.get_num_threads(),
            measured=datetime.now(UTC),
            model=network.name,
            model_file=path_text(network.path),
            member_files=tuple(map(path_text, network.member_files)),
            fingerprint=fingerprint(network.files),
            preset=preset.name,
            sample_rate=network.sample_rate,
            context=config.context,
            hop=config.hop,
            look_ahead=config.look_ahead,
            crossfade=config.crossfade,
            precision=self._precision,
            incremental=times.incremental,
            hops=len(times.seconds),
            p50_ms=1000 * times.percentile_s(50),
            p95_ms=1000 * times.percentile_s(95),
            p99_ms=1000 * times.percentile_s(99),
            max_ms=1000 * times.percentile_s(100),
            rtf=times.rtf,
            memory_mib=memory_bytes / _MEBIBYTE,
            device_memory_mib=None if device_bytes is None else device_bytes / _MEBIBYTE,
            others=others.share,
            latency_terms={
                "block": self._block,
                "network": config.latency,
                "resampling": 0,
                "budget": round(demand.budget_s * network.sample_rate),
            },
            sessions=most_sessions(demand, _MOST_SESSIONS, times.at_once) if fits else 0,
            playable=playable,
        )

    def _keep_for_engines(
        self, measured: Measurement, network: LoadedModel, cache_dir: Path | None
    ) -> None:
        """Let engines know; not those on other devices, which compute in another way than here.

        That it cannot be kept is told once, by whoever keeps the measurement itself.
        """
        if torch.device(network.device).type != "cpu":
            return
        tiling = measured.model_dump(include={"hop", "look_ahead", "crossfade"})
        segment = measured.context + measured.hop + measured.look_ahead
        cost = HopCost(
            workload=Workload(segment=segment, **(tiling if measured.incremental else {})),
            compute_s=measured.p50_ms / 1000,
            measured=measured.measured,
        )
        with suppress(OutputError):
            engine_costs(network, cache_dir, precision=self._precision).keep(cost)

    def _time(
        self, network: LoadedModel, config: StreamConfig, show: Callable[[float], None]
    ) -> HopTimes | None:
        """Time hops; None if there is not enough memory.

        The error itself, which holds on to all that was computed, is let go of here.
        """
        place = torch.device(self._device)
        told = check_precision(self._precision if self._of_weights is None else None, place)
        try:
            with arithmetic(told, place):
                return measure_hops(
                    network,
                    config,
                    device=self._device,
                    incremental=self._incremental,
                    seconds=self._seconds,
                    done=show,
                )
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            return None

    def _progress(self) -> Progress:
        console = Console(stderr=True)
        return Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            console=console,
            transient=True,
            disable=self._quiet or not console.is_terminal,
        )


def _demand(times: HopTimes) -> Demand:
    """What a live session would ask of an engine that has measured this."""
    compute_s = times.percentile_s(50)
    return Demand(compute_s, times.hop_s, proposed_budget_s(compute_s, times.hop_s))
