"""An engine with a separator from tests/fakes.py, as a process of its own.

python serve_fake.py FOLDER [--separator NAME] [--hop N] [--look-ahead N] [--compute-ms X] ...
"""

from __future__ import annotations

import argparse
import signal
import sys
import time
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parents[1]))

import fakes
from torch import Tensor

from bridge.processes.lifeline import watch_lifeline
from bridge.run_folder import EngineLock, ipc_endpoints
from bridge.server import Engine, EngineServer
from streamsep.config import LatencyPreset


class Slow:
    """A separator that takes its time; and too much of it as long as a file is there."""

    def __init__(self, separator: fakes.FakeSeparator, compute_s: float, stall: Path) -> None:
        self.sample_rate = separator.sample_rate
        self.channels = separator.channels
        self.sources = separator.sources
        self.stride = separator.stride
        self._separator = separator
        self._compute_s = compute_s
        self._stall = stall

    def __call__(self, mix: Tensor) -> Tensor:
        time.sleep(self._compute_s)
        if self._stall.exists():
            stalled_s = float(self._stall.read_text())
            self._stall.unlink()
            time.sleep(stalled_s)
        return self._separator(mix)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--separator", default="SegmentShaped")
    parser.add_argument("--context", type=int, default=4096)
    parser.add_argument("--hop", type=int, default=2048)
    parser.add_argument("--look-ahead", type=int, default=2048)
    parser.add_argument("--crossfade", type=int, default=512)
    parser.add_argument("--compute-ms", type=float, default=0.0)
    parser.add_argument("--budget-ms", type=float, default=None)
    parser.add_argument("--refine", default="off")
    parser.add_argument("--most-sessions", type=int, default=64)
    parser.add_argument("--others", type=int, default=0, help="presets beside the engine's own")
    parser.add_argument("--lifeline", action="store_true")
    options = parser.parse_args()
    if options.lifeline:
        watch_lifeline(lambda: signal.raise_signal(signal.SIGTERM))
    torch.set_num_threads(1)
    lock = EngineLock(options.folder)
    preset = LatencyPreset(
        name="test",
        description="",
        use="",
        context=options.context,
        hop=options.hop,
        look_ahead=options.look_ahead,
        crossfade=options.crossfade,
    )
    presets = {"test": preset}
    for number in range(options.others):
        changed = {"name": f"other {number}", "context": options.context + 2048 * (number + 1)}
        presets[changed["name"]] = preset.model_copy(update=changed)
    separator = getattr(fakes, options.separator)(stride=2048)
    engine = Engine(
        Slow(separator, options.compute_ms / 1000, options.folder / "stall"),
        "fake",
        torch.device("cpu"),
        presets=presets,
        preset="test",
        refinement=options.refine,
        budget_s=None if options.budget_ms is None else options.budget_ms / 1000,
    )
    server = EngineServer(
        engine, [ipc_endpoints(options.folder)], most_sessions=options.most_sessions
    )
    signal.signal(signal.SIGTERM, lambda *_: server.stop())

    def say_ready() -> None:
        sys.stdout.write("READY\n")
        sys.stdout.flush()

    server.run(say_ready)
    lock.release()


if __name__ == "__main__":
    main()
