"""What `streamsep bench` has found out on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from streamsep.cli.bench_advice import advise, kept_measurements
from streamsep.cli.checks.finding import Finding

if TYPE_CHECKING:
    from streamsep.measuring import Measurement

__all__ = ["check_bench"]

_NAME = "bench"


def check_bench(cache_dir: Path | None) -> Finding:
    """Which preset to play at, by network and device, if that has been measured.

    Args:
        cache_dir: folder of downloaded networks, the default one if None.
    """
    from streamsep.measuring import recommended, this_machine

    machine = this_machine()
    known = kept_measurements(cache_dir).of(machine)
    if not known:
        detail = f"nothing measured with torch {machine.torch} on {machine.processor}"
        advice = "run 'streamsep bench' while nothing else runs"
        return Finding(_NAME, "missing", detail, advice)
    devices = dict.fromkeys(each.device for each in known)
    said = [
        _on_device(device, [one for one in known if one.device == device]) for device in devices
    ]
    detail = f"measured on {known[-1].measured.astimezone():%Y-%m-%d}; {'; '.join(said)}"
    if recommended(known) is None:
        advice = "take a smaller network, or a faster device; files can be separated all the same"
        return Finding(_NAME, "problem", detail, advice)
    return Finding(_NAME, "ok", detail)


def _on_device(device: str, known: list[Measurement]) -> str:
    models = dict.fromkeys(each.model for each in known)
    return f"{device}: " + "; ".join(f"{model}: {advise(model, known)}" for model in models)
