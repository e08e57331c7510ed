"""What a board costs beside a hand-written loop of pedalboard, and whether its memory is bounded.

    uv run python benchmarks/boards.py
    uv run python benchmarks/boards.py --hours 0.2 --repeats 3

Speed: the bundled board "remaster" on four stems of noise that lie in memory, against the loop that
one would write with pedalboard alone: every chain over its whole stem in one call, the same plugins
with the same parameters, the sums with numpy, both on one thread. The loop is given all that makes
it fast: no files, no blocks, no automation. Both results must agree to 1e-5 once the tail is left
out, or the benchmark fails.

Memory: hours of audio against two minutes of it through `streamsep board`'s own path (read,
separate, render, write), in processes of their own, with a separator that gives every stem a
quarter of the mixture. More than 100 MiB of difference is a failure. Two hours of 44.1 kHz stereo
are 1.3 GB on the disk of `--folder`, and so is their mix.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from common import in_fresh_process, peak_mib, write_results
from long_file_memory import RATE, SEGMENT, Quarters, write_noise
from rich.console import Console

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from streamsep.config.board import BoardConfig, ChainConfig

    Samples = NDArray[np.float32]

# torch, pedalboard and streamsep are imported by the functions that run in processes of their own.

BOARD = "remaster"
SPEED_S = 120.0
SHORT_S = 120.0
ALLOWED_MIB = 100.0


@dataclass(frozen=True, slots=True)
class Speed:
    """Processor seconds for a song of `SPEED_S` seconds, medians; both have one thread.

    Attributes:
        board_s: `StemBoard.process`.
        loop_s: the hand-written loop.
        difference: the largest between the two mixes.
    """

    board_s: float
    loop_s: float
    difference: float


@dataclass(frozen=True, slots=True)
class Memory:
    """One file through a board.

    Attributes:
        seconds: length of the file.
        elapsed_s: what it took.
        rest_mib: peak resident memory before.
        peak_mib: peak resident memory in the end.
    """

    seconds: float
    elapsed_s: float
    rest_mib: float
    peak_mib: float


def main(
    hours: Annotated[float, typer.Option(min=0.05, help="Length of the long file.")] = 2.0,
    repeats: Annotated[int, typer.Option(min=1, help="Runs of each contestant.")] = 5,
    folder: Annotated[Path | None, typer.Option(help="Where the files go for a while.")] = None,
) -> None:
    """Measure and write benchmarks/results/*.json."""
    speed = in_fresh_process(race, repeats)
    short = in_fresh_process(render, SHORT_S, folder)
    long = in_fresh_process(render, 3600.0 * hours, folder)
    growth = long.peak_mib - short.peak_mib
    results = {
        "board": BOARD,
        "speed": {**asdict(speed), "ratio": speed.board_s / speed.loop_s, "song_s": SPEED_S},
        "memory": {"short": asdict(short), "long": asdict(long), "growth_mib": growth},
        "allowed_mib": ALLOWED_MIB,
    }
    path = write_results("boards", results)
    console = Console(highlight=False)
    console.print(
        f"{BOARD}: board {speed.board_s:.2f} s, loop {speed.loop_s:.2f} s of processor for "
        f"{SPEED_S:.0f} s of music "
        f"({speed.board_s / speed.loop_s:.2f} times), {speed.difference:.1e} apart"
    )
    for run in (short, long):
        console.print(
            f"{run.seconds / 60:6.0f} min in {run.elapsed_s:5.0f} s: peak {run.peak_mib:.0f} MiB, "
            f"of which {run.rest_mib:.0f} MiB before"
        )
    console.print(f"growth {growth:.0f} MiB, allowed {ALLOWED_MIB:.0f}; written to {path}")
    raise typer.Exit(growth > ALLOWED_MIB or speed.difference > 1e-5)


def race(repeats: int) -> Speed:
    """Time the board and the loop in turns."""
    import numpy as np
    import torch

    from streamsep.config.board import load_board
    from vst_wrapper import build_board

    torch.set_num_threads(1)  # pedalboard has one thread too
    config = load_board(BOARD).model_copy(update={"tail_s": 0.0})
    generator = np.random.default_rng(0)
    shape = (4, 2, round(SPEED_S * RATE))
    stems = 0.1 * generator.standard_normal(shape, dtype=np.float32)
    board_s, loop_s, difference = [], [], 0.0
    board = build_board(config)
    for _ in range(repeats):
        start = time.process_time()
        ours = board.process(stems, RATE)["mix"]
        board_s.append(time.process_time() - start)
        theirs, took_s = by_hand(config, stems)
        loop_s.append(took_s)
        difference = max(difference, float(np.abs(ours - theirs).max()))
    return Speed(statistics.median(board_s), statistics.median(loop_s), difference)


def by_hand(config: BoardConfig, stems: Samples) -> tuple[Samples, float]:
    """The mix by pedalboard alone, and the processor seconds that took."""
    import numpy as np
    import pedalboard

    from vst_wrapper.boards import DEMUCS_STEMS
    from vst_wrapper.boards.effects import make_effect

    def chain(of: ChainConfig) -> pedalboard.Pedalboard:
        return pedalboard.Pedalboard(
            [make_effect(plugin.effect or "", plugin.parameters, "") for plugin in of.plugins]
        )

    strips = {name: chain(strip) for name, strip in config.stems.items()}
    sends = {name: chain(send) for name, send in config.sends.items()}
    mix = chain(config.mix)
    start = time.process_time()
    done = {
        name: strips[name](stem, RATE) if name in strips else stem
        for name, stem in zip(DEMUCS_STEMS, stems, strict=True)
    }
    total = np.sum(list(done.values()), axis=0)
    for send, plugins in sends.items():
        heard = np.zeros_like(total)
        for name, strip in config.stems.items():
            if send in strip.sends:
                heard += done[name] * np.float32(10.0 ** (strip.sends[send] / 20.0))
        total = total + plugins(heard, RATE)
    return mix(total, RATE), time.process_time() - start


def render(seconds: float, folder: Path | None) -> Memory:
    """Make a file of noise, send it through the board and say what that took."""
    import torch

    from streamsep.config.board import load_board
    from streamsep.models import LoadedModel
    from streamsep.offline import SeparationOptions, separate_track
    from vst_wrapper.boards import BoardRenderer

    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory(dir=folder) as place:
        song = Path(place, "song.wav")
        write_noise(song, seconds)
        model = LoadedModel(
            separator=Quarters(), name="quarters", path=song, licence="none", segment=SEGMENT
        )
        renderer = BoardRenderer(load_board(BOARD), model.sources)
        rest_mib = peak_mib()
        start = time.perf_counter()
        separate_track(
            song,
            model,
            SeparationOptions(),
            lambda stem, extension: Path(place, f"{stem}.{extension}"),
            renderer=renderer,
        )
        return Memory(seconds, time.perf_counter() - start, rest_mib, peak_mib())


if __name__ == "__main__":
    typer.run(main)
