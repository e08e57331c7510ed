"""Whether training works at all: can a small network learn one song by heart?

    uv run python benchmarks/overfit.py
    uv run python benchmarks/overfit.py --device cuda --goal-db 20

One song of the built-in band is rendered and trained on, without augmentation, by the loop that
`streamsep train` runs. Every few steps the song is separated as a file is, and scored. A loop that
learns reaches the goal; one with a wrong sign, a lost gradient, misaligned stems or a broken level
does not, whatever its loss says. The steps say more than the minutes: those are the machine's.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import soundfile
import torch
import typer
from common import write_results
from rich.console import Console

from streamsep.config.training import (
    LossConfig,
    NetworkChoice,
    OptimiserConfig,
    ScheduleConfig,
    TrainingConfig,
    ValidationConfig,
)
from streamsep.files import find_tracks
from streamsep.synthesis import STEMS, ProceduralBand, compose
from streamsep.training.loop import TrainingRun
from streamsep.training.loss import Criterion
from streamsep.training.reports import LAST_WEIGHTS, Scores, StepReport, Watcher
from streamsep.training.team import Team
from streamsep.training.validation import Judge

if TYPE_CHECKING:
    from collections.abc import Sequence

SEGMENT = 16 * 2048


class GoalReached(Exception):  # noqa: N818, no error
    """The song is known by heart."""


class Examiner(Watcher):
    """Scores the song every few steps, and ends the run when it is good enough.

    Args:
        run: what learns.
        judge: knows the song.
        every: steps between scores.
        goal_db: mean nSDR that is enough.
    """

    def __init__(self, run: TrainingRun, judge: Judge, every: int, goal_db: float) -> None:
        self.scores: list[dict[str, float]] = []
        self._run = run
        self._judge = judge
        self._every = every
        self._goal_db = goal_db
        self._start = time.perf_counter()
        self._console = Console(highlight=False)

    def stepped(self, report: StepReport) -> None:
        """Score if it is time."""
        if report.step % self._every:
            return
        self._run.network.eval()
        scores = self._judge.scores(LAST_WEIGHTS, self._run.network)
        self._run.network.train()
        self._note(report, scores)
        if scores.mean_nsdr_db >= self._goal_db:
            raise GoalReached

    def _note(self, report: StepReport, scores: Scores) -> None:
        minutes = (time.perf_counter() - self._start) / 60
        each = ", ".join(f"{stem} {value:.1f}" for stem, value in scores.nsdr_db.items())
        self._console.print(
            f"step {report.step:5d}, {minutes:5.1f} min: loss {report.loss:.4f}, "
            f"nSDR {scores.mean_nsdr_db:5.2f} dB ({each})",
            soft_wrap=True,
        )
        self.scores.append(
            {"step": report.step, "minutes": minutes, "nsdr_db": scores.mean_nsdr_db}
        )


def main(
    goal_db: Annotated[float, typer.Option(help="Mean nSDR to reach.")] = 15.0,
    steps: Annotated[int, typer.Option(help="Steps at most.")] = 3000,
    seconds: Annotated[float, typer.Option(help="Length of the song.")] = 3.0,
    seed: Annotated[int, typer.Option(help="Of the song and the network.")] = 1,
    hidden: Annotated[int, typer.Option(help="Width of the network.")] = 16,
    every: Annotated[int, typer.Option(help="Steps between scores.")] = 25,
    device: Annotated[str, typer.Option("-d", "--device")] = "cpu",
    out: Annotated[
        Path | None, typer.Option(help="Folder of a run to begin or continue. Default: none.")
    ] = None,
) -> None:
    """Train on one song until it is known; write benchmarks/results/overfit-*.json."""
    team = Team(device=torch.device(device))
    with tempfile.TemporaryDirectory() as folder:
        songs = Path(folder) / "songs"
        _render(songs / "song", seed, seconds)
        config = _config(hidden, steps, seed, every)
        run = TrainingRun(config, songs, out or Path(folder) / "run", team=team)
        tracks = find_tracks(songs, STEMS, run.network.sample_rate, run.network.channels)
        criterion = Criterion(run.config.loss, STEMS)
        judge = Judge(tracks, ValidationConfig(), criterion, segment=SEGMENT, team=team)
        examiner = Examiner(run, judge, every, goal_db)
        reached = _train(run, [examiner])
    options = {"seconds": seconds, "seed": seed, "hidden": hidden, "goal_db": goal_db}
    path = write_results(
        "overfit", {**options, "device": device, "reached": reached, "scores": examiner.scores}
    )
    typer.echo(f"{'reached' if reached else 'did not reach'} {goal_db} dB; wrote {path}")
    if not reached:
        sys.exit(1)


def _train(run: TrainingRun, watchers: Sequence[Watcher]) -> bool:
    try:
        run.run(*watchers)
    except GoalReached:
        return True
    return False


def _config(hidden: int, steps: int, seed: int, every: int) -> TrainingConfig:
    return TrainingConfig(
        network=NetworkChoice.model_validate({"hidden": hidden, "layer_scale": 0.1}),
        segment=SEGMENT,
        batch_size=2,
        steps=steps,
        loss=LossConfig(kind="rms"),
        optimiser=OptimiserConfig(learning_rate=2e-3, betas=(0.9, 0.99), gradient_clip=5.0),
        schedule=ScheduleConfig(warmup_steps=20),
        precision="float32",
        checkpoint_every=every,
        seed=seed,
        licence="none",
        note="knows one song",
    )


def _render(folder: Path, seed: int, seconds: float) -> None:
    """Write the stems of one song of the procedural band."""
    folder.mkdir(parents=True)
    song = ProceduralBand().play(compose(seed, seconds), seed)
    for stem in STEMS:
        soundfile.write(folder / f"{stem}.wav", song.stems[stem].T, song.sample_rate, "FLOAT")


if __name__ == "__main__":
    typer.run(main)
