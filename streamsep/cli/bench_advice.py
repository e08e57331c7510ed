"""What measurements mean for whoever wants to play: which preset to take, or what to do if none."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from streamsep.measuring import KeptMeasurements, Measurement

__all__ = ["advise", "describe", "kept_measurements", "what_held"]

_BUSY = 0.25
"""Others that use more of the processor than this have a share in the figures."""


def kept_measurements(cache_dir: Path | None) -> KeptMeasurements:
    """Those of `streamsep bench` on this machine.

    Args:
        cache_dir: folder of downloaded networks, the default one if None; they lie below it.
    """
    from streamsep.measuring import KeptMeasurements
    from streamsep.models.places import default_cache_dir

    return KeptMeasurements((cache_dir or default_cache_dir()) / "bench")


def describe(measured: Measurement) -> str:
    """What to type for it, and what that gives."""
    typed = f"--preset {measured.preset}"
    if measured.precision is not None:
        typed += f" --precision {measured.precision}"
    return f"{typed} ({measured.latency_ms:.0f} ms, RTF {measured.rtf:.2f})"


def advise(model: str, measurements: Sequence[Measurement]) -> str:
    """What to do with a network that has been measured, in one line.

    Args:
        model: name of the network.
        measurements: of this network and others.
    """
    from streamsep.measuring import recommended

    own = [each for each in measurements if each.model == model]
    best = recommended(own)
    if best is not None:
        return f"take {describe(best)}"
    nearest = min(own, key=lambda each: each.rtf)
    return f"no preset of {model} holds here, {nearest.preset} is the nearest: " + "; or ".join(
        _ways_out(nearest, measurements)
    )


def _ways_out(nearest: Measurement, measurements: Iterable[Measurement]) -> list[str]:
    from streamsep.cli.device_precision import faster_precision
    from streamsep.measuring import recommended

    ways = []
    if nearest.incremental and (typed := faster_precision(nearest.device, nearest.precision)):
        ways.append(f"try {typed}")
    if nearest.others is not None and nearest.others > _BUSY:
        ways.append(f"end other programs ({nearest.others:.0%} of the processor) and measure again")
    if other := recommended(measurements):
        ways.append(f"take --model {other.model} {describe(other)}")
    else:
        ways.append("take a smaller network, a preset with a longer hop, or a faster device")
    return ways


def what_held(cache_dir: Path | None, device: str) -> Measurement | None:
    """Of all that `streamsep bench` has measured on a device of this machine, the one to take.

    Args:
        cache_dir: as in `kept_measurements`.
        device: its name, as a measurement has it.
    """
    from streamsep.measuring import recommended, this_machine

    known = kept_measurements(cache_dir).of(this_machine())
    return recommended(each for each in known if each.device == device)
