"""The live loop for half an hour on a real JACK server, and through deaths: does it hold?

    uv run python benchmarks/live_soak.py                       # 30 minutes, then ten rounds each
    uv run python benchmarks/live_soak.py --minutes 2 --rounds 2
    uv run python benchmarks/live_soak.py --preset studio       # on a slow machine
    uv run python benchmarks/live_soak.py --realtime            # JACK at real-time priority

A player and a recorder on `jackd -d dummy`, the live loop between them, and its own engine with a
real network. The outputs are the mix and, on two more, the delayed input: what is heard there is
compared with what was played, ten times, so a lost sample or a latency that moves cannot hide. Then
the server (SIGTERM, SIGKILL) and the engine (SIGKILL) die some times; printed are the seconds from
the server's return to sound, and from the engine's death to its stems.

Where this user may have real-time priority, it is also found out whether the machine stood still
when the server lost something (`machine_watch.py`); what is left is ours or the rig's.
"""

from __future__ import annotations

import contextlib
import os
import signal
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import typer
from common import write_results
from machine_watch import MachineWatch, watching

# The rig belongs to the tests.
_TESTS = Path(__file__).resolve().parents[1] / "tests"
sys.path[:0] = [str(_TESTS), str(_TESTS / "live")]

from hall import playing_hall  # noqa: E402
from jack_server import ENVIRONMENT, JackServer, running_server  # noqa: E402
from loop_rig import noise, run_for, run_until, run_until_playing  # noqa: E402

from bridge.live.engine_keeper import EngineKeeper  # noqa: E402
from bridge.live.status import LivePhase  # noqa: E402
from bridge.live.supervisor import LiveLoop  # noqa: E402
from bridge.live.task import AudioTask  # noqa: E402
from bridge.mixing import Route  # noqa: E402
from bridge.run_folder import ipc_endpoints  # noqa: E402

SIGNAL = 0.3 * noise(8.0)
MIB = 2**20
BEFORE_S = 0.1
"""Between the cause of an xrun and the server's word of it, at most: what is left of its period,
another, and the wait of an ordinary thread for a processor while the engine computes on both."""


class OwnEngine:
    """The engine that the loop starts and keeps, as `streamsep live` does.

    Args:
        folder: a run-time folder of its own.
        options: of `streamsep serve`.
    """

    def __init__(self, folder: Path, *options: str) -> None:
        self.endpoints = ipc_endpoints(folder / "streamsep")
        command = [sys.executable, "-m", "streamsep", "serve", "--lifeline", *options]
        self.keeper = EngineKeeper(self.endpoints, None, command)

    @property
    def process(self) -> psutil.Process:
        """What serves: the zygote's child, where engines are forked."""
        assert self.keeper.pid is not None
        started = psutil.Process(self.keeper.pid)
        return next(iter(started.children()), started)

    @property
    def memory_mib(self) -> float:
        """Resident memory."""
        return self.process.memory_info().rss / MIB


def soak(
    loop: LiveLoop, engine: OwnEngine, folder: Path, seconds: float, watch: MachineWatch | None
) -> dict[str, Any]:
    """Play for so long, and look ten times."""
    rows = []
    # What is heard lies in memory: 90 MB for three minutes.
    tenth_s = min(seconds / 10, 600.0)
    with playing_hall(folder / "hall", SIGNAL, 4, longest_s=tenth_s + 10) as hall:
        run_until_playing(loop)
        latency = loop.status.latency
        print(f"latency {latency}: {loop.status.playing and loop.status.playing.latency_terms}")
        for tenth in range(10):
            hall.play()
            run_for(loop, tenth_s)
            heard = hall.hear()
            dry = heard.samples[2:, latency:]
            due = SIGNAL.take(range(dry.shape[-1]), axis=1, mode="wrap")
            # Before the first tenth there was silence, later what was played before.
            row = {
                "exact": bool(np.array_equal(dry, due)),
                "latency": loop.status.latency,
                "server_xruns": len(heard.xruns),
                "of_the_machine": watch
                and sum(watch.stood_still(at_s - BEFORE_S, at_s) for at_s in heard.xruns),
                "holes": heard.holes,
                "load": loop.status.measured.load if loop.status.measured else None,
                "audio_mib": round(psutil.Process(loop.child_pid).memory_info().rss / MIB, 1),
                "engine_mib": round(engine.memory_mib, 1),
                **loop.status.counts,
            }
            rows.append(row)
            print(tenth + 1, row, flush=True)
    return {"latency": latency, "tenths": rows}


