"""Whether this machine keeps up with a live stream: time per hop for every latency preset.

    uv run python benchmarks/streaming.py
    uv run python benchmarks/streaming.py --device cuda --hops 200
    uv run python benchmarks/streaming.py --preset live --preset studio

Two networks with random weights: one of the starter's size and the full 83.6 M parameters. Blocks
of one hop are pushed one after the other, without waiting for the time at which they would come;
the first ones, which find caches and memory cold, are left out.

RTF is the time per hop over the hop's duration, on average. Below 1 a stream does not fall behind;
how far the slow hops lie above the average (p95) says how much slack a live loop needs to buffer.
The latency is the stream's own, and what the network takes to compute comes on top of it.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated

import numpy as np
import torch
import typer
from common import write_results
from rich.console import Console
from rich.table import Table

from streamsep import StreamConfig, StreamingSeparator, load_preset, load_presets
from streamsep.models.hybrid_demucs import HybridDemucs, HybridDemucsConfig

if TYPE_CHECKING:
    from streamsep.config import LatencyPreset

WARM_UP = 2
"""Hops that are separated before the clock counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """One network under one preset.

    Attributes:
        preset: its name.
        hidden: width of the network.
        parameters: of the network.
        latency: samples between an input sample and the output that depends on it.
        latency_ms: the same in milliseconds.
        hop_ms: duration of a hop.
        median_ms: time to separate a hop.
        p95_ms: time within which 95 % of the hops were separated.
        rtf: mean time per hop over the hop's duration.
    """

    preset: str
    hidden: int
    parameters: int
    latency: int
    latency_ms: float
    hop_ms: float
    median_ms: float
    p95_ms: float
    rtf: float

    @property
    def keeps_up(self) -> bool:
        """Whether a stream would not fall behind."""
        return self.rtf < 1.0


def main(
    hops: Annotated[int, typer.Option(min=2, help="Hops to measure.")] = 40,
    device: Annotated[str, typer.Option("-d", "--device")] = "cpu",
    preset: Annotated[list[str] | None, typer.Option(help="Default: all.")] = None,
    hidden: Annotated[list[int] | None, typer.Option(help="Widths. Default: 16 and 48.")] = None,
) -> None:
    """Measure streaming for every preset and write benchmarks/results/*.json."""
    presets = [load_preset(name) for name in preset] if preset else list(load_presets().values())
    measurements = []
    for width in hidden or [16, 48]:
        torch.manual_seed(0)
        network = HybridDemucs(HybridDemucsConfig(hidden=width)).eval().requires_grad_(False)
        network.to(device)
        measurements += [measure(network, one, device, hops) for one in presets]
    path = write_results(
        "streaming",
        {
            "device": device_name(device),
            "threads": torch.get_num_threads(),
            "hops": hops,
            "measurements": [
                asdict(measurement) | {"keeps_up": measurement.keeps_up}
                for measurement in measurements
            ],
        },
    )
    report(measurements, device_name(device))
    Console(highlight=False).print(f"written to {path}")


def measure(network: HybridDemucs, preset: LatencyPreset, device: str, hops: int) -> Measurement:
    """Stream noise through a network and time every hop."""
    config = StreamConfig.from_preset(preset)
    stream = StreamingSeparator(network, config, device=device)
    # The look-ahead fills first: until then a push separates nothing.
    stream.push(0.1 * torch.randn(network.channels, config.look_ahead))
    times_s = []
    for _ in range(WARM_UP + hops):
        block = 0.1 * torch.randn(network.channels, config.hop)
        start = time.perf_counter()
        stems = stream.push(block)  # on the CPU, so the device has finished
        times_s.append(time.perf_counter() - start)
        assert stems.shape[-1] == config.hop, "one push is to separate one segment"
    counted = np.array(times_s[WARM_UP:])
    hop_s = config.hop / network.sample_rate
    return Measurement(
        preset=preset.name,
        hidden=network.config.hidden,
        parameters=sum(weight.numel() for weight in network.parameters()),
        latency=stream.latency,
        latency_ms=1e3 * stream.latency / network.sample_rate,
        hop_ms=1e3 * hop_s,
        median_ms=1e3 * float(np.median(counted)),
        p95_ms=1e3 * float(np.percentile(counted, 95)),
        rtf=float(counted.mean()) / hop_s,
    )


def device_name(device: str) -> str:
    """What computes, as its maker calls it."""
    if torch.device(device).type == "cuda":
        return torch.cuda.get_device_name(device)
    return device


def report(measurements: list[Measurement], device: str) -> None:
    """Print a table."""
    table = Table(title=f"streaming on {device}")
    table.add_column("network")
    table.add_column("preset")
    for heading in ("latency ms", "hop ms", "median ms", "p95 ms", "RTF"):
        table.add_column(heading, justify="right")
    table.add_column("keeps up")
    for one in measurements:
        table.add_row(
            f"{one.parameters / 1e6:.1f} M",
            one.preset,
            *(f"{value:.0f}" for value in (one.latency_ms, one.hop_ms, one.median_ms, one.p95_ms)),
            f"{one.rtf:.2f}",
            "yes" if one.keeps_up else "no",
        )
    Console(highlight=False).print(table)


if __name__ == "__main__":
    typer.run(main)
