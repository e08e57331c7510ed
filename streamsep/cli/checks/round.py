"""All checks, side by side: most of them wait for another process."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from streamsep.cli.checks import bench, cache, compute, live, programs
from streamsep.cli.checks.finding import Finding

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["examine_all"]


def examine_all(cache_dir: Path | None = None) -> list[Finding]:
    """Run every check; none can fail, stop another or wait for ever.

    Args:
        cache_dir: folder of downloaded networks, the default one if None.
    """
    checks: dict[str, Callable[[], Finding]] = {
        "Python": compute.check_python,
        "streamsep": compute.check_streamsep,
        "torch": compute.check_torch,
        "soundfile": compute.check_soundfile,
        "models": partial(cache.check_models, cache_dir),
        "bench": partial(bench.check_bench, cache_dir),
        "ffmpeg": programs.check_ffmpeg,
        "PortAudio": live.check_portaudio,
        "JACK": live.check_jack,
        "MIDI": live.check_midi,
        "C++ compiler": programs.check_compiler,
        "fluidsynth": programs.check_fluidsynth,
        "espeak-ng": programs.check_espeak,
        "soundfont": programs.check_soundfonts,
        "pyworld": programs.check_pyworld,
    }
    with ThreadPoolExecutor(len(checks)) as pool:
        return list(pool.map(_survive, checks.keys(), checks.values()))


def _survive(name: str, check: Callable[[], Finding]) -> Finding:
    try:
        return check()
    except Exception as error:  # noqa: BLE001, a doctor who faints helps nobody
        reason = f"the check itself failed: {type(error).__name__}: {error}"
        return Finding(name, "problem", reason, "please report this")
