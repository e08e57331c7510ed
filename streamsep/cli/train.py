"""`streamsep train`: a network from a configuration and a folder of songs."""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streamsep.errors import CheckpointError, ConfigError, OutputError, StreamSepError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import torch

    from streamsep.config.training import TrainingConfig
    from streamsep.training.loop import Progress, Team, TrainingRun

__all__ = ["train"]

INTERRUPTED = 130


def train(
    config: Annotated[
        str,
        typer.Argument(
            metavar="CONFIG", help="A configuration by name, such as 'starter', or a YAML file."
        ),
    ],
    data: Annotated[
        Path,
        typer.Option("--data", metavar="FOLDER", help="Folder of songs, see 'streamsep render'."),
    ],
    out: Annotated[
        Path,
        typer.Option(
            "--out", metavar="OUT", help="Folder of the run; one that is there is continued."
        ),
    ],
    steps: Annotated[
        int | None,
        typer.Option(
            "--steps",
            metavar="N",
            min=1,
            help="Steps in all.",
            show_default="what the configuration says",
        ),
    ] = None,
    device: Annotated[
        str | None,
        typer.Option(
            "--device",
            metavar="DEVICE",
            help="cpu, cuda or cuda:N.",
            show_default="cuda if there is one",
        ),
    ] = None,
    workers: Annotated[
        int, typer.Option("--workers", metavar="N", min=0, help="Processes that prepare examples.")
    ] = 0,
) -> None:
    """Train a network and write it to OUT/network.safetensors.

    The run may be stopped at any time; the same command continues it from its last checkpoint. On
    several processes: torchrun --nproc-per-node 2 --no-python streamsep train ...
    """
    from streamsep.config.training import load_training_config

    settings = load_training_config(config)
    if steps is not None:
        settings = settings.model_copy(update={"steps": steps})
    from streamsep.training.loop import join_team

    place = _choose_device(device)
    with _team_of(join_team, place) as team:
        run = _open_run(settings, data, out, place, team, workers)
        _train_or_stop(run)
        if team.rank == 0:
            path = _write_network(run)
            typer.echo(f"wrote {path}, {run.step} steps; try it: streamsep separate -n {path} FILE")


def _choose_device(wanted: str | None) -> torch.device:
    """The device that was asked for, or this process's GPU, or the CPU; one that works.

    Raises:
        ConfigError: it does not.
    """
    import torch

    if wanted is None:
        gpu = f"cuda:{os.environ.get('LOCAL_RANK', '0')}"  # torchrun numbers a machine's processes
        wanted = gpu if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(wanted)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        # torch raises either for a device that it was not built for or that is not there.
        reason = str(error).partition("\n")[0]
        raise ConfigError(f"device '{wanted}' cannot be used here: {reason}") from error
    if device.type == "cuda":
        torch.cuda.set_device(device)
    return device


@contextmanager
def _team_of(join: Callable[[torch.device], Team], device: torch.device) -> Iterator[Team]:
    """Meet the other processes, and part from them in the end."""
    import torch

    team = join(device)
    if team.size > 1 and device.type == "cpu":
        # One thread per process: the processes are what fills the cores.
        torch.set_num_threads(1)
    try:
        yield team
    finally:
        if team.size > 1:
            torch.distributed.destroy_process_group()


def _open_run(
    settings: TrainingConfig,
    data: Path,
    out: Path,
    device: torch.device,
    team: Team,
    workers: int,
) -> TrainingRun:
    """Start or continue a run.

    Raises:
        InputError: there are no songs.
        OutputError: the folder cannot be made.
        CheckpointError: the folder holds another run.
    """
    from streamsep.training.loop import TrainingRun

    try:
        return TrainingRun(settings, data, out, device=device, team=team, workers=workers)
    except OSError as error:
        raise OutputError(f"cannot write to {out}: {error.strerror or error}") from error
    except StreamSepError:
        raise
    except Exception as error:
        # A damaged checkpoint makes torch.load raise nearly anything.
        checkpoint = out / "checkpoint.pt"
        if not checkpoint.exists():
            raise
        raise CheckpointError(
            f"{checkpoint} is damaged or from another configuration and cannot be continued; "
            "take another --out, or remove it"
        ) from error


def _train_or_stop(run: TrainingRun) -> None:
    try:
        with _progress_of(run) as report:
            run.run(report)
    except KeyboardInterrupt:
        if run.team.rank == 0:
            kept = (
                "the same command continues from the last checkpoint"
                if run.checkpoint.exists()
                else "it was before the first checkpoint, so nothing is kept"
            )
            typer.echo(f"stopped at step {run.step}; {kept}", err=True)
        raise SystemExit(INTERRUPTED) from None


@contextmanager
def _progress_of(run: TrainingRun) -> Iterator[Callable[[Progress], None] | None]:
    """A bar with the loss and the time left; only one process of a team shows it."""
    if run.team.rank != 0:
        yield None
        return
    from rich import progress
    from rich.console import Console

    with progress.Progress(
        progress.TextColumn("step"),
        progress.MofNCompleteColumn(),
        progress.BarColumn(),
        progress.TextColumn("{task.fields[loss]}"),
        progress.TimeRemainingColumn(),
        # A step may take seconds and the bar's own memory is half a minute.
        speed_estimate_period=600.0,
        console=Console(stderr=True),
    ) as bar:
        task = bar.add_task("", total=run.config.steps, completed=run.step, loss="")
        smooth: float | None = None

        def show(done: Progress) -> None:
            # Steps differ in how hard their examples are; the eye wants the trend.
            nonlocal smooth
            smooth = done.loss if smooth is None else 0.98 * smooth + 0.02 * done.loss
            bar.update(task, completed=done.step, loss=f"loss {smooth:.4f}")

        yield show


def _write_network(run: TrainingRun) -> Path:
    from streamsep.models.checkpoints import save_checkpoint

    path = run.out / "network.safetensors"
    save_checkpoint(
        run.averaged_network(),
        path,
        licence=run.config.licence,
        training=run.config.note,
        dtype="fp16",
    )
    return path