def server_rounds(
    loop: LiveLoop, server: JackServer, folder: Path, rounds: int, *, kill: bool
) -> list[float]:
    """Seconds from the server's return, with its clients, to sound."""
    took = []
    for _ in range(rounds):
        with playing_hall(folder / "hall", SIGNAL, heard_channels=4):
            run_until_playing(loop)
            run_for(loop, 0.5)
            server.kill() if kill else server.terminate()
            run_until(loop, lambda: loop.status.phase is LivePhase.WAITING, "it notices")
        server.start()
        with playing_hall(folder / "hall", SIGNAL, heard_channels=4):
            took.append(run_until_playing(loop))
            run_for(loop, 0.5)
    return took


def engine_rounds(
    loop: LiveLoop, engine: OwnEngine, folder: Path, rounds: int
) -> dict[str, list[float]]:
    """Seconds from the engine's death to the delayed input, to another session, and to its stems.

    What is on its way plays on: the first gap is no earlier than the latency allows.
    """
    dry, connected, stems = [], [], []
    with playing_hall(folder / "hall", SIGNAL, heard_channels=4):
        run_until_playing(loop)
        for _ in range(rounds):
            run_for(loop, loop.status.latency / 44_100 + 0.5)
            counts = loop.status.counts
            gaps, connections = counts["gaps"], counts["connections"]
            engine.process.kill()
            killed_s = time.monotonic()
            while loop.status.counts["connections"] == connections:
                loop.poll(0.02)
                if loop.status.counts["gaps"] > gaps:
                    gaps = sys.maxsize
                    dry.append(time.monotonic() - killed_s)
            connected.append(time.monotonic() - killed_s)
            stems.append(_last_missed_s(loop) - killed_s)
    return {"dry_after_s": dry, "connected_after_s": connected, "stems_after_s": stems}


def _last_missed_s(loop: LiveLoop) -> float:
    """When the delayed input last played, once it has not for three reports."""
    missed, changed_s = -1, time.monotonic()
    while time.monotonic() - changed_s < 0.35:
        loop.poll(0.02)
        if loop.status.counts["missed"] != missed:
            missed, changed_s = loop.status.counts["missed"], time.monotonic()
    return changed_s


def main(
    minutes: float = 30.0,
    rounds: int = 10,
    period: int = 256,
    model: str = "starter",
    preset: str = "live",
    wait_for_clients: bool = False,
    realtime: bool = False,
    allow_late: bool = False,
) -> None:
    """Play, kill, and sum up."""
    os.environ.update(ENVIRONMENT)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["XDG_RUNTIME_DIR"] = name
        options = ["--model", model, "--preset", preset, "--incremental"]
        engine = OwnEngine(folder, *options, *(["--allow-late"] if allow_late else []))
        with (
            contextlib.closing(engine.keeper) as keeper,
            running_server(period, patient=wait_for_clients, realtime=realtime) as server,
        ):
            keeper.ensure()
            task = AudioTask(
                input="player",
                output="recorder",
                routes=(Route("mix", (0, 1)), Route("dry", (2, 3))),
                address=engine.endpoints.audio,
                patient=True,
            )
            with LiveLoop(task, keeper) as loop:
                with watching() as watch:
                    results = soak(loop, engine, folder, 60 * minutes, watch)
                    if watch is not None:
                        chance = 100 * watch.stops * BEFORE_S / (60 * minutes)
                        print(f"by chance {chance:.0f} % of all xruns would be of the machine")
                restarts = loop.status.restarts
                for how in ("term", "kill"):
                    took = server_rounds(loop, server, folder, rounds, kill=how == "kill")
                    results[f"server_{how}_s"] = took
                    _say(f"server, SIG{how.upper()}: sound after its return", took)
                deaths = engine_rounds(loop, engine, folder, rounds)
                results |= deaths
                _say("engine, SIGKILL: first gap after it", deaths["dry_after_s"])
                _say("engine, SIGKILL: session after it", deaths["connected_after_s"])
                _say("engine, SIGKILL: stems after it", deaths["stems_after_s"])
                print(f"{restarts} restarts in the soak, {loop.status.restarts} in all")
                print(f"latency in the end: {loop.status.latency}")
    # Python's own keeper of shared resources stays, since the watch has needed one.
    left = [
        each
        for each in psutil.Process().children(recursive=True)
        if each.is_running() and "resource_tracker" not in " ".join(each.cmdline())
    ]
    results["processes_left"] = len(left)
    print(f"processes left: {len(left)}")
    write_results("live_soak", {"minutes": minutes, "rounds": rounds, "period": period, **results})


def _say(what: str, seconds: list[float]) -> None:
    if seconds:
        print(f"{what}: median {statistics.median(seconds):.2f} s, most {max(seconds):.2f} s")


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    typer.run(main)
